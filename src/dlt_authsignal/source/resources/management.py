"""Resources of the Management API: the tenant's configuration."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from anyio.streams.memory import MemoryObjectSendStream
from dlt.extract import DltResource
from yarl import URL

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.destination.duckdb_file import keep_open
from dlt_authsignal.destination.running import running_pipeline
from dlt_authsignal.destination.stores.queries import alive_columns_of
from dlt_authsignal.destination.tombstones import active_tombstones
from dlt_authsignal.errors import ConfigurationError, HttpError
from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.tables import configuration as tables
from dlt_authsignal.schema.tables.bookkeeping import CONFIGURATION_READS, WHOLE_TABLE
from dlt_authsignal.source.async_batches import batches
from dlt_authsignal.source.http.client import connect
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter
from dlt_authsignal.source.incremental.dataset_check import check_dataset
from dlt_authsignal.source.incremental.delete_guard import Limit, check_whole
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.resources.configuration import Configuration, read_configuration
from dlt_authsignal.source.resources.table_resource import Loading, parent_resource, selected_tables, table_resource
from dlt_authsignal.source.rows import configuration_rows as rows
from dlt_authsignal.source.rows.flatten import Answers
from dlt_authsignal.source.tenant.check import Evidence

Items = Mapping[str, list[Mapping[str, Any]]]
"""Items by table."""

_PARTS: Final = {
    tables.RULE_CONDITIONS.name: tables.RULES.name,
    tables.VALUE_LIST_ITEMS.name: tables.VALUE_LISTS.name,
}
"""Tables that are read as a part of another table."""

_ITEM: Final = f"{tables.VALUE_LIST_ITEMS.name}.item"


@dataclass(frozen=True, kw_only=True)
class Management:
    """Connection to the Management API.

    Attributes:
        base: Base URL.
        management_secret_key: The tenant's Management API secret key.
        tenant_id: The tenant that the settings name; None if they name none.
        privacy: Privacy settings.
        throttle: Rate limiter of the key.
        meter: Counters of the run.
        limit: How many rows one run may mark as deleted.
    """

    base: URL
    management_secret_key: str
    tenant_id: str | None
    privacy: Privacy
    throttle: RateLimiter
    meter: RunMetrics
    limit: Limit


@dataclass(frozen=True, kw_only=True)
class _Read:
    """The configuration of one read, as items of the tables that were read."""

    configuration: Configuration
    items: Items
    tenant_id: str | None

    @property
    def complete(self) -> list[str]:
        """Return the tables that were read completely."""
        return [name for name in self.items if name not in self.configuration.incomplete]


def management_resources(management: Management) -> list[DltResource]:
    """Return the resources of the Management API. One read of the configuration fills all tables."""

    def configuration() -> Iterator[list[_Read]]:
        yield []  # creates every table
        for found in batches(partial(_read, management), size=1):
            yield [_checked(management, each) for each in found]

    reads = parent_resource("configuration", configuration)
    begin = partial(_loading, management)
    return [
        *(table_resource(table, reads, begin, partial(_answers, table)) for table in tables.CONFIGURATION),
        table_resource(CONFIGURATION_READS, reads, begin, _remembered),
        reads,
    ]


def _loading(management: Management, table: Table) -> Loading:
    privacy = management.privacy
    if table is tables.VALUE_LIST_ITEMS:  # its items are protected already: list by list, not by the column
        privacy = replace(privacy, columns={**privacy.columns, _ITEM: "keep"})
    return Loading(
        table, api="management", tenant_id=management.tenant_id, privacy=privacy, drift=management.meter.drift
    )


async def _read(management: Management, out: MemoryObjectSendStream[Configuration]) -> None:
    auth = {"management": basic_auth(management.management_secret_key)}
    async with connect(management.base, auth, management.throttle, management.meter) as api:
        await out.send(await read_configuration(api))


def _checked(management: Management, found: Configuration) -> _Read:
    """Return the items of all tables, after the checks that may stop the run before anything is loaded."""
    pipeline = running_pipeline()
    if management.tenant_id and found.tenant_id and found.tenant_id != management.tenant_id:
        raise ConfigurationError(
            f"management_secret_key is of tenant {found.tenant_id}, but tenant_id is {management.tenant_id}. Nothing"
            " was loaded. Correct one of them under [sources.authsignal_source]."
        )
    tenant_id = found.tenant_id or management.tenant_id
    with keep_open(pipeline):
        items = _items(management, found, tenant_id)
        evidence = Evidence(base=management.base, named=management.tenant_id, returned=found.tenant_id)
        check_dataset(pipeline, evidence, management.privacy)
        for name in (each for each in items if each not in (tables.RULE_CONDITIONS.name, *found.incomplete)):
            check_whole(_BY_NAME[name], items[name], management.limit, partial(alive_columns_of, pipeline))
    for name, error in found.refused.items():
        management.meter.refused[name] = _refusal(error)
    return _Read(configuration=found, items=items, tenant_id=tenant_id)


def _refusal(error: HttpError) -> str:
    """Return why one table is missing. The error's own message is about a run of which nothing is loaded."""
    code = f" ({error.error_code})" if error.error_code else ""
    return (
        f"Authsignal answered {error.status}{code} to {error.request}. Check what management_secret_key is allowed"
        " to read (portal: Settings, API keys)."
    )


