"""How hard the API may be pressed, and how patiently."""

from dataclasses import dataclass
from math import isfinite
from typing import Any

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.source.config.source_settings import SourceSettings


@dataclass(frozen=True, kw_only=True)
class RequestLimits:
    """How hard the API may be pressed, and how patiently.

    Attributes:
        concurrency: Requests in flight at once, over all tables together.
        rate: Most requests per second; None for no ceiling but what the API allows.
        shared_budget: Where processes that share a key count their requests together: path of a SQLite file, or URL of
            a Redis; None for a process by itself.
        attempts: Tries per request, the first included; three times as many when the answer is 429.
        backoff: Seconds; the wait before retry n is random, at most `backoff * 2**n`.
        max_wait: Seconds; longest single wait, and longest `Retry-After` that is honoured rather than reported.
        timeout: Seconds for one whole answer.
    """

    concurrency: int = SourceSettings.concurrency
    rate: float | None = float(SourceSettings.rate)
    shared_budget: str | None = None
    attempts: int = SourceSettings.attempts
    backoff: float = SourceSettings.backoff
    max_wait: float = 120.0
    timeout: float = SourceSettings.timeout

    def __post_init__(self) -> None:
        for name in ("concurrency", "attempts", "timeout"):
            if getattr(self, name) <= 0:
                raise ConfigurationError(f"{name} must be above 0, got {getattr(self, name)}.")
        if self.shared_budget and self.rate is None:
            raise ConfigurationError('A shared budget needs a rate to share: set rate to a number, not "max".')


def limits_of(settings: SourceSettings) -> RequestLimits:
    """The limits that the settings ask for.

    Raises:
        ConfigurationError: A value that cannot be used.
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
    """Requests per second of a setting: a number, or `max` for none.

    Raises:
        ConfigurationError: Neither, or not above 0.
    """
    if str(rate).strip().lower() == "max":
        return None
    try:
        value = float(rate)
    except (TypeError, ValueError):
        value = 0.0
    if not (isfinite(value) and value > 0):
        raise ConfigurationError(f'rate is a number of requests a second above 0, or "max"; got "{rate}".')
    return value
