"""The server lane: everybody's users, authenticators, actions and devices, through the Server API."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import dlt
from anyio.streams.memory import MemoryObjectSendStream
from dlt.extract import DltResource
from yarl import URL

from dlt_authsignal.api import tables
from dlt_authsignal.api.endpoints import GET_TENANT_AUTHENTICATORS, basic_auth
from dlt_authsignal.source.http import connect
from dlt_authsignal.source.meter import Meter
from dlt_authsignal.source.pace import Pace
from dlt_authsignal.source.reading import Plan, UserRead, read_users
from dlt_authsignal.source.reads import USER_READS, row_of
from dlt_authsignal.source.resources import hints, no_rows, selected_tables, transformer
from dlt_authsignal.source.rows import Row, shaper
from dlt_authsignal.source.stream import batches

USERS_PER_BATCH: Final = 500


@dataclass(frozen=True, kw_only=True)
class Server:
    """How to reach the Server API.

    Attributes:
        base: Base URL.
        api_secret_key: The tenant's server secret.
        tenant_id: Written into each row; the Server API does not name the tenant.
        pace: Budget and patience.
        meter: Counters.
    """

    base: URL
    api_secret_key: str
    tenant_id: str | None
    pace: Pace
    meter: Meter

    @property
    def auth(self) -> dict[str, str]:
        return {"server": basic_auth(self.api_secret_key)}


def server_resources(server: Server, plan: Plan) -> list[DltResource]:
    """Resources of the lane. All per-user tables are fed by one sweep, which reads only what is selected."""

    def sweep() -> Iterator[list[UserRead]]:
        yield []  # an empty batch makes every table, even for a tenant without users
        yield from batches(partial(_sweep, server, replace(plan, tables=selected_tables())), size=USERS_PER_BATCH)

    reads: DltResource = dlt.resource(sweep, name="sweep", selected=False)
    shape = partial(shaper, lane="server", tenant_id=server.tenant_id)
    return [
        _tenant_authenticators(server),
        transformer(tables.USERS, reads, partial(_users, shape(tables.USERS))),
        *(
            transformer(table, reads, partial(_children, table.name, shape(table)))
            for table in (tables.USER_AUTHENTICATORS, tables.USER_ACTIONS, tables.USER_DEVICES)
        ),
        transformer(tables.ACTION_DETAILS, reads, partial(_details, shape(tables.ACTION_DETAILS))),
        transformer(tables.UNKNOWN_USER_IDS, reads, partial(_unknown, shape(tables.UNKNOWN_USER_IDS))),
        transformer(USER_READS, reads, partial(_reads, server.tenant_id)),
        reads,
    ]


async def _sweep(server: Server, plan: Plan, out: MemoryObjectSendStream[UserRead]) -> None:
    async with connect(server.base, server.auth, server.pace, server.meter) as api:
        await read_users(api, plan, server.pace.concurrency, server.meter, out)


def _tenant_authenticators(server: Server) -> DltResource:
    shape = shaper(tables.TENANT_AUTHENTICATORS, lane="server", tenant_id=server.tenant_id)

    async def read(out: MemoryObjectSendStream[Row]) -> None:
        read_at = datetime.now(UTC)
        async with connect(server.base, server.auth, server.pace, server.meter) as api:
            for answer in await api.get(GET_TENANT_AUTHENTICATORS, list):
                await out.send(shape(answer, {"_read_at": read_at}))

    def tenant_authenticators() -> Iterator[Any]:
        yield no_rows()
        yield from batches(read, size=USERS_PER_BATCH)

    resource: DltResource = dlt.resource(tenant_authenticators, **hints(tables.TENANT_AUTHENTICATORS))
    return resource


def _keys(read: UserRead) -> Row:
    return {"user_id": read.candidate.user_id, "_read_at": read.read_at}


def _users(shape: Any, reads: list[UserRead]) -> list[Row]:
    return [shape(read.user, _keys(read)) for read in reads if read.user is not None]


def _children(table: str, shape: Any, reads: list[UserRead]) -> list[Row]:
    return [
        row for read in reads for row in _latest(table, [shape(a, _keys(read)) for a in read.children.get(table, ())])
    ]


def _latest(table: str, rows: list[Row]) -> list[Row]:
    """Of rows with one key in one answer, the one updated last; of equals, the last."""
    kept: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = tuple(row[name] for name in tables.TABLES[table].key)
        if key not in kept or _updated(row) >= _updated(kept[key]):
            kept[key] = row
    return list(kept.values())


def _updated(row: Row) -> str:
    return str(row.get("updated_at") or "")


def _details(shape: Any, reads: list[UserRead]) -> list[Row]:
    return [
        shape(
            detail,
            {
                "action_code": action["actionCode"],
                "idempotency_key": action["idempotencyKey"],
                **_keys(read),
            },
        )
        for read in reads
        for action, detail in read.details
    ]


def _unknown(shape: Any, reads: list[UserRead]) -> list[Row]:
    return [
        shape({}, {"roster": read.candidate.roster, "position": read.candidate.position, **_keys(read)})
        for read in reads
        if not read.is_known
    ]


def _reads(tenant_id: str | None, reads: list[UserRead]) -> list[Row]:
    return [
        {
            **row_of(read.candidate.user_id, read.last),
            "tenant_id": tenant_id,
            "_lane": "server",
            "_read_at": read.read_at,
        }
        for read in reads
    ]
