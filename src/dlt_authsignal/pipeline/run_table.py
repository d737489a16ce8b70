"""Write run records into the table `sync_runs`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import dlt
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.utils import uniq_id
from dlt.extract import DltSource
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import sql_client
from dlt_authsignal.destination.load_hints import hints
from dlt_authsignal.destination.redaction import redacted_log, untraced
from dlt_authsignal.destination.registry import destination_of_type
from dlt_authsignal.destination.stores.queries import schema_of
from dlt_authsignal.pipeline.history.update import note_other_load
from dlt_authsignal.schema.row_hash import fingerprint
from dlt_authsignal.schema.tables.bookkeeping import SYNC_RUNS

_TIMES: Final = tuple(column.name for column in SYNC_RUNS.columns if column.type == "timestamp")
_JSON: Final = frozenset(column.name for column in SYNC_RUNS.columns if column.type == "json")
_INSERTS: Final = frozenset({"duckdb", "postgres"})
"""Destinations where rows are written with SQL: a second dlt run takes a third of the time of an unchanged sync."""


def add_run_table(pipeline: Pipeline, reading: DltSource) -> None:
    """Let the load of a pipeline's first run create the table too: a second dlt run takes as long as many syncs."""
    if _takes_inserts(pipeline) and SYNC_RUNS.name not in _tables(pipeline):
        reading.resources.add(dlt.resource(_no_records, **_hints_with_ids()))


def _no_records() -> Iterator[Any]:
    yield dlt.mark.materialize_table_schema()


def _hints_with_ids() -> dict[str, Any]:
    """Return the hints with the columns that dlt adds to rows, and not to a table without rows."""
    arguments = hints(SYNC_RUNS)
    arguments["columns"] |= {
        "_dlt_load_id": {"name": "_dlt_load_id", "data_type": "text", "nullable": False},
        "_dlt_id": {"name": "_dlt_id", "data_type": "text", "nullable": False, "unique": True, "row_key": True},
    }
    return arguments


def write_records(pipeline: Pipeline, records: Sequence[Mapping[str, Any]]) -> None:
    """Write run records, and replace existing ones.

    Args:
        pipeline: The pipeline that ran.
        records: The records, with times in ISO format.
    """
    now = datetime.now(UTC)
    rows = [_row(record, now) for record in records]
    if not _insert(pipeline, rows):
        with untraced(pipeline), redacted_log():
            note_other_load(pipeline.run(_resource(rows)), pipeline)


def _row(record: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    row = {**record, **{name: datetime.fromisoformat(record[name]) for name in _TIMES if record.get(name)}}
    return row | {"_row_hash": fingerprint(row), "_read_at": now}


@dlt.source(name="authsignal_source", max_table_nesting=0)
def _resource(rows: list[dict[str, Any]]) -> Any:
    return dlt.resource(rows, **hints(SYNC_RUNS))


def _insert(pipeline: Pipeline, rows: list[dict[str, Any]]) -> bool:
    """Write the rows with SQL; return False if dlt has to create the table or its columns first."""
    tables = _tables(pipeline)
    is_made = SYNC_RUNS.name in tables and all(tables[SYNC_RUNS.name]["columns"].keys() >= row.keys() for row in rows)
    if not _takes_inserts(pipeline) or not is_made:
        return False
    loads = schema_of(pipeline).loads_table_name
    try:
        with sql_client(pipeline) as client, client.begin_transaction():
            for row in rows:
                _replace(client, row, client.make_qualified_table_name(loads))
    except DestinationUndefinedEntity:
        return False
    return True


def _takes_inserts(pipeline: Pipeline) -> bool:
    return destination_of_type(pipeline.destination.destination_type).name in _INSERTS


def _tables(pipeline: Pipeline) -> Mapping[str, Any]:
    return schema_of(pipeline).tables if pipeline.default_schema_name else {}


def _replace(client: Any, row: Mapping[str, Any], loads: str) -> None:
    """Write one row with the id of the last completed load: every row in a dlt table has a load id."""
    table = client.make_qualified_table_name(SYNC_RUNS.name)
    names = ", ".join(map(client.escape_column_name, (*row, "_dlt_id", "_dlt_load_id")))
    values = [json.dumps(value) if name in _JSON and value is not None else value for name, value in row.items()]
    client.execute_sql(f"DELETE FROM {table} WHERE run_id = %s", row["run_id"])
    client.execute_sql(
        f"INSERT INTO {table} ({names}) SELECT {', '.join(['%s'] * len(values))}, %s, coalesce(max(load_id), '') FROM"
        f" {loads} WHERE status = 0",
        *values,
        uniq_id(),
    )
