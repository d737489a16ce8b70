"""One rate limit for several processes that share a key; they keep it in a store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from typing import Final

from anyio import to_thread
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random

from dlt_authsignal.errors import ConfigurationError, RunFailed
from dlt_authsignal.source.http.rate.rate_stores import Store, store_at
from dlt_authsignal.source.http.rate.shared_rate import Allowance, Ask, Lease, SharedRate, lease

FORMAT: Final = 1
"""Part of the stored name: processes whose versions store other values do not share a rate."""

PATIENCE: Final = 30.0
"""Seconds for which a process waits for its store during a run."""


class SharedLimiter:
    """Limits the requests of this process by a rate that it shares with others. Made for one event loop."""

    def __init__(self, store: Store, rate: float) -> None:
        self._store, self._allowance = store, Allowance(rate=rate)
        self._news = asyncio.Event()

    def held(self, now: float) -> float:
        """Return the seconds for which all requests wait after a 429."""
        return self._allowance.held(now)

    def take(self, now: float) -> float:
        """Take one request: return 0 if allowed now, else the seconds to wait."""
        return self._allowance.take(now)

    def served(self, now: float, seconds: float) -> None:
        """Record a response and its duration in seconds."""
        self._allowance.served(now, seconds)

    def refused(self, now: float, sent_at: float, pause: float) -> None:
        """Record a 429 response, and end the wait for the next request: the other processes must learn of it."""
        self._allowance.refused(now, sent_at, pause)
        self._news.set()

    async def wait(self, seconds: float) -> None:
        """Wait this long, or until a response with status 429."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    async def renew(self) -> None:
        """Ask the store if that is due.

        Raises:
            RunFailed: The store could not be used for a while.
        """
        now = time.monotonic()
        if not self._allowance.is_due(now):
            return
        self._news.clear()
        granted = await self._asked(self._allowance.ask(now))
        if granted is None:
            raise RunFailed(
                f"The {self._store.kind} of shared_budget could not be used for {PATIENCE:g} seconds, so this process"
                " no longer knows how fast it may send requests. Nothing was loaded. Check the store, and run again."
            )
        self._allowance.grant(time.monotonic(), granted)

    async def open(self) -> None:
        """Use the store once.

        Raises:
            ConfigurationError: It cannot be used.
        """
        try:
            granted = await self._ask(self._allowance.ask(time.monotonic()))
        except self._store.errors as error:
            reason = f"{self._store.kind}: {type(error).__name__}"
        else:
            self._allowance.grant(time.monotonic(), granted)
            return
        raise unusable(reason)

    async def _asked(self, ask: Ask) -> Lease | None:
        """Ask the store, for some time if need be. No request is sent meanwhile. Return None if it cannot be used."""
        attempts = AsyncRetrying(
            stop=stop_after_delay(PATIENCE),
            wait=wait_random(0.1, 1.0),
            retry=retry_if_exception_type(self._store.errors),
            retry_error_callback=lambda _state: None,
        )
        granted: Lease | None = await attempts(self._ask, ask)
        return granted

    async def _ask(self, ask: Ask) -> Lease:
        return await to_thread.run_sync(self._leased, ask)

    def _leased(self, ask: Ask) -> Lease:
        leases: list[Lease] = []

        def change(stored: bytes | None, now: float) -> bytes:
            state = None
            with suppress(ValueError):  # if something else wrote the value, it starts again
                state = None if stored is None else SharedRate.from_bytes(stored)
            state, granted = lease(state, now, ask)
            leases.append(granted)
            return state.to_bytes()

        self._store.change(change)
        return leases[-1]


@asynccontextmanager
async def shared_budget(place: str | None, rate: float | None, key: str) -> AsyncIterator[SharedLimiter | None]:
    """Open the shared rate limit; None if `place` is not set.

    Args:
        place: Path of a SQLite file, or URL of a Redis or PostgreSQL.
        rate: Requests per second of all processes together.
        key: API key; only its digest is stored.

    Raises:
        ConfigurationError: The store cannot be used.
    """
    if place is None or rate is None:
        yield None
        return
    name = f"dlt_authsignal_{FORMAT}_{sha256(key.encode()).hexdigest()[:16]}"
    store = _store(place, name)
    try:
        limiter = SharedLimiter(store, rate)
        await limiter.open()
        yield limiter
    finally:
        store.close()


def _store(place: str, name: str) -> Store:
    try:
        return store_at(place, name)
    except ValueError:
        pass
    raise unusable("invalid URL")


def unusable(reason: str) -> ConfigurationError:
    """Return an error without the original message, which may contain the URL's password."""
    return ConfigurationError(
        f"shared_budget cannot be used ({reason}). Nothing was read. Set it to the path of a writable file, or to the"
        " URL of a running Redis or PostgreSQL, such as redis://host:6379/0 or postgresql://user@host/database."
    )
