"""Query the destination's tables, whether they are in a database or made of files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.schema import Schema
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import job_client, sql_client
from dlt_authsignal.schema.columns import DELETED_AT

ROWS_AT_ONCE: Final = 10_000
BATCH_AT_ONCE: Final = 100_000


def schema_of(pipeline: Pipeline) -> Schema:
    """Return the default schema from memory: `pipeline.default_schema` reads it from disk each time."""
    live: dict[str, Schema] = getattr(pipeline.schemas, "live_schemas", {})
    return live.get(str(pipeline.default_schema_name)) or pipeline.default_schema


def committed(
    pipeline: Pipeline, table: str, *columns: str, is_completed: bool = True, where: str = ""
) -> Iterator[tuple[Any, ...]]:
    """Yield columns of the rows of completed loads, in batches, each column as a pyarrow array.

    dlt records a load as completed after all its tables. If an interrupted load could not be continued, some tables
    have its rows and others do not.

    Args:
        pipeline: Pipeline whose dataset is queried.
        table: The table.
        *columns: Columns to return.
        is_completed: False for the rows of loads that were not completed.
        where: Further condition on the rows. Tables made of files ignore it.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not _is_known(pipeline, table) or not schema_of(pipeline).tables[table]["columns"].keys() >= set(columns):
        return
    if table_format := _table_format(pipeline, table):
        done = pa.array(completed_loads(pipeline), pa.string())
        for batch in _open_batches(pipeline, table_format, table, *dict.fromkeys(("_dlt_load_id", *columns))):
            is_done = pc.is_in(batch.column("_dlt_load_id"), done)
            kept = batch.filter(is_done if is_completed else pc.invert(is_done))
            yield tuple(kept.column(name) for name in columns)
        return
    with sql_client(pipeline) as client:
        names = ", ".join(map(client.escape_column_name, columns))
        conditions = " AND ".join(filter(None, (_of_loads(pipeline, client, is_completed=is_completed), where)))
        query = f"SELECT {names} FROM {client.make_qualified_table_name(table)} WHERE {conditions}"
        try:
            with client.execute_query(query) as cursor:
                for batch in cursor.iter_arrow(chunk_size=ROWS_AT_ONCE):
                    yield tuple(batch.columns)
        except DestinationUndefinedEntity:
            return


def _of_loads(pipeline: Pipeline, client: Any, *, is_completed: bool) -> str:
    """Return the condition on the rows of loads that dlt recorded as completed, or of the others."""
    name, loads = client.escape_column_name, client.make_qualified_table_name(schema_of(pipeline).loads_table_name)
    completed = f"(SELECT {name('load_id')} FROM {loads} WHERE {name('status')} = 0)"
    return f"{name('_dlt_load_id')} {'IN' if is_completed else 'NOT IN'} {completed}"


def committed_count(pipeline: Pipeline, table: str) -> int:
    """Return the number of rows of completed loads in a table of a database."""
    if not _is_known(pipeline, table):
        return 0
    with sql_client(pipeline) as client:
        found = _numbers(client, table, "count(*)", _of_loads(pipeline, client, is_completed=True))
    return found[0] if found else 0


def open_dataset(pipeline: Pipeline, table: str) -> Any:
    """Return a table made of files as an Arrow dataset or table; None if it does not exist."""
    if not (table_format := _table_format(pipeline, table)):
        return None
    with job_client(pipeline) as client:
        files: Any = client
        try:
            opened = files.load_open_table(table_format, table)
        except DestinationUndefinedEntity:
            return None
        return opened.to_pyarrow_dataset() if hasattr(opened, "to_pyarrow_dataset") else opened.scan().to_arrow()


def completed_loads(pipeline: Pipeline) -> list[str]:
    """Return the ids of the loads that dlt recorded as completed, one file each."""
    with job_client(pipeline) as client:
        files: Any = client
        try:
            names = files.list_table_files(schema_of(pipeline).loads_table_name)
        except DestinationUndefinedEntity:
            return []
    return [Path(name).stem.rpartition("__")[2] for name in names]


