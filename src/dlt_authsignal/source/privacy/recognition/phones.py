"""Recognise phone numbers without a plus, by Google's rules of all countries."""

import re
from functools import lru_cache
from typing import Final

_NOT_DIGITS: Final = re.compile(r"\D")
_DATE: Final = re.compile(r"\d{4}[-./ ]\d{1,2}[-./ ]\d{1,2}|\d{1,2}[-./ ]\d{1,2}[-./ ]\d{4}")
_FORMATTED: Final = re.compile(r"[ ()\[\]]")
_SEPARATED: Final = re.compile(r"\d{1,4}([.-])\d{2,4}(?:\1\d{2,4}){1,4}")
"""Groups of digits as in a phone number. A version such as `143.0.7499.110` has shorter ones."""

_NORTH_AMERICAN: Final = re.compile(r"(?:1[.-])?\d{3}([.-])\d{3}\1\d{4}")
_AREA_CODE: Final = re.compile(r"\s*(?:[(\[]\d{2,5}[)\]]|[(\[]?0)")
_DIGITS: Final = range(7, 16)


def national_number(number: str, region: str) -> str | None:
    """Return a number of a country in E.164; None if it is not possible there."""
    import phonenumbers

    try:
        found = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(found):
        return None
    return str(phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164))


@lru_cache(maxsize=16_384)
def is_phone(text: str, region: str | None) -> bool:
    """Return whether digits without a plus are a phone number.

    With a region: a valid number of that country, or of any country with its code. Without one, plain digits may be any
    number, so it must have spaces or brackets, or begin with 00.
    """
    digits = _NOT_DIGITS.sub("", text)
    if len(digits) not in _DIGITS and not digits.startswith("00"):
        return False
    bare = text.strip(" ()[]")
    if _DATE.fullmatch(bare):
        return False
    if region and _is_valid(text, region):
        return True
    if digits.startswith("00"):
        return _is_valid(f"+{digits[2:]}", None)
    if _NORTH_AMERICAN.fullmatch(bare):
        return _is_valid(bare, "US")
    if _SEPARATED.fullmatch(bare):
        return _is_valid(f"+{digits}", None)
    if not (_FORMATTED.search(text.strip()) or (region and len(digits) >= _MOST_NATIONAL)):
        return False
    return _AREA_CODE.match(text) is not None or _is_valid(f"+{digits}", None)


_MOST_NATIONAL: Final = 10


def _is_valid(number: str, region: str | None) -> bool:
    import phonenumbers

    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(number, region)))
    except phonenumbers.NumberParseException:
        return False
