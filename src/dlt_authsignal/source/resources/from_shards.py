"""Pass the rows of shards to the running extraction."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import dlt

from dlt_authsignal.destination.running import running_pipeline
from dlt_authsignal.destination.stores.queries import alive_columns_of
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.schema.columns import Table
from dlt_authsignal.source.incremental.plan import Plan
from dlt_authsignal.source.resources.reading import Server
from dlt_authsignal.source.resources.table_resource import STATE, Loading
from dlt_authsignal.source.shards.agreement import ShardAgreement
from dlt_authsignal.source.shards.files import TABLES
from dlt_authsignal.source.shards.round import Round
from dlt_authsignal.source.workers.messages import Shaped

LOADED: Final = "loaded_shards"
MOST_NOTED: Final = 2_000
"""Maximum number of shard runs that are recorded as loaded, in the state that dlt loads with the rows."""


def loaded_slices(server: Server, round_: Round, plan: Plan, begin: Callable[[Table], Loading]) -> Iterator[Shaped]:
    """Yield the rows of a round, and record its shards as loaded.

    Raises:
        ConfigurationError: A table is loaded with rows.
        TooManyDeletes: More rows would be marked as deleted than allowed.
        ShardsUnusable: A file is damaged.
    """
    agreements = {
        name: _agreement(server, table, begin(table)) for name, table in TABLES.items() if name in plan.tables
    }
    noted: list[str] = dlt.current.source_state(STATE).setdefault(LOADED, [])
    noted[:] = [*noted, *round_.attempts][-MOST_NOTED:]
    held: Any = partial(alive_columns_of, running_pipeline())
    yield from round_.slices(agreements, plan.limit, held, plan.user_ids.erased.__contains__)


def _agreement(server: Server, table: Table, loading: Loading) -> ShardAgreement:
    if loading.as_rows:
        raise needs_arrow()
    drift = server.meter.drift.of(table.name)
    drift.was_plain &= loading.stored.keys()  # words that only this round has are hashed before they are loaded
    return ShardAgreement(
        table=table, shaper=loading.shaper, privacy=server.privacy, drift=drift, stored=loading.stored
    )


def needs_arrow() -> ConfigurationError:
    """Return the error for a destination that takes no Arrow tables."""
    return ConfigurationError(
        "Shards need a destination and a dataset that are loaded with Arrow tables, such as duckdb, postgres or"
        " filesystem. Nothing was loaded. Run sync without shards."
    )