def are_there(pipeline: Pipeline, tables: Iterable[str]) -> set[str]:
    """Return the tables that exist. Tables made of files are created with their first row, and always count."""
    known = [name for name in tables if _is_known(pipeline, name)]
    found = {name for name in known if _table_format(pipeline, name)}
    if len(found) == len(known):
        return found
    with sql_client(pipeline) as client:
        return found | _those_there(client, [name for name in known if name not in found])


def _those_there(client: Any, tables: Sequence[str]) -> set[str]:
    """Return the tables that a database has, with one query if it has all of them."""
    parts = (f"SELECT 1 FROM {client.make_qualified_table_name(name)} WHERE 1 = 0" for name in tables)
    try:
        client.execute_sql(" UNION ALL ".join(parts))
    except DestinationUndefinedEntity:
        return {name for name in tables if _numbers(client, name, "1", "1 = 0") is not None}
    return set(tables)


def row_counts(pipeline: Pipeline, tables: Iterable[str]) -> dict[str, int]:
    """Return the rows of each table, without those marked as deleted; 0 for tables that do not exist yet."""
    counts = dict.fromkeys(tables, 0)
    known = [name for name in counts if _is_known(pipeline, name)]
    if any(_table_format(pipeline, name) for name in known):
        return counts | {name: _open_count(pipeline, name) for name in known}
    if not known:
        return counts
    marked = {name for name in known if DELETED_AT.name in _columns(pipeline, name)}
    alive = {name: f"count(*) - count({DELETED_AT.name})" if name in marked else "count(*)" for name in known}
    with sql_client(pipeline) as client:
        return counts | _number_of_each(client, alive)


def _number_of_each(client: Any, numbers: Mapping[str, str]) -> dict[str, int]:
    """Return a number of each table that exists, with one query if all of them do."""
    tables = list(numbers)
    parts = (
        f"SELECT {place}, {numbers[name]} FROM {client.make_qualified_table_name(name)}"
        for place, name in enumerate(tables)
    )
    try:
        return {
            tables[int(place)]: int(number) for place, number in client.execute_sql(" UNION ALL ".join(parts)) or ()
        }
    except DestinationUndefinedEntity:
        found = {name: _numbers(client, name, number) for name, number in numbers.items()}
        return {name: values[0] for name, values in found.items() if values}


def freshness(pipeline: Pipeline, table: str) -> tuple[int, int, datetime | None, datetime | None]:
    """Return the rows of a table, the rows marked as deleted, and when the newest and oldest rows were read."""
    marks = DELETED_AT.name in _columns(pipeline, table)
    if table_format := _table_format(pipeline, table):
        return _open_freshness(_open_batches(pipeline, table_format, table, "_read_at", *[DELETED_AT.name] * marks))
    if not _is_known(pipeline, table):
        return 0, 0, None, None
    with sql_client(pipeline) as client:
        read_at, mark = map(client.escape_column_name, ("_read_at", DELETED_AT.name))
        deleted, is_there = (f"count({mark})", f"{mark} IS NULL") if marks else ("0", "1 = 1")
        alive = f"CASE WHEN {is_there} THEN {read_at} END"
        query = f"SELECT count(*), {deleted}, max({alive}), min({alive}) FROM {client.make_qualified_table_name(table)}"
        try:
            (figures,) = client.execute_sql(query) or ()
        except DestinationUndefinedEntity:
            return 0, 0, None, None
    rows, gone, latest, oldest = figures
    return int(rows) - int(gone), int(gone), latest, oldest


