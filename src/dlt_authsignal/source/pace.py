"""How hard the API may be pressed, and how patiently."""

from dataclasses import dataclass

from dlt_authsignal.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How hard the API may be pressed, and how patiently.

    Attributes:
        concurrency: Requests in flight at once, over all tables together.
        max_requests_per_second: Ceiling on the request rate; None for no ceiling but concurrency.
        attempts: Tries per request, the first included; three times as many when the answer is 429.
        backoff: Seconds; the wait before retry n is random, at most `backoff * 2**n`.
        max_wait: Seconds; longest single wait, and longest `Retry-After` that is honoured rather than reported.
        timeout: Seconds for one whole answer.
    """

    concurrency: int = 8
    max_requests_per_second: float | None = None
    attempts: int = 6
    backoff: float = 0.5
    max_wait: float = 120.0
    timeout: float = 60.0

    def __post_init__(self) -> None:
        for name in ("concurrency", "attempts", "timeout"):
            if getattr(self, name) <= 0:
                raise ConfigurationError(f"{name} must be above 0, got {getattr(self, name)}.")
        if self.max_requests_per_second is not None and self.max_requests_per_second <= 0:
            raise ConfigurationError(f"max_requests_per_second must be above 0, got {self.max_requests_per_second}.")
