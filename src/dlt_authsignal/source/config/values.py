"""Check the value of each setting before anything is read, whether it comes from a file, the environment or Python.

Messages contain the name of the setting, and never its value: it may be secret or personal.
"""

from collections.abc import Collection, Mapping
from math import isfinite
from typing import Any, Final, NamedTuple

from dlt_authsignal.errors import ConfigurationError


class Range(NamedTuple):
    """Allowed numbers of a setting."""

    least: float
    most: float
    is_whole: bool


RANGES: Final[Mapping[str, Range]] = {
    "page_size": Range(1, 10_000, True),
    "concurrency": Range(1, 1_000, True),
    "workers": Range(1, 64, True),
    "attempts": Range(1, 100, True),
    "max_requests": Range(1, 10**12, True),
    "backoff": Range(0, 600, False),
    "timeout": Range(0.001, 3_600, False),
}
_LISTS: Final = ("apis", "exclude_users", "refresh_users", "privacy_allow")
_NOT_EMPTY: Final = ("apis", "users_from")
"""Settings that mean "all" when they are not set, so that an empty list is probably a mistake."""

_TEXTS: Final = (
    "users_column",
    "shared_budget",
    "username",
    "display_name",
    "authenticator_attachment",
    "action",
    "challenge_id",
    "origin",
    "paths",
    "max_staleness",
    "max_duration",
    "privacy",
    "max_deletes",
)
_UNSET: Final = "Remove the setting to use its default. Nothing was read."


def check_values(values: Mapping[str, Any]) -> None:
    """Check numbers, texts and lists.

    Raises:
        ConfigurationError: Reports the first setting whose value cannot be used.
    """
    for name, allowed in RANGES.items():
        _check_number(name, values[name], allowed)
    for name in _LISTS:
        _check_list(name, values[name])
    users_from = values["users_from"]
    if isinstance(users_from, str):
        _check_text("users_from", users_from)
    else:
        _check_list("users_from", users_from)
    for name in _TEXTS:
        _check_text(name, values[name])


def _check_number(name: str, value: Any, allowed: Range) -> None:
    if value is None:
        return
    kinds: tuple[type, ...] = (int,) if allowed.is_whole else (int, float)
    is_number = isinstance(value, kinds) and not isinstance(value, bool)
    if is_number and isfinite(value) and allowed.least <= value <= allowed.most:
        return
    kind = "a whole number" if allowed.is_whole else "a number"
    got = f", got {value}" if is_number else f", not {type(value).__name__}"
    if is_number and allowed.least == 1 and value < 1:
        raise ConfigurationError(f"{name} must be above 0{got}. Nothing was read.")
    raise ConfigurationError(
        f"{name} must be {kind} from {allowed.least:,} to {allowed.most:,}{got}. Nothing was read."
    )


def _check_text(name: str, value: Any) -> None:
    if value is None or (not isinstance(value, str) and isinstance(value, int | float)):
        return  # a number is read as its text
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be text, not {type(value).__name__}. Nothing was read.")
    if not value.strip():
        raise ConfigurationError(f"{name} is empty. {_UNSET}")


def _check_list(name: str, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, str) or not isinstance(value, Collection) or isinstance(value, Mapping):
        raise ConfigurationError(f'{name} must be a list of text, such as ["a", "b"]. Nothing was read.')
    if not value and name in _NOT_EMPTY:
        raise ConfigurationError(f"{name} is an empty list. {_UNSET}")
    for each in value:
        if not isinstance(each, str):
            raise ConfigurationError(f"{name} contains a value that is not text. Nothing was read.")
        if not each.strip():
            raise ConfigurationError(f"{name} contains an empty text. Remove it from the list. Nothing was read.")