def newest(
    pipeline: Pipeline, table: str, by: str, columns: Sequence[str], equal: Mapping[str, Any]
) -> tuple[Any, ...] | None:
    """Return columns of the row with the greatest `by` among rows with the given values; None if there is none."""
    if table_format := _table_format(pipeline, table):
        wanted = dict.fromkeys([by, *equal, *columns])
        return _open_newest(_open_batches(pipeline, table_format, table, *wanted), by, columns, equal)
    if not _is_known(pipeline, table):
        return None
    with sql_client(pipeline) as client:
        name = client.escape_column_name
        conditions = " AND ".join(f"{name(column)} = %s" for column in equal)
        query = (
            f"SELECT {', '.join(map(name, columns))} FROM {client.make_qualified_table_name(table)}"
            f" WHERE {conditions} ORDER BY {name(by)} DESC LIMIT 1"
        )
        try:
            with client.execute_query(query, *equal.values()) as cursor:
                return cursor.fetchone()
        except DestinationUndefinedEntity:
            return None


def _open_count(pipeline: Pipeline, table: str) -> int:
    """Return the number of rows not marked as deleted; without marks, the number in the table's metadata."""
    table_format = _table_format(pipeline, table)
    if DELETED_AT.name in _columns(pipeline, table):
        batches = _open_batches(pipeline, table_format, table, DELETED_AT.name)
        return sum(batch.column(DELETED_AT.name).null_count for batch in batches)
    with pipeline.destination_client() as client:
        files: Any = client
        try:
            opened = files.load_open_table(table_format, table)
        except DestinationUndefinedEntity:
            return 0
    return int(opened.to_pyarrow_dataset().count_rows() if table_format == "delta" else opened.scan().count())


def _open_freshness(batches: Iterable[Any]) -> tuple[int, int, datetime | None, datetime | None]:
    """Return the rows not deleted, the rows deleted, and the newest and oldest time of the rows not deleted."""
    import pyarrow.compute as pc

    alive = gone = 0
    ends: list[datetime] = []
    for batch in batches:
        marked = DELETED_AT.name in batch.schema.names
        kept = batch.filter(batch.column(DELETED_AT.name).is_null()) if marked else batch
        alive, gone = alive + kept.num_rows, gone + batch.num_rows - kept.num_rows
        of_batch = pc.min_max(kept.column("_read_at")).as_py()
        ends += [moment for moment in of_batch.values() if moment is not None]
    return alive, gone, max(ends, default=None), min(ends, default=None)


def _open_newest(
    batches: Iterable[Any], by: str, columns: Sequence[str], equal: Mapping[str, Any]
) -> tuple[Any, ...] | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    found: tuple[Any, tuple[Any, ...]] | None = None
    for batch in batches:
        rows = batch
        for name, value in equal.items():
            # is_in, since Arrow cannot compare deltalake's string views with text
            is_wanted = rows.column(name).is_null() if value is None else pc.is_in(rows.column(name), pa.array([value]))
            rows = rows.filter(is_wanted)
        latest = pc.max(rows.column(by)) if rows.num_rows else None
        if latest is not None and latest.is_valid and (found is None or latest.as_py() > found[0]):
            row = rows.slice(pc.index(rows.column(by), latest).as_py(), 1)
            found = latest.as_py(), tuple(row.column(name)[0].as_py() for name in columns)
    return found[1] if found else None


def _numbers(client: Any, table: str, numbers: str, where: str = "1 = 1") -> tuple[int, ...] | None:
    """Return the first row of a query as integers, empty without rows; None if the table does not exist."""
    query = f"SELECT {numbers} FROM {client.make_qualified_table_name(table)} WHERE {where}"
    try:
        return tuple(map(int, next(iter(client.execute_sql(query) or ()), ())))
    except DestinationUndefinedEntity:
        return None


