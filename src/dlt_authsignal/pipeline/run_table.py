"""Write run records into the table `sync_runs`."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import dlt
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.utils import uniq_id
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import sql_client
from dlt_authsignal.destination.load_hints import hints
from dlt_authsignal.destination.redaction import redacted_log, untraced
from dlt_authsignal.destination.registry import destination_of_type
from dlt_authsignal.destination.stores.queries import schema_of
from dlt_authsignal.schema.bookkeeping_tables import SYNC_RUNS
from dlt_authsignal.schema.row_hash import fingerprint

_TIMES: Final = tuple(column.name for column in SYNC_RUNS.columns if column.type == "timestamp")
_JSON: Final = frozenset(column.name for column in SYNC_RUNS.columns if column.type == "json")
_INSERTS: Final = frozenset({"duckdb", "postgres"})
"""Destinations where rows are written with SQL: a second dlt run takes a third of the time of an unchanged sync."""


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
            pipeline.run(_resource(rows))


def _row(record: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    row = {**record, **{name: datetime.fromisoformat(record[name]) for name in _TIMES if record.get(name)}}
    return row | {"_row_hash": fingerprint(row), "_read_at": now}


@dlt.source(name="authsignal_source", max_table_nesting=0)
def _resource(rows: list[dict[str, Any]]) -> Any:
    return dlt.resource(rows, **hints(SYNC_RUNS))


def _insert(pipeline: Pipeline, rows: list[dict[str, Any]]) -> bool:
    """Write the rows with SQL; return False if dlt has to create the table or its columns first."""
    tables: Mapping[str, Any] = schema_of(pipeline).tables if pipeline.default_schema_name else {}
    is_made = SYNC_RUNS.name in tables and all(tables[SYNC_RUNS.name]["columns"].keys() >= row.keys() for row in rows)
    if destination_of_type(pipeline.destination.destination_type).name not in _INSERTS or not is_made:
        return False
    loads = schema_of(pipeline).loads_table_name
    try:
        with sql_client(pipeline) as client, client.begin_transaction():
            for row in rows:
                _replace(client, row, client.make_qualified_table_name(loads))
    except DestinationUndefinedEntity:
        return False
    return True


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
