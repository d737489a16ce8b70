"""Personal identifiers: their normal forms, their non-identifying parts, and how to find them in text."""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, Literal

from dlt_authsignal.schema.sensitivity import Kind
from dlt_authsignal.source.privacy.recognition.phones import is_phone, national_number
from dlt_authsignal.source.privacy.recognition.readable import readable

_DASHES: Final = r"\u00a0\u2010-\u2015\u2212-"
_DOMAIN: Final = re.compile(r"(?:[\w-]+\.)+(?:xn--[a-z0-9-]+|[^\W\d_]{2,})")
_E164: Final = re.compile(r"\+\d+", re.ASCII)
_LINK: Final = r"(?:(?<=\btel:)|(?<=\bsms:))\d{8,15}(?!\w)"
_PLUS: Final = re.compile(
    rf"(?<![^\W_])[+\uff0b][\d\t ()./_{_DASHES}]*\d(?!\w)|(?<=[a-z_])\+\d{{8,15}}(?![\w=+/])|{_LINK}"
)
_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"
_IPV4: Final = re.compile(rf"((?:{_OCTET}\.){{3}}){_OCTET}", re.ASCII)
_WITH_PORT: Final = re.compile(r"(\[[^\]]*\]|\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}", re.ASCII)
_CHARACTER: Final = r"[^\s@<>\"',;:()\[\]{}]"
_AT_WITH_SPACES: Final = (
    r"(?<![\w.+-])[\w.+-]{1,64}(?: {0,2}[\[({]at[\])}] {0,2}| {1,2}@ {0,2}|@ {1,2})"
    r"(?:[\w-]{1,63}(?:\.| ?[\[({]dot[\])}] ?)){1,4}\w{2,24}"
)
_EMAIL: Final = (
    rf"(?<!{_CHARACTER})(?<!\w')(?:{_CHARACTER}|(?<=\w)'(?=\w))+(?:@|%40){_CHARACTER}*\w|(?i:{_AT_WITH_SPACES})"
)
_PHONE: Final = (
    rf"(?:(?<![\d.+-])[+\uff0b]|(?<![\w.+-])(?<!\d:)\(?0)\d?[\d\t ()./_{_DASHES}]{{6,22}}\d(?!\w|:\w)|{_LINK}"
)
_IP: Final = (
    r"(?<![\w.])(?:\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\w)"
    r"|(?=[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]{0,44}(?:[0-9A-Fa-f]|::)(?:\.\d{1,3}){0,3}(?!\w|[.:]\w))"
)
_LOOSE: Final = r"(?<![\w.:+/-])[(\[]?\d[\d ()\[\]./-]{5,22}\d(?![\w:]|[-.]\w)"
_FOUND: Final = re.compile(rf"(?P<email>{_EMAIL})|(?P<ip>{_IP})|(?P<phone>{_PHONE})|(?P<loose>{_LOOSE})")
"""Each pattern starts at a word and is bounded or ends with it, so that matching takes linear time."""

_FRACTION: Final = re.compile(r"0\.\d+", re.ASCII)
_OBFUSCATED: Final = re.compile(_AT_WITH_SPACES, re.IGNORECASE)
_LOOSE_ID: Final = re.compile(_LOOSE)
_MAY_HOLD_ONE: Final = re.compile(r"[@%:&\d]|[^\x00-\x7f]|[\[({][aA][tT]|\\[ux]")
_ID_TO_LOOK_AT: Final = re.compile(r"tel:|sms:|[@%&+\\ ()\[\]]|[^\x00-\x7f]|(?<![\w.:+/-])00\d|\d[.-]\d+[.-]\d")
_DIGITS_OF_A_PHONE: Final = range(7, 16)


def normal(kind: Kind, text: str, region: str | None = None) -> str:
    """Return the form in which two spellings of an identifier are equal. Other text is case-folded.

    E-mail addresses: NFC, without case, trimmed. Phone numbers: digits after a plus, if there is one, or if the region
    is known in which numbers without a country code are. Names and the rest: NFKC, without case, trimmed.
    """
    if kind == "phone" and (number := _number(text)):
        return number if number.startswith("+") or region is None else national_number(number, region) or number
    return _folded(text, "NFC" if kind == "email" else "NFKC")


def _folded(text: str, form: Literal["NFC", "NFKC"]) -> str:
    if text.isascii():
        return text.lower().strip()
    folded = text
    for _ in range(4):  # one step may require another; longer chains are not known
        before, folded = folded, unicodedata.normalize(form, unicodedata.normalize("NFD", folded).casefold()).strip()
        if folded == before:
            break
    return folded


