"""Update deletes and history of tables made of files: DuckDB computes the rows over Arrow, and dlt writes them.

In three rounds, each written before the next is computed: deleted rows, versions that end, versions that start.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import dlt
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.load_hints import hints
from dlt_authsignal.destination.redaction import untraced
from dlt_authsignal.destination.stores.queries import completed_loads, open_dataset, schema_of
from dlt_authsignal.pipeline.history.rules import RULES, may_change
from dlt_authsignal.pipeline.history.statements import Names, Step, as_select, closing, marking, opening
from dlt_authsignal.schema.columns import DELETED_AT, Table
from dlt_authsignal.schema.tables.histories import VALID_FROM, VALID_TO, history_of
from dlt_authsignal.schema.tables.server import TABLES

_ADDED_BY_DLT: Final = ("_dlt_load_id", "_dlt_id")
_LOADS: Final = "_completed_loads"
_NAMES: Final = Names(column='"{}"'.format, table='"{}"'.format, loads=_LOADS)

Round = Callable[[Table, Mapping[str, Any]], Iterator[tuple[Table, Step]]]


def update_history(pipeline: Pipeline, loaded: Collection[str] | None = None) -> dict[str, int]:
    """Mark deleted rows and update the history tables.

    Args:
        pipeline: Pipeline of the dataset.
        loaded: Tables that were loaded since the last update; None for any tables.

    Returns:
        Rows marked as deleted, by table.
    """
    affected = [name for name in RULES if may_change(name, loaded)]
    marked = _round(pipeline, affected, _marks)
    for versions in (_ends, _begins):
        _round(pipeline, affected, versions)
    return {name: marked.get(name, 0) for name in RULES}


def _marks(table: Table, held: Mapping[str, Any]) -> Iterator[tuple[Table, Step]]:
    for reading in RULES[table.name]:
        if reading.table in held:
            yield table, marking(table, reading, _NAMES)


def _ends(table: Table, held: Mapping[str, Any]) -> Iterator[tuple[Table, Step]]:
    history = history_of(table)
    if table.history and history.name in held:
        yield history, closing(table, history, _NAMES)


def _begins(table: Table, held: Mapping[str, Any]) -> Iterator[tuple[Table, Step]]:
    if table.history:
        kept = [name for name in held[table.name].schema.names if name not in (*_ADDED_BY_DLT, DELETED_AT.name)]
        yield history_of(table), opening(table, history_of(table), kept, _NAMES)


def _round(pipeline: Pipeline, names: Collection[str], steps: Round) -> dict[str, int]:
    """Compute and write one round; return the number of rows by table."""
    if not names:
        return {}
    with _opened(pipeline) as (connection, held):
        tables = [TABLES[name] for name in names if name in held and DELETED_AT.name in held[name].schema.names]
        found = [_found(connection, table, step) for each in tables for table, step in steps(each, held)]
    changed = [(table, rows) for table, rows in found if rows.num_rows]
    if changed:
        with untraced(pipeline):
            pipeline.run(_written(changed, _types(pipeline)))
    return {table.name: rows.num_rows for table, rows in changed}


def _found(connection: Any, table: Table, step: Step) -> tuple[Table, Any]:
    rows = connection.execute(as_select(step)).to_arrow_table()
    return table, rows.drop_columns([name for name in _ADDED_BY_DLT if name in rows.column_names])


@contextmanager
def _opened(pipeline: Pipeline) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """Open an in-memory DuckDB with the existing tables, a history for each, even if empty, and the completed loads."""
    import duckdb

    held = {name: found for name in _seen() if (found := open_dataset(pipeline, name)) is not None}
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        # Arrow cannot compare deltalake's string views with the filters that DuckDB would push down
        connection.execute("set disabled_optimizers = 'filter_pushdown,join_filter_pushdown'")
        for name, found in held.items():
            connection.register(name, found)
        for table in (TABLES[name] for name in RULES if name in held and TABLES[name].history):
            history = history_of(table)
            if history.name not in held:
                key = ", ".join(f'"{name}"' for name in table.key)
                ends = f'null::timestamptz as "{VALID_FROM.name}", null::timestamptz as "{VALID_TO.name}"'
                connection.execute(
                    f'create temp view "{history.name}" as select {key}, {ends} from "{table.name}" limit 0'
                )
        loads = completed_loads(pipeline)
        connection.execute(f'create table "{_LOADS}" (load_id varchar, status integer)')
        connection.executemany(f'insert into "{_LOADS}" values (?, 0)', [[load] for load in loads] or [["none"]])
        yield connection, held


def _seen() -> list[str]:
    readings = {reading.table for rule in RULES.values() for reading in rule}
    return [*RULES, *(history_of(TABLES[name]).name for name in RULES if TABLES[name].history), *sorted(readings)]


@dlt.source(name="authsignal_source", max_table_nesting=0)
def _written(changed: list[tuple[Table, Any]], types: Mapping[str, Mapping[str, str]]) -> Any:
    return [_resource(table, rows, types.get(table.name.removesuffix("_history"), {})) for table, rows in changed]


def _resource(table: Table, rows: Any, types: Mapping[str, str]) -> Any:
    """Return a resource of Arrow rows, or of dictionaries if the table was started with dictionaries."""
    arguments = hints(table)
    arguments["columns"] = {
        name: {"name": name, "data_type": types[name]} for name in rows.column_names if name in types
    } | {name: column for name, column in arguments["columns"].items() if name in rows.column_names}
    items = [rows] if "_dlt_id" not in types else [_plain(row, types) for row in rows.to_pylist()]
    return dlt.resource(items, **arguments)


def _plain(row: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: json.loads(value) if types.get(name) == "json" and isinstance(value, str) else value
        for name, value in row.items()
    }


def _types(pipeline: Pipeline) -> dict[str, dict[str, str]]:
    return {
        table: {name: str(column.get("data_type", "")) for name, column in described["columns"].items()}
        for table, described in schema_of(pipeline).tables.items()
    }
