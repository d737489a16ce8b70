"""One rate limit for several processes that share a key: in a SQLite file on one machine, or in Redis."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from math import ceil
from typing import Any, Final

from dlt_authsignal.errors import ConfigurationError, ExtraMissing

REDIS: Final = ("redis://", "rediss://", "unix://")

Turn = Callable[[], Awaitable[Any]]
"""Waits until one more request may be sent."""


@asynccontextmanager
async def shared_budget(place: str | None, rate: float | None, key: str) -> AsyncIterator[Turn | None]:
    """Open the shared rate limit; None if `place` is not set.

    Args:
        place: Path of a SQLite file, or URL of a Redis.
        rate: Requests per second of all processes together.
        key: API key; only its digest is stored.

    Raises:
        ConfigurationError: The file or the Redis cannot be used.
    """
    if place is None or rate is None:
        yield None
        return
    name = f"dlt_authsignal_{sha256(key.encode()).hexdigest()[:16]}"
    open_ = _in_redis if place.startswith(REDIS) else _in_a_file
    async with open_(place, rate, name) as turn:
        yield turn


@asynccontextmanager
async def _in_a_file(path: str, rate: float, name: str) -> AsyncIterator[Turn]:
    from pyrate_limiter import Limiter, Rate, SQLiteBucket

    limit = max(1, int(rate))
    rates = [Rate(limit, ceil(1000 * limit / rate))]
    try:
        bucket = SQLiteBucket.init_from_file(rates, table=name, db_path=path, use_file_lock=True)
    except (sqlite3.Error, OSError) as error:
        raise _unusable(error) from None
    with Limiter(bucket) as limiter:
        yield limiter.try_acquire_async


@asynccontextmanager
async def _in_redis(url: str, rate: float, name: str) -> AsyncIterator[Turn]:
    try:
        from redis.asyncio import Redis
        from redis.exceptions import RedisError
    except ModuleNotFoundError as missing:
        raise ExtraMissing("A shared budget in Redis", "redis") from missing
    from pyrate_limiter import GCRA, Limiter, Rate, RedisStateStore, StateBucket

    try:
        client = Redis.from_url(url)
        await client.ping()
    except (RedisError, OSError, ValueError) as error:
        failure = _unusable(error)
    else:
        rates = [Rate(max(1, round(rate * 1000)), 1_000_000, burst=ceil(rate))]
        bucket = StateBucket(rates, GCRA(), RedisStateStore(client, name))
        try:
            with Limiter(bucket) as limiter:
                yield limiter.try_acquire_async
        finally:
            await client.aclose()
        return
    raise failure


def _unusable(error: BaseException) -> ConfigurationError:
    """Return an error without the original message, which may contain the URL's password."""
    return ConfigurationError(
        f"shared_budget cannot be used ({type(error).__name__}). Nothing was read. Set it to the path of a"
        " writable file,"
        " or to the URL of a running Redis, such as redis://host:6379/0."
    )