def columns_of(pipeline: Pipeline, table: str, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Yield columns of every row; nothing if the table does not exist yet."""
    if table_format := _table_format(pipeline, table):
        return _open_rows(pipeline, table_format, table, *columns)
    return _sql_rows(pipeline, table, *columns)


def arrow_columns_of(pipeline: Pipeline, table: str, *columns: str, where: str = "") -> Iterator[Any]:
    """Yield columns of every row as Arrow tables, with the destination's own Arrow support if it has any.

    Args:
        pipeline: Pipeline whose dataset is queried.
        table: The table.
        *columns: Columns to return.
        where: Condition on the rows. Tables made of files ignore it.
    """
    if table_format := _table_format(pipeline, table):
        return _open_batches(pipeline, table_format, table, *columns)
    return _sql_batches(pipeline, table, *columns, where=where)


def alive_columns_of(pipeline: Pipeline, table: str, *columns: str) -> Iterator[Any]:
    """Yield columns of the rows that are not marked as deleted, as Arrow tables."""
    mark = DELETED_AT.name
    if mark not in _columns(pipeline, table):
        yield from arrow_columns_of(pipeline, table, *columns)
    elif _table_format(pipeline, table):
        for batch in arrow_columns_of(pipeline, table, *columns, mark):
            yield batch.filter(batch.column(mark).is_null())
    else:
        yield from arrow_columns_of(pipeline, table, *columns, where=f"{mark} IS NULL")


def _table_format(pipeline: Pipeline, table: str) -> Any:
    return schema_of(pipeline).tables[table].get("table_format") if _is_known(pipeline, table) else None


def _columns(pipeline: Pipeline, table: str) -> Mapping[str, Any]:
    return schema_of(pipeline).tables[table]["columns"] if _is_known(pipeline, table) else {}


def _is_known(pipeline: Pipeline, table: str) -> bool:
    return bool(pipeline.default_schema_name) and table in schema_of(pipeline).tables


def _sql_rows(pipeline: Pipeline, table: str, *columns: str) -> Iterator[tuple[Any, ...]]:
    for cursor in _cursors(pipeline, table, *columns):
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            yield from rows


def _sql_batches(pipeline: Pipeline, table: str, *columns: str, where: str) -> Iterator[Any]:
    for cursor in _cursors(pipeline, table, *columns, where=where):
        for batch in cursor.iter_arrow(chunk_size=BATCH_AT_ONCE):
            yield batch.rename_columns(list(columns))  # Snowflake returns them in capitals


def _cursors(pipeline: Pipeline, table: str, *columns: str, where: str = "") -> Iterator[Any]:
    """Yield a cursor over columns; none if the table does not exist yet."""
    if not _is_known(pipeline, table):
        return
    with sql_client(pipeline) as client:
        names = [client.escape_column_name(name) if name.isidentifier() else name for name in columns]
        query = f"SELECT {', '.join(names)} FROM {client.make_qualified_table_name(table)}"
        try:
            with client.execute_query(f"{query} WHERE {where}" if where else query) as cursor:
                yield cursor
        except DestinationUndefinedEntity:
            return


def _open_rows(pipeline: Pipeline, table_format: Any, table: str, *columns: str) -> Iterator[tuple[Any, ...]]:
    for batch in _open_batches(pipeline, table_format, table, *columns):
        yield from zip(*(batch.column(name).to_pylist() for name in columns), strict=True)


def _open_batches(pipeline: Pipeline, table_format: Any, table: str, *columns: str) -> Iterator[Any]:
    """Read with the format's own library: DuckDB would download an extension."""
    with job_client(pipeline) as client:
        files: Any = client
        try:
            opened = files.load_open_table(table_format, table)
        except DestinationUndefinedEntity:
            return
        yield from _batches(opened, columns)


def _batches(opened: Any, columns: tuple[str, ...]) -> Iterator[Any]:
    if hasattr(opened, "to_pyarrow_dataset"):
        return iter(opened.to_pyarrow_dataset().to_batches(columns=list(columns), batch_size=ROWS_AT_ONCE))
    return iter(opened.scan(selected_fields=columns).to_arrow_batch_reader())
