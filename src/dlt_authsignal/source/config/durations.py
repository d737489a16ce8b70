"""Spans of time as people write them."""

import re
from datetime import timedelta
from typing import Final

from dlt_authsignal.errors import ConfigurationError

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SPAN: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?([smhd])")


def duration(name: str, text: str) -> timedelta:
    """`90s`, `30m`, `12h`, `7d`; `0` for none.

    Raises:
        ConfigurationError: The text says something else.
    """
    plain = str(text).strip().lower()
    if plain == "0":
        return timedelta()
    found = _SPAN.fullmatch(plain)
    if not found:
        raise ConfigurationError(f'{name} is a number with s, m, h or d, such as "12h" or "7d"; got "{text}".')
    number, unit = found.groups()
    return timedelta(**{_UNITS[unit]: float(number)})
