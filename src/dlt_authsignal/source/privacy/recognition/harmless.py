"""Recognise text that cannot identify a person by its form: a number, a time, a short word of an enum."""

import re
from datetime import datetime
from typing import Final

from dlt_authsignal.api.values import OUTCOMES, STATES, VERIFICATION_METHODS

MOST_WORDS: Final = 30
"""A column with more different words in one run is not an enum."""

_NUMBER: Final = re.compile(r"-?\d{1,5}(?:\.\d{1,17})?", re.ASCII)
_VERSION: Final = re.compile(r"v?\d{1,3}(?:\.\d{1,5}){1,2}", re.ASCII)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d(?::?\d\d)?)?", re.ASCII)
_CODE: Final = re.compile(r"[A-Z]{2,3}|[a-z]{2,3}[-_](?:[A-Z][a-z]{3}[-_])?[A-Z]{2}")
"""Codes of countries, currencies and locales: there are hundreds."""

_UPPER: Final = re.compile(r"[A-Z]+[0-9]{0,3}(?:_[A-Z0-9]{1,20}){0,5}")
_LOWER: Final = re.compile(r"[a-z]{1,16}")
_COMPOUND: Final = re.compile(
    r"(?:single|multi|cross|pre|non|not|auto|semi|un|step|sign|log|opt|in|out|on|off|read|write|web|mobile|soft|hard"
    r"|high|low|medium|very|risk|device|platform)(?:[-_][a-z]{1,12}|[A-Z][a-z]{1,12}){1,2}"
)
_AUTHSIGNALS: Final = frozenset((*VERIFICATION_METHODS, *STATES, *OUTCOMES, "true", "false"))
_LONGEST: Final = 40
_FIRST_YEAR, _NO_DATE_BEFORE = 2015, 1900
"""A time between these years is older than Authsignal, so it may be a birth date."""


def is_harmless(text: str) -> bool:
    """Return whether the text has a harmless form."""
    if not text:
        return True
    return len(text) <= _LONGEST and (is_word(text) or is_event_time(text) or is_code(text) or _is_number(text))


def is_always_harmless(text: str) -> bool:
    """Return whether the text alone shows that it identifies no person: a word of Authsignal's, a number, a time."""
    return text in _AUTHSIGNALS or is_event_time(text) or (len(text) <= _LONGEST and _is_number(text))


def is_word(text: str) -> bool:
    """Return whether the text is a short word, as the values of an enum are: `SMS`, `CHALLENGE_REQUIRED`, `high`."""
    if _UPPER.fullmatch(text):
        return sum(map(str.isdigit, text)) <= 3
    return _LOWER.fullmatch(text) is not None or _COMPOUND.fullmatch(text) is not None


def is_code(text: str) -> bool:
    """Return whether the text is a code of a country, a currency or a locale."""
    return _CODE.fullmatch(text) is not None


def is_event_time(text: str) -> bool:
    """Return whether the text is a date with a time that is not older than Authsignal, or no date at all."""
    if not _TIME.fullmatch(text):
        return False
    try:
        year = datetime.fromisoformat(text.replace(",", ".")).year
    except ValueError:
        return False
    return year >= _FIRST_YEAR or year < _NO_DATE_BEFORE


def _is_number(text: str) -> bool:
    return (_NUMBER.fullmatch(text) or _VERSION.fullmatch(text)) is not None
