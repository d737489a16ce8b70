"""The same rows without dlt and without care: fetch, parse, Arrow, DuckDB. What a sync takes when nothing can fail.

No retries, no schema changes, no second run, no secrets taken out: python floor.py BASE_URL SECRET DATABASE IN_FLIGHT
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import aiohttp
import duckdb
import msgspec
import orjson
import pyarrow as pa

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.schema.tables.server import TABLES

USERS_PER_BATCH: Final = 2_000
ROUTES: Final = {"users": "", "user_authenticators": "/authenticators", "user_actions": "/actions"}
ARROW: Final = {"text": pa.string(), "bool": pa.bool_(), "json": pa.string(), "timestamp": pa.string()}

Rows = dict[str, list[dict[str, Any]]]


class Page(msgspec.Struct, rename="camel"):
    users: list[dict[str, Any]]
    last_evaluated_user_id: str | None = None


class Database:
    """A DuckDB file that batches of rows are appended to."""

    def __init__(self, file: str) -> None:
        self._connection = duckdb.connect(file)
        self._columns = {
            name: [(column.name, column.field or column.name, column.type) for column in TABLES[name].columns]
            for name in ROUTES
        }
        for name, columns in self._columns.items():
            types = ", ".join(f"{column} {_sql(type_)}" for column, _, type_ in columns)
            self._connection.execute(f"CREATE TABLE {name} ({types})")

    def append(self, rows: Rows) -> None:
        for name, found in rows.items():
            batch = self._arrow(name, found)  # noqa: F841 - DuckDB finds it by its name
            self._connection.execute(f"INSERT INTO {name} SELECT * FROM batch")  # noqa: S608 - our own names
            found.clear()

    def _arrow(self, name: str, rows: list[dict[str, Any]]) -> pa.Table:
        columns = self._columns[name]
        return pa.table(
            {column: pa.array(_values(rows, field, type_), ARROW[type_]) for column, field, type_ in columns}
        )

    def close(self) -> None:
        self._connection.close()


def _sql(type_: str) -> str:
    return {"text": "VARCHAR", "bool": "BOOLEAN", "json": "JSON", "timestamp": "TIMESTAMPTZ"}[type_]


def _values(rows: list[dict[str, Any]], field: str, type_: str) -> list[Any]:
    first, *inner = field.split(".")
    values = [row.get(first) for row in rows]
    for name in inner:
        values = [(value or {}).get(name) for value in values]
    return [None if value is None else orjson.dumps(value).decode() for value in values] if type_ == "json" else values


async def listing(session: aiohttp.ClientSession, base: str) -> AsyncIterator[dict[str, Any]]:
    query = {"limit": "100"}
    decoder = msgspec.json.Decoder(Page)
    while True:
        async with session.get(f"{base}/users", params=query) as answer:
            page = decoder.decode(await answer.read())
        for user in page.users:
            yield user
        if page.last_evaluated_user_id is None:
            return
        query["lastEvaluatedUserId"] = page.last_evaluated_user_id


async def read(session: aiohttp.ClientSession, base: str, user: Mapping[str, Any], rows: Rows) -> None:
    for name, path in ROUTES.items():
        async with session.get(f"{base}/users/{user['userId']}{path}") as answer:
            found = orjson.loads(await answer.read())
        if name == "users":
            rows[name].append({**user, **found})
        else:
            rows[name] += [{"userId": user["userId"], **row} for row in found]


async def load(base: str, secret: str, file: str, in_flight: int) -> None:
    database = Database(file)
    rows: Rows = {name: [] for name in ROUTES}
    queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(2 * in_flight)

    async def work() -> None:
        while user := await queue.get():
            await read(session, base, user, rows)
            if len(rows["users"]) >= USERS_PER_BATCH:
                database.append(rows)

    connector = aiohttp.TCPConnector(limit=in_flight)
    headers = {"Authorization": basic_auth(secret)}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session, asyncio.TaskGroup() as workers:
        for _ in range(in_flight):
            workers.create_task(work())
        async for user in listing(session, base):
            await queue.put(user)
        for _ in range(in_flight):
            await queue.put(None)
    database.append(rows)
    database.close()


if __name__ == "__main__":
    asyncio.run(load(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