_BY_NAME: Final = {table.name: table for table in tables.CONFIGURATION}


def _items(management: Management, read: Configuration, tenant_id: str | None) -> Items:
    found, privacy = read.found, management.privacy
    makers: Mapping[Table, Callable[[list[dict[str, Any]]], list[Any]]] = {
        tables.TENANT: list,
        tables.ACTION_CONFIGURATIONS: rows.action_items,
        tables.RULES: partial(rows.rule_items, privacy=privacy),
        tables.AUTHENTICATOR_CONFIGURATIONS: partial(rows.method_items, drift=management.meter.drift),
        tables.CUSTOM_DATA_POINTS: list,
        tables.VALUE_LISTS: rows.list_items,
        tables.THEME: lambda objects: [{"theme": each} for each in objects],
    }
    items = {table.name: make(found[table.name]) for table, make in makers.items() if table.name in found}
    if tables.RULES.name in items:
        items[tables.RULE_CONDITIONS.name] = rows.condition_items(items[tables.RULES.name])
    if tables.VALUE_LISTS.name in items and (not privacy.leaves_out or privacy.allow):
        items[tables.VALUE_LIST_ITEMS.name] = rows.value_items(
            found[tables.VALUE_LISTS.name], privacy, active_tombstones()
        )
    for part, whole in _PARTS.items():
        if whole in read.incomplete:
            read.incomplete.add(part)
    return {name: [_of_tenant(item, name, tenant_id) for item in found] for name, found in items.items()}


def _of_tenant(item: Mapping[str, Any], table: str, tenant_id: str | None) -> Mapping[str, Any]:
    """Return an item with its tenant, which is the key of the tables with one row."""
    unknown = WHOLE_TABLE if "tenant_id" in _BY_NAME[table].key else None
    return {**item, "tenantId": item.get("tenantId") or tenant_id or unknown}


def _answers(table: Table, loading: Loading, reads: list[_Read]) -> Iterator[Any]:
    for read in reads:
        items = list(read.items.get(table.name, ()))
        yield from loading.answers(
            Answers(items=items, requests=[0] * len(items), read_at=[read.configuration.read_at])
        )


def _remembered(loading: Loading, reads: list[_Read]) -> Iterator[Any]:
    selected = selected_tables()  # a recorded read whose rows are not loaded would mark them as deleted
    for read in reads:
        at = read.configuration.read_at
        provenance = {"tenant_id": read.tenant_id, "_api": "management", "_read_at": at}
        names = [name for name in read.complete if name in selected]
        yield from loading.rows({"table_name": name, "read_at": at, **provenance} for name in names)
