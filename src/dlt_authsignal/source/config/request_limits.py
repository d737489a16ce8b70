"""Limits of requests: concurrency, rate, retries and timeouts."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.source.config import defaults

if TYPE_CHECKING:
    from dlt_authsignal.source.config.source_settings import SourceSettings

LEAST_RATE: Final = 0.001
MOST_RATE: Final = 100_000


@dataclass(frozen=True, kw_only=True)
class RequestLimits:
    """Limits of the requests to one API.

    Attributes:
        concurrency: Maximum requests in flight, over all tables.
        rate: Maximum requests per second; None for Authsignal's limit only.
        shared_budget: Path of a SQLite file, or URL of a Redis or PostgreSQL, in which processes that share a key
            share their rate; None if only this process uses the key.
        attempts: Tries per request, including the first; three times as many for 429.
        backoff: Seconds. The wait before retry n is random, at most `backoff * 2**n`.
        max_wait: Seconds. Longest single wait, and longest `Retry-After` that is followed instead of reported.
        timeout: Seconds for one complete response.
    """

    concurrency: int = defaults.CONCURRENCY
    rate: float | None = float(defaults.RATE)
    shared_budget: str | None = None
    attempts: int = defaults.ATTEMPTS
    backoff: float = defaults.BACKOFF
    max_wait: float = 120.0
    timeout: float = defaults.TIMEOUT

    def __post_init__(self) -> None:
        for name in ("concurrency", "attempts", "timeout"):
            if getattr(self, name) <= 0:
                raise ConfigurationError(f"{name} must be above 0, got {getattr(self, name)}.")
        if self.shared_budget and self.rate is None:
            raise ConfigurationError('shared_budget needs a rate: set rate to a number, not "max".')


def limits_of(settings: SourceSettings) -> RequestLimits:
    """Return the limits in the settings.

    Raises:
        ConfigurationError: A value is wrong.
    """
    return RequestLimits(
        concurrency=settings.concurrency,
        rate=ceiling(settings.rate),
        shared_budget=settings.shared_budget,
        attempts=settings.attempts,
        backoff=settings.backoff,
        timeout=settings.timeout,
    )


def ceiling(rate: Any) -> float | None:
    """Return the requests per second of a setting; None for `max`, which means no limit.

    Raises:
        ConfigurationError: The value is neither `max` nor a number above 0.
    """
    if str(rate).strip().lower() == "max":
        return None
    try:
        value = float(rate)
    except (TypeError, ValueError):
        value = 0.0
    if not (isfinite(value) and LEAST_RATE <= value <= MOST_RATE):
        raise ConfigurationError(
            f'rate must be a number of requests per second above 0 (at most {MOST_RATE:,}), or "max", not "{rate}".'
        )
    return value
