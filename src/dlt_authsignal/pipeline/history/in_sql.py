"""Update deletes and history in a database with SQL, one transaction per table if the database has transactions."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

from dlt.common.schema.typing import TColumnSchema
from dlt.common.schema.utils import new_table
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import sql_client
from dlt_authsignal.destination.stores.queries import schema_of
from dlt_authsignal.pipeline.history.rules import RULES, may_change
from dlt_authsignal.pipeline.history.statements import Names, Step, as_merge, as_update, closing, marking, opening
from dlt_authsignal.schema.columns import DELETED_AT, Column, Table
from dlt_authsignal.schema.tables.histories import VALID_FROM, VALID_TO, history_of
from dlt_authsignal.schema.tables.server import TABLES

_MERGING: Final = frozenset({"snowflake", "bigquery", "databricks"})
_KEPT_HINTS: Final = ("name", "data_type", "precision", "scale", "timezone")
_NOT_KEPT: Final = frozenset({"_dlt_id", DELETED_AT.name})


def update_history(pipeline: Pipeline, loaded: Collection[str] | None = None) -> dict[str, int]:
    """Mark deleted rows and update the history tables.

    Args:
        pipeline: Pipeline of the dataset.
        loaded: Tables that were loaded since the last update; None for any tables.

    Returns:
        Rows marked as deleted, by table.
    """
    held = schema_of(pipeline).tables
    tables = [TABLES[name] for name in RULES if DELETED_AT.name in held.get(name, {}).get("columns", {})]
    if not tables:
        return {}
    _declare([table for table in tables if table.history], pipeline)
    affected = [table for table in tables if may_change(table.name, loaded)]
    if not affected:
        return {}
    with sql_client(pipeline) as client:
        names = Names(client.escape_column_name, client.make_qualified_table_name, schema_of(pipeline).loads_table_name)
        write = as_merge if client.capabilities.sqlglot_dialect in _MERGING else as_update
        return {table.name: _update(table, pipeline, client, names, write) for table in affected}


def _update(table: Table, pipeline: Pipeline, client: Any, names: Names, write: Callable[[Step], str]) -> int:
    held = schema_of(pipeline).tables
    marks = [marking(table, reading, names) for reading in RULES[table.name] if reading.table in held]
    with _transaction(client):
        marked = sum(_rows(client, write(step)) for step in marks)
        if table.history:
            history = history_of(table)
            for step in (closing(table, history, names), opening(table, history, _shared(table, pipeline), names)):
                client.execute_sql(write(step))
    return marked


def _rows(client: Any, statement: str) -> int:
    """Return the number of rows that a statement changed; 0 if the database does not return it."""
    with client.execute_query(statement) as cursor:
        if cursor.description and cursor.description[0][0].lower() in ("count", "number of rows updated"):
            row = cursor.fetchone()
            return int(row[0]) if row else 0
        return max(0, int(getattr(cursor, "rowcount", 0) or 0))


@contextmanager
def _transaction(client: Any) -> Iterator[None]:
    if not client.capabilities.supports_transactions:
        yield
        return
    with client.begin_transaction():
        yield


def _declare(tables: list[Table], pipeline: Pipeline) -> None:
    """Make dlt create the history tables, and add the columns that were added to their tables."""
    schema = schema_of(pipeline)
    lacking = False
    for table in tables:
        history = history_of(table)
        held = schema.tables.get(history.name, {}).get("columns", {})
        wanted = [*_columns(table, pipeline), _own(VALID_FROM), _own(VALID_TO)]
        if not held.keys() >= {column["name"] for column in wanted}:
            lacking = True
            declared = new_table(history.name, write_disposition="append", columns=wanted, resource=history.name)
            declared["x-normalizer"] = {"seen-data": True}
            schema.update_table(declared, normalize_identifiers=False)
    if lacking:
        pipeline.schemas.save_schema(schema)
        pipeline.sync_schema()


def _columns(table: Table, pipeline: Pipeline) -> list[TColumnSchema]:
    """Return the table's columns for its history, with their types and no other hints."""
    stored: dict[str, Any] = dict(schema_of(pipeline).tables[table.name]["columns"])
    return [
        cast(TColumnSchema, {hint: column[hint] for hint in _KEPT_HINTS if hint in column} | {"nullable": True})
        for name, column in stored.items()
        if "data_type" in column and name not in _NOT_KEPT
    ]


def _own(column: Column) -> TColumnSchema:
    return {"name": column.name, "data_type": column.type, "nullable": True}


def _shared(table: Table, pipeline: Pipeline) -> list[str]:
    return [str(column["name"]) for column in _columns(table, pipeline)]
