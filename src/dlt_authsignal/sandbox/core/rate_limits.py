"""Rate limits that a test can set: token buckets in real time, one for each way to authenticate."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, isfinite
from time import monotonic
from typing import Any, Final

from dlt_authsignal.sandbox.core.refusals import too_many_requests

KEYS: Final = ("server", "management", "tenant", "bearer")

MAX_RATE: Final = 1_000_000
MIN_RATE: Final = 0.001


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The rate limit of one key.

    Attributes:
        key: `server`, `management`, `tenant`, or `bearer` for all tokens together.
        per_second: Average calls per second.
        burst: Calls that are possible immediately after a pause.
        retry_after: Whether a 429 has a `Retry-After` header, in whole seconds.

    Raises:
        ValueError: An unknown key, or a number out of range.
    """

    key: str
    per_second: float
    burst: int = 1
    retry_after: bool = True

    def __post_init__(self) -> None:
        if self.key not in KEYS:
            raise ValueError(f'Unknown key "{self.key}". Known: {", ".join(KEYS)}.')
        if not (isfinite(self.per_second) and MIN_RATE <= self.per_second <= MAX_RATE):
            raise ValueError(f"perSecond must be {MIN_RATE} to {MAX_RATE:,}.")
        if not 1 <= self.burst <= MAX_RATE:
            raise ValueError(f"burst must be 1 to {MAX_RATE:,}.")

    def shown(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "perSecond": self.per_second,
            "burst": self.burst,
            "retryAfter": self.retry_after,
        }


class _Bucket:
    def __init__(self, limit: Limit) -> None:
        self.limit, self._left, self._seen = limit, float(limit.burst), monotonic()

    def take(self) -> float:
        """Take one call. Return 0, or the seconds to wait if none is left."""
        now = monotonic()
        self._left = min(self.limit.burst, self._left + (now - self._seen) * self.limit.per_second)
        self._seen = now
        if self._left < 1:
            return (1 - self._left) / self.limit.per_second
        self._left -= 1
        return 0.0


class Limits:
    """The active limits, by key."""

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}

    def __bool__(self) -> bool:
        return bool(self._buckets)

    def set(self, limit: Limit) -> None:
        """Replace the limit of a key. It starts with a full burst."""
        self._buckets = {**self._buckets, limit.key: _Bucket(limit)}

    def clear(self) -> None:
        self._buckets = {}

    def take(self, key: str) -> None:
        """Count one call.

        Raises:
            Refusal: 429: the key has no calls left.
        """
        bucket = self._buckets.get(key)
        if bucket and (seconds := bucket.take()):
            raise too_many_requests(max(1, ceil(seconds)) if bucket.limit.retry_after else None)

    def shown(self) -> list[dict[str, Any]]:
        return [bucket.limit.shown() for bucket in self._buckets.values()]


def limit_from_json(value: Mapping[str, Any]) -> Limit:
    """Parse the body of `POST /_sandbox/limits`.

    Raises:
        ValueError: An unknown field or an invalid value.
    """
    names = {"key": "key", "perSecond": "per_second", "burst": "burst", "retryAfter": "retry_after"}
    if unknown := sorted(set(value) - set(names)):
        raise ValueError(f'Unknown field "{unknown[0]}" of a limit. Known: {", ".join(names)}.')
    if not isinstance(value.get("key"), str) or not _is_number(value.get("perSecond")):
        raise ValueError("A limit needs at least key, and perSecond as a number.")
    if not _is_number(value.get("burst", 1), whole=True) or not isinstance(value.get("retryAfter", True), bool):
        raise ValueError("burst must be a whole number, and retryAfter true or false.")
    return Limit(**{names[name]: given for name, given in value.items()})


def _is_number(value: Any, *, whole: bool = False) -> bool:
    return isinstance(value, int if whole else int | float) and not isinstance(value, bool)
