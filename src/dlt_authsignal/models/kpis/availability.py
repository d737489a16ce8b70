"""Which KPIs can be computed from the tables of a dataset, and what the others need."""

from typing import Final

from dlt_authsignal.models.kpis.catalogue import Model
from dlt_authsignal.models.kpis.sources import ATTEMPTS
from dlt_authsignal.models.kpis.supplied import SUPPLIED, unusable
from dlt_authsignal.models.opened import Stored
from dlt_authsignal.schema.tables.all_tables import ALL_TABLES
from dlt_authsignal.schema.tables.bookkeeping import USER_READS
from dlt_authsignal.schema.tables.configuration import CONFIGURATION
from dlt_authsignal.schema.tables.events import ACTION_LOG, EVENT_FILES, EVENT_TABLES
from dlt_authsignal.schema.tables.server import USER_ACTIONS

EVENTS: Final = "events"
MANAGEMENT: Final = "the configuration (management_secret_key)"

_EVENTS: Final = frozenset({*EVENT_TABLES, EVENT_FILES.name})
_CONFIGURATION: Final = frozenset(table.name for table in CONFIGURATION)


def needs_of(model: Model, stored: Stored) -> tuple[str, ...]:
    """Return what a KPI needs and the dataset does not have; nothing if it can be computed."""
    needs = [source_of(table) for table in model.tables if not is_loaded(table, stored)]
    for table in supplied_tables(model):
        needs += unusable(table, stored[table]) if table in stored else []
    for each in model.columns:
        table, _, column = each.partition(".")
        if table in stored and column not in stored[table]:
            needs.append(f"the column {each}")
    return tuple(dict.fromkeys(needs))


def supplied_tables(model: Model) -> list[str]:
    """Return the tables that a KPI reads if you supply them."""
    return [name for name in SUPPLIED if name in model.tables or f"{{{name}}}" in model.sql]


def availability(model: Model, stored: Stored) -> str:
    """Return `available`, or `not available: needs …`."""
    needs = needs_of(model, stored)
    return f"not available: needs {', '.join(needs)}" if needs else "available"


def is_loaded(table: str, stored: Stored) -> bool:
    """Whether a table, or the tables that a base query needs, exist."""
    if table == ATTEMPTS:
        return USER_ACTIONS.name in stored or ACTION_LOG.name in stored
    return table in stored


def source_of(table: str) -> str:
    """Return what loads a table, for display."""
    if table == ATTEMPTS:
        return f"{USER_ACTIONS.name} or {EVENTS}"
    if table in _EVENTS:
        return EVENTS
    if table in _CONFIGURATION:
        return MANAGEMENT
    is_ours = table in ALL_TABLES or table == USER_READS.name
    return table.removesuffix("_history") if is_ours else f"your table {table}"
