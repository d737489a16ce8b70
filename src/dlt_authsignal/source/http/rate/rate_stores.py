"""Where processes keep what they have in common about their rate: a SQLite file, Redis or PostgreSQL.

Each store keeps one value of a few kilobytes per key, and does one thing: it changes the value in one step.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final, Protocol

from dlt_authsignal.errors import ExtraMissing

REDIS: Final = ("redis://", "rediss://", "unix://")
POSTGRES: Final = ("postgresql://", "postgres://")

SECONDS_PER_CALL: Final = 10
"""Maximum seconds for which one call waits for a network, or for the calls of other processes."""

KEPT_FOR: Final = 86_400
"""Seconds after which Redis removes a value that no process uses."""

Change = Callable[[bytes | None, float], bytes]
"""Returns the new value from the old one, which is None at first, and the time in seconds by the store's clock."""

_TABLE: Final = "create table if not exists dlt_authsignal_rates (name text primary key, state {type} not null)"


class Store(Protocol):
    """Keeps one value for several processes.

    Attributes:
        kind: What messages call it.
        errors: What its methods raise if it cannot be used.
    """

    kind: str
    errors: tuple[type[Exception], ...]

    def change(self, change: Change) -> None:
        """Change the value; no other process changes it meanwhile. `change` may be called more than once."""

    def close(self) -> None:
        """Close all connections."""


def store_at(place: str, name: str) -> Store:
    """Return the store at a place. Nothing is opened yet.

    Args:
        place: Path of a SQLite file, or URL of a Redis or PostgreSQL.
        name: Name of the value.

    Raises:
        ExtraMissing: The package for this store is not installed.
        ValueError: The URL is not valid, or of another kind.
    """
    if place.startswith(REDIS):
        return RedisStore(place, name)
    if place.startswith(POSTGRES):
        return PostgresStore(place, name)
    if "://" in place:
        raise ValueError("unknown kind of URL")
    return FileStore(place, name)


class FileStore:
    """A SQLite file, for the processes of one machine. Its clock is the machine's."""

    kind = "SQLite file"
    errors: tuple[type[Exception], ...] = (sqlite3.Error, OSError)

    def __init__(self, path: str, name: str) -> None:
        self._path, self._name = path, name

    def change(self, change: Change) -> None:
        with closing(sqlite3.connect(self._path, timeout=SECONDS_PER_CALL, isolation_level=None)) as connection:
            connection.execute("begin immediate")
            connection.execute(_TABLE.format(type="blob"))
            query = "select state from dlt_authsignal_rates where name = ?"
            row = connection.execute(query, [self._name]).fetchone()
            new = change(row[0] if row else None, time.time())
            connection.execute("insert or replace into dlt_authsignal_rates values (?, ?)", [self._name, new])
            connection.execute("commit")

    def close(self) -> None:
        """Do nothing: each change opens the file, so that it may be removed between two runs."""


class RedisStore:
    """A Redis."""

    kind = "Redis"

    def __init__(self, url: str, name: str) -> None:
        try:
            from redis import Redis
            from redis.backoff import NoBackoff
            from redis.exceptions import RedisError
            from redis.retry import Retry
        except ModuleNotFoundError as missing:
            raise ExtraMissing("A shared budget in Redis", "redis") from missing
        self.errors: tuple[type[Exception], ...] = (RedisError, OSError)
        self._name = name
        self._redis = Redis.from_url(
            url,
            socket_timeout=SECONDS_PER_CALL,
            socket_connect_timeout=SECONDS_PER_CALL,
            retry=Retry(NoBackoff(), 0),  # the caller tries again
        )

    def change(self, change: Change) -> None:
        def transaction(pipe: Any) -> None:
            seconds, microseconds = pipe.time()
            new = change(pipe.get(self._name), seconds + microseconds / 1e6)
            pipe.multi()
            pipe.set(self._name, new, ex=KEPT_FOR)

        self._redis.transaction(transaction, self._name)

    def close(self) -> None:
        self._redis.close()


class PostgresStore:
    """A table in PostgreSQL."""

    kind = "PostgreSQL"

    def __init__(self, url: str, name: str) -> None:
        try:
            import psycopg2
        except ModuleNotFoundError as missing:
            raise ExtraMissing("A shared budget in PostgreSQL", "postgres") from missing
        self.errors: tuple[type[Exception], ...] = (psycopg2.Error,)
        self._connect, self._url, self._name = psycopg2.connect, url, name
        self._connection: Any = None

    def change(self, change: Change) -> None:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect(
                self._url,
                connect_timeout=SECONDS_PER_CALL,
                keepalives_idle=SECONDS_PER_CALL,
                tcp_user_timeout=1000 * SECONDS_PER_CALL,
            )
            self._in_one_step(self._create)
        self._in_one_step(lambda cursor: self._changed(cursor, change))

    def _in_one_step(self, step: Callable[[Any], None]) -> None:
        with self._connection, self._connection.cursor() as cursor:
            # Not a lock of the row or the table: they may not exist yet, and two processes cannot create them at once.
            lock = "set local lock_timeout = %s; select pg_advisory_xact_lock(hashtext('dlt_authsignal_rates'))"
            cursor.execute(lock, [f"{SECONDS_PER_CALL}s"])
            step(cursor)

    def _create(self, cursor: Any) -> None:
        """Create the table, unless an administrator has done so for a user who may not."""
        cursor.execute("select to_regclass('dlt_authsignal_rates')")
        if cursor.fetchone()[0] is None:
            cursor.execute(_TABLE.format(type="bytea"))

    def _changed(self, cursor: Any, change: Change) -> None:
        query = """
            select extract(epoch from clock_timestamp())::float8,
                (select state from dlt_authsignal_rates where name = %s)
        """
        cursor.execute(query, [self._name])
        now, state = cursor.fetchone()
        new = change(None if state is None else bytes(state), now)
        query = """
            insert into dlt_authsignal_rates values (%s, %s)
            on conflict (name) do update set state = excluded.state
        """
        cursor.execute(query, [self._name, new])

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
