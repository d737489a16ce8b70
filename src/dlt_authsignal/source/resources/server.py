"""Resources of the Server API: users, authenticators, actions and devices of all users."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import dlt
from anyio import move_on_after
from anyio.streams.memory import MemoryObjectSendStream
from dlt.extract import DltResource

from dlt_authsignal.api.server_endpoints import GET_TENANT_AUTHENTICATORS
from dlt_authsignal.destination.duckdb_file import keep_open
from dlt_authsignal.destination.running import running_pipeline
from dlt_authsignal.destination.stores.queries import alive_columns_of
from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.tables import server as tables
from dlt_authsignal.schema.tables.bookkeeping import TABLE_READS, USER_READS, complete
from dlt_authsignal.source.async_batches import batches
from dlt_authsignal.source.http.client import connect
from dlt_authsignal.source.incremental.dataset_check import check_dataset
from dlt_authsignal.source.incremental.delete_guard import Limit, Shown, check_whole
from dlt_authsignal.source.incremental.plan import Plan, due
from dlt_authsignal.source.incremental.state.last_read import PARTS
from dlt_authsignal.source.incremental.user_read import UserRead
from dlt_authsignal.source.incremental.user_rows import ANSWERS, remembered
from dlt_authsignal.source.privacy.guard import stored_values
from dlt_authsignal.source.resources.from_shards import loaded_slices
from dlt_authsignal.source.resources.identity import identity_resource
from dlt_authsignal.source.resources.reading import Server, found_users, informed
from dlt_authsignal.source.resources.table_resource import (
    Loading,
    Loadings,
    parent_resource,
    selected_tables,
    table_resource,
)
from dlt_authsignal.source.rows.flatten import Answers
from dlt_authsignal.source.tenant.check import check_returned
from dlt_authsignal.source.workers.messages import Shaped

DUE: Final = "due"
LONGEST_LOOK: Final = 60.0
"""Maximum seconds for reading the user list to count due users."""


def server_resources(server: Server, plan: Plan) -> list[DltResource]:
    """Return the resources of the Server API. One read of each user fills all selected per-user tables."""

    new_loading = partial(
        Loading, api="server", tenant_id=server.tenant_id, privacy=server.privacy, drift=server.meter.drift
    )
    begin = Loadings(new_loading)

    def sweep() -> Iterator[list[Any]]:
        begin.restart()
        with keep_open(running_pipeline()):
            check_dataset(running_pipeline(), server.evidence, server.privacy)
            known = informed(plan)
        yield []  # creates every table, even for a tenant without users
        now = replace(known, tables=selected_tables())
        if server.shards is not None:
            yield from ([part] for part in loaded_slices(server, server.shards, now, begin))
            return
        shown = Shown(partial(stored_values, server.privacy))
        for found in found_users(server, now, begin):
            if isinstance(found, Shaped):
                shown.add(found.guard)
                yield [found]
            else:
                shown.see(found)
                yield found
        shown.check(plan.limit, partial(alive_columns_of, running_pipeline()))

    reads = parent_resource("sweep", sweep)
    return [
        *_tenant_authenticators(server, plan.limit, new_loading),
        identity_resource(server.evidence),
        *(table_resource(table, reads, begin, partial(_answered, pick)) for table, pick in ANSWERS.items()),
        table_resource(USER_READS, reads, begin, partial(_remembered, server)),
        reads,
        dlt.resource(_due, name=DUE, selected=False)(server, plan),
    ]


def _due(server: Server, plan: Plan) -> Iterator[dict[str, int]]:
    """Count the due users by reading only the user list."""
    wanted = replace(informed(plan), tables=frozenset(PARTS))

    async def count(out: MemoryObjectSendStream[dict[str, int]]) -> None:
        async with connect(server.base, server.auth, server.throttle, server.meter) as api:
            with move_on_after(LONGEST_LOOK):
                async for _ in due(api, wanted, server.meter):
                    pass
        await out.send({name: getattr(server.meter, name) for name in ("users_found", "users_due", "requests_due")})

    for found in batches(count, size=1):
        yield from found


def _tenant_authenticators(server: Server, allowed: Limit, begin: Callable[[Table], Loading]) -> list[DltResource]:
    async def read(out: MemoryObjectSendStream[Answers]) -> None:
        read_at = datetime.now(UTC)
        async with connect(server.base, server.auth, server.throttle, server.meter) as api:
            items = await api.get(GET_TENANT_AUTHENTICATORS, list)
        await out.send(Answers(items=items, requests=[0] * len(items), read_at=[read_at]))

    def configured() -> Iterator[list[Answers]]:
        yield []
        if tables.TENANT_AUTHENTICATORS.name not in selected_tables():
            return  # a read that does not load its rows would mark them as deleted
        for answers in batches(read, size=1):
            check_returned(running_pipeline(), _tenants(answers[0].items))
            held = partial(alive_columns_of, running_pipeline())
            check_whole(tables.TENANT_AUTHENTICATORS, answers[0].items, allowed, held)
            yield answers

    def when(loading: Loading, answers: list[Answers]) -> Iterator[Any]:
        (read_at,) = answers[0].read_at
        name = tables.TENANT_AUTHENTICATORS.name
        return loading.rows([complete(name, read_at, api="server", tenant_id=server.tenant_id)])

    reads = parent_resource("configured_authenticators", configured)
    return [
        table_resource(
            tables.TENANT_AUTHENTICATORS, reads, begin, lambda loading, answers: loading.answers(answers[0])
        ),
        table_resource(TABLE_READS, reads, begin, when),
        reads,
    ]


def _tenants(items: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the tenant ids in a response. Authsignal does not document the field here, so it may be missing."""
    return {item["tenantId"] for item in items if isinstance(item.get("tenantId"), str) and item["tenantId"]}


def _answered(pick: Callable[[list[UserRead]], Answers], loading: Loading, reads: list[Any]) -> Iterator[Any]:
    return _shaped(loading, reads[0]) if isinstance(reads[0], Shaped) else loading.answers(pick(reads))


def _shaped(loading: Loading, found: Shaped) -> Iterator[Any]:
    rows = found.table(loading.name)
    return iter(()) if rows is None else loading.shaped(rows)


def _remembered(server: Server, loading: Loading, reads: list[Any]) -> Iterator[Any]:
    if isinstance(reads[0], Shaped):
        return _shaped(loading, reads[0])
    return loading.rows(remembered(reads, server.privacy, server.tenant_id))
