"""The rate limiter: one per key and run, shared by all resources."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final, Protocol

from pyrate_limiter import GCRA, InMemoryStateStore, Rate

from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.http.rate.adaptive_rate import AdaptiveRate
from dlt_authsignal.source.http.rate.shared_rate_limit import SharedLimiter
from dlt_authsignal.source.metrics.run_metrics import RunMetrics

PRECISION: Final = 1_000_000
"""Period in milliseconds for which rates are expressed, so that whole numbers of requests are exact."""

REQUESTS_A_SECOND_PER_SPARE: Final = 100
"""Allowed burst in seconds, which compensates for late timers at high rates."""


class Governor(Protocol):
    """Decides how many requests a second are allowed."""

    @property
    def rate(self) -> float | None:
        """Return the allowed requests per second; None for no limit."""

    def served(self, now: float, seconds: float) -> None:
        """Record a response and its duration in seconds."""

    def refused(self, now: float, sent_at: float, pause: float) -> float:
        """Record a 429 response; return the seconds for which no request may be sent."""


@dataclass(kw_only=True)
class RateLimiter:
    """Limits the requests of one key in one run, across threads and event loops.

    Attributes:
        pace: Request limits.
        share: Part of the rate that this process may use; the workers of a sync use the rest.
    """

    pace: RequestLimits
    share: float = 1.0
    _governor: Governor = field(init=False)
    _bucket: InMemoryStateStore = field(default_factory=InMemoryStateStore)
    _rates: tuple[float, list[Rate]] = (0.0, [])
    _held_until: float = 0.0

    def __post_init__(self) -> None:
        self._governor = AdaptiveRate(ceiling=self.pace.rate, began=time.monotonic())

    @property
    def rate(self) -> float | None:
        """Return the requests per second allowed for this process; None for no limit."""
        rate = self.whole_rate
        return None if rate is None else rate * self.share

    @property
    def whole_rate(self) -> float | None:
        """Return the requests per second allowed for all processes of the run; None for no limit."""
        return self._governor.rate

    @property
    def held_until(self) -> float:
        """Return the time until which no request may be sent."""
        return self._held_until

    def follow(self, governor: Governor) -> None:
        """Let another object decide about the rate."""
        self._governor = governor

    def hold(self, until: float) -> None:
        """Send no request until this time."""
        self._held_until = max(self._held_until, until)

    def take(self, now: float) -> float:
        """Take one request: return 0 if allowed now, else the seconds to wait."""
        rate = self.rate
        if rate is None:
            return 0.0
        decision = self._bucket.check(_ALGORITHM, self._limits(rate), int(now * 1000), 1)
        return 0.0 if decision.allowed else max(1, decision.retry_after_ms or 0) / 1000

    def held(self, now: float) -> float:
        """Return the seconds for which all requests wait after a 429, because the limit applies to the tenant."""
        return max(0.0, self._held_until - now)

    def served(self, now: float, seconds: float) -> None:
        """Record a response and its duration in seconds."""
        self._governor.served(now, seconds)

    def refused(self, now: float, sent_at: float, pause: float) -> None:
        """Record a 429 response. If a limit caused it, no request is sent for `pause` seconds."""
        self.hold(now + self._governor.refused(now, sent_at, pause))

    def _limits(self, rate: float) -> list[Rate]:
        if self._rates[0] != rate:
            burst = 1 + int(rate / REQUESTS_A_SECOND_PER_SPARE)
            self._rates = rate, [Rate(max(1, round(rate * PRECISION / 1000)), PRECISION, burst=burst)]
        return self._rates[1]


_ALGORITHM: Final = GCRA()


class Gate:
    """Limits the requests in flight of one event loop, and sends each in turn.

    A shared limiter replaces the one of the run.
    """

    def __init__(self, throttle: RateLimiter, meter: RunMetrics, shared: SharedLimiter | None = None) -> None:
        self._throttle, self._meter, self._shared = throttle, meter, shared
        self._limiter = shared or throttle
        self._slots = asyncio.Semaphore(1)
        self._closed_slots = throttle.pace.concurrency - 1
        self._queue = asyncio.Lock()

    async def __aenter__(self) -> None:
        await self._slots.acquire()
        try:
            await self._turn()
        except BaseException:
            self._slots.release()
            raise

    async def __aexit__(self, *_error: object) -> None:
        self._slots.release()

    def served(self, now: float, seconds: float) -> None:
        """Record a response. Each allows one more request in flight, up to the configured concurrency."""
        if self._closed_slots:
            self._closed_slots -= 1
            self._slots.release()
        self._limiter.served(now, seconds)

    def refused(self, now: float, sent_at: float, pause: float) -> None:
        """Record a 429 response. If a limit caused it, no request is sent for `pause` seconds."""
        self._limiter.refused(now, sent_at, pause)

    async def _turn(self) -> None:
        if not self._shared and self._throttle.rate is None and not self._throttle.held(time.monotonic()):
            return
        async with self._queue:
            while await self._has_waited():
                pass

    async def _has_waited(self) -> bool:
        if self._shared:
            await self._shared.renew()
        now = time.monotonic()
        held = self._limiter.held(now)
        wait = held or self._limiter.take(now)
        if not wait:
            return False
        self._meter.waiting += bool(held)
        try:
            await (self._shared.wait(wait) if self._shared else asyncio.sleep(wait))
        finally:
            self._meter.waiting -= bool(held)
        return True
