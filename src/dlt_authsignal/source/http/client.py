"""A read-only HTTP client: only GET, with a shared rate limit and retries."""

import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from itertools import chain, repeat
from typing import Any, Final

import msgspec
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential
from yarl import URL

from dlt_authsignal.api.endpoints import Endpoint
from dlt_authsignal.api.responses import Json, error_code, retry_after
from dlt_authsignal.errors import (
    HttpError,
    RateLimited,
)
from dlt_authsignal.source.http.advice import decode, withdrawn
from dlt_authsignal.source.http.rate.rate_limiter import Gate, RateLimiter
from dlt_authsignal.source.http.rate.shared_rate_limit import SharedLimiter, shared_budget
from dlt_authsignal.source.http.transport import Transport, open_transport
from dlt_authsignal.source.metrics.run_metrics import RunMetrics

NEVER_SERVED: Final = frozenset({501, 505})
"""Statuses of a server that does not support the method or the version of HTTP: the next attempt would get them too."""

LONGEST_BACKOFF: Final = 30.0
LONGEST_SHARED_PAUSE: Final = 1.0


class Api:
    """Reads the API of one tenant. Create it with `connect`."""

    def __init__(
        self,
        transport: Transport,
        base: URL,
        auth: Mapping[str, str],
        throttle: RateLimiter,
        meter: RunMetrics,
        shared: SharedLimiter | None = None,
    ):
        self._transport = transport
        self._prefix = str(base)
        self._headers = {scheme: {"Authorization": value} for scheme, value in auth.items()}
        self._pace = pace = throttle.pace
        self._meter = meter
        self._gate = Gate(throttle, meter, shared)
        self._accepted: set[str] = set()
        self._wait = wait_random_exponential(multiplier=pace.backoff, max=min(LONGEST_BACKOFF, pace.max_wait))

    async def get(
        self, endpoint: Endpoint, expect: type[Json], query: Mapping[str, str] | None = None, **values: str
    ) -> Any:
        """Return the JSON of one route; retry while that can help.

        Args:
            endpoint: A route whose method is GET.
            expect: Documented JSON type, `dict` or `list`.
            query: Query parameters.
            **values: Path placeholders, unencoded.

        Raises:
            HttpError: The last failure, if no retries are left or a retry cannot help.
        """
        url = URL(f"{self._prefix}{endpoint.fill(**values)}", encoded=True)
        if query:
            url = url.update_query(query)
        try:
            return await self._once(endpoint, url, expect)
        except HttpError as error:
            if not self._may_retry(error):
                raise
            first = error
        return await self._again(endpoint, url, expect, first)

    async def _again(self, endpoint: Endpoint, url: URL, expect: type[Json], first: HttpError) -> Any:
        """Retry after a first failure. Successful first attempts skip this code for speed."""
        failures: Counter[str] = Counter()
        tries = chain([first], repeat(None))

        async def attempt() -> Any:
            if failed := next(tries):
                raise failed
            return await self._once(endpoint, url, expect)

        attempts = AsyncRetrying(
            stop=partial(self._is_spent, failures),
            wait=self._patience,
            retry=retry_if_exception(self._may_retry),
            before_sleep=self._before_retry,
            reraise=True,
        )
        return await attempts(attempt)

    async def _once(self, endpoint: Endpoint, url: URL, expect: type[Json]) -> Any:
        try:
            return await self._asked(endpoint, url, expect)
        except HttpError as error:
            self._meter.errors[error.kind] += 1
            raise

    async def _asked(self, endpoint: Endpoint, url: URL, expect: type[Json]) -> Any:
        async with self._gate:
            self._meter.requests += 1
            sent_at = time.monotonic()
            status, headers, body = await self._transport.get(endpoint, url, self._headers[endpoint.auth])
            self._note(status, headers, sent_at)
        if status == 401 and endpoint.auth in self._accepted and error_code(body) != "expired_token":
            raise withdrawn(endpoint)
        value = decode(endpoint, status, headers, body, expect, loads, self._meter.drift.escape)
        self._accepted.add(endpoint.auth)
        return value

    def _note(self, status: int, headers: Mapping[str, str], sent_at: float) -> None:
        now = time.monotonic()
        if status == 429:
            self._meter.throttled += 1
            pause = retry_after(headers) or min(LONGEST_SHARED_PAUSE, self._pace.backoff)
            if pause <= self._pace.max_wait:
                self._gate.refused(now, sent_at, pause)
        elif status < 500:
            self._gate.served(now, now - sent_at)

    def _patience(self, state: RetryCallState) -> float:
        asked = getattr(state.outcome and state.outcome.exception(), "retry_after", None)
        return asked if asked is not None and asked >= 1 else max(asked or 0.0, self._wait(state))

    def _is_spent(self, failures: Counter[str], state: RetryCallState) -> bool:
        """Return whether the retries are used up. A 429 is not a fault: it is counted separately, with more retries."""
        throttled = isinstance(state.outcome and state.outcome.exception(), RateLimited)
        failures["throttled" if throttled else "failed"] += 1
        return failures["failed"] >= self._pace.attempts or failures["throttled"] >= 3 * self._pace.attempts

    def _may_retry(self, error: BaseException) -> bool:
        if not (isinstance(error, HttpError) and error.retryable) or error.status in NEVER_SERVED:
            return False
        return (error.retry_after or 0.0) <= self._pace.max_wait

    def _before_retry(self, _state: RetryCallState) -> None:
        self._meter.retries += 1


@asynccontextmanager
async def connect(base: URL, auth: Mapping[str, str], throttle: RateLimiter, meter: RunMetrics) -> AsyncIterator[Api]:
    """Open an `Api` for the duration of the block.

    Args:
        base: Base URL, from `base_url`.
        auth: `Authorization` value per authentication scheme of `api.endpoints`.
        throttle: Rate limiter of the key.
        meter: Counts requests and retries.
    """
    pace = throttle.pace
    async with (
        shared_budget(pace.shared_budget, pace.rate, "".join(auth.values())) as shared,
        open_transport(pace, base) as transport,
    ):
        yield Api(transport, base, auth, throttle, meter, shared)


def loads(body: bytes) -> Any:
    """Parse JSON, with the same result as `json.loads`.

    Raises:
        ValueError: The bytes are not JSON.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(body)