def _number(text: str) -> str | None:
    """Return `+` and digits, or only digits without a country code; None for text that is not a number."""
    if _E164.fullmatch(text):
        return text
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    digits = "".join(str(unicodedata.decimal(c)) for c in plain.replace("(0)", "") if c.isdecimal())
    if not digits or any(map(str.isalpha, plain)):
        return None
    if plain.lstrip(" (\t\n").startswith("+"):
        return f"+{digits}"
    return f"+{digits[2:]}" if digits.startswith("00") and len(digits) > 2 else digits


def domain_of(email: str) -> str | None:
    """Return the domain of an e-mail address in lower case; None if there is none."""
    domain = normal("email", email).rpartition("@")[2] if "@" in email else ""
    return domain if _DOMAIN.fullmatch(domain) else None


@lru_cache(maxsize=65_536)
def country_of(phone: str, region: str | None = None) -> str | None:
    """Return the country of a phone number with a country code, as ISO 3166-1 alpha-2.

    None if there is no country code and no region, or if countries share the code and none of them assigns the number.
    """
    number = _number(phone)
    if number is not None and region is not None:
        number = normal("phone", phone, region)
    if number is None or not number.startswith("+"):
        return None
    regions = _regions_of(number[:2]) or _regions_of(number[:3]) or _regions_of(number[:4])
    if len(regions) > 1:
        from phonenumbers import NumberParseException, parse, region_code_for_number

        try:
            return region_code_for_number(parse(number))
        except NumberParseException:
            return None
    return regions[0] if regions and regions[0] != "001" else None


@lru_cache(maxsize=2048)
def _regions_of(code: str) -> tuple[str, ...]:
    """Return the countries with a country code, such as `+64`."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    return COUNTRY_CODE_TO_REGION_CODE.get(int(code[1:] or 0), ())


def truncated(text: str) -> str | None:
    """Return an IP address with its last 8 bits (IPv4) or 80 bits (IPv6) set to zero; None for other text."""
    if short := _IPV4.fullmatch(text):
        return f"{short[1]}0"
    plain = text.strip()
    if with_port := _WITH_PORT.fullmatch(plain):
        plain = with_port[1]
    if short := _IPV4.fullmatch(plain):
        return f"{short[1]}0"
    try:
        address = ip_address(plain.strip("[]").partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return truncated(str(address))
    if inner := address.ipv4_mapped:
        return truncated(str(inner))
    if inner := address.sixtofour:  # the IPv4 address is in the part that would be left
        return str(_sixtofour(inner))
    return str(ip_network((address, 48), strict=False).network_address)


def _sixtofour(inner: IPv4Address) -> IPv6Address:
    short = int(inner) & 0xFFFFFF00
    return IPv6Address((0x2002 << 112) | (short << 80))


def replaced(text: str, by: Callable[[Kind, str], str], region: str | None = None) -> str:
    """Replace every e-mail address, phone number and IP address in a text.

    An encoded text, or one with look-alikes, is decoded first if it hides an identifier; otherwise it is returned
    unchanged.

    Args:
        text: The text.
        by: Returns the replacement for an identifier of a kind.
        region: Country whose phone numbers are recognised without a country code.
    """
    if not _MAY_HOLD_ONE.search(text):
        return text
    plain = readable(text)
    found = _replaced(plain, by, region)
    return text if found == plain else found


def _replaced(text: str, by: Callable[[Kind, str], str], region: str | None) -> str:
    def of(found: re.Match[str]) -> str:
        kind, value = next((kind, value) for kind, value in found.groupdict().items() if value is not None)
        if kind == "loose":
            return by("phone", value) if is_phone(value, region) else value
        if kind == "phone" and (
            sum(map(str.isdecimal, value)) not in _DIGITS_OF_A_PHONE or _FRACTION.fullmatch(value) is not None
        ):
            return value
        return value if kind == "ip" and truncated(value) is None else by(kind, value)  # type: ignore[arg-type]

    return _FOUND.sub(of, text)


def names_somebody(user_id: str, region: str | None = None) -> bool:
    """Return whether a user id is or contains an e-mail address, or a phone number in any notation.

    A number without a plus needs the region, or has separators, an international prefix or digits of another script:
    plain digits may be any number.
    """
    if region is None and not _ID_TO_LOOK_AT.search(user_id):
        return False
    plain = readable(user_id)
    if "@" in plain.strip("@") or "%40" in user_id or _PLUS.search(plain) is not None:
        return True
    if _OBFUSCATED.search(plain) is not None:
        return True
    if not user_id.isascii() and sum(each.isdecimal() and not each.isascii() for each in user_id) in _DIGITS_OF_A_PHONE:
        return True
    return any(is_phone(found[0], region) for found in _LOOSE_ID.finditer(plain))
