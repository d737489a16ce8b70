"""Parse durations such as `12h`."""

import re
from datetime import timedelta
from typing import Final

from dlt_authsignal.errors import ConfigurationError

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST: Final = timedelta(days=36_500)
_SPAN: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?([smhd])")


def duration(name: str, text: str) -> timedelta:
    """Return the duration of a text such as `90s`, `30m`, `12h`, `7d` or `0`.

    Raises:
        ConfigurationError: The text is not a duration.
    """
    plain = str(text).strip().lower()
    if plain == "0":
        return timedelta()
    found = _SPAN.fullmatch(plain)
    if not found:
        raise ConfigurationError(f'{name} must be a number with s, m, h or d, such as "12h" or "7d", not "{text}".')
    number, unit = found.groups()
    try:
        span = timedelta(**{_UNITS[unit]: float(number)})
    except OverflowError:
        span = timedelta.max
    if span > LONGEST:
        raise ConfigurationError(f"{name} must be at most {LONGEST.days:,} days.")
    return span
