"""Run one query on the DuckDB file in a separate process: `python -m dlt_authsignal.assistant.worker`.

A process can be killed. Some SQL functions ignore DuckDB's memory limit and cannot be interrupted otherwise.
It starts without the server's environment, reads one JSON object and writes one.
"""

import contextlib
import json
import math
import secrets
import sys
from typing import Any, Final

import duckdb

from dlt_authsignal.assistant.guard import ONLY, refusal
from dlt_authsignal.assistant.masking import KEY_VARIABLE, is_masked, view
from dlt_authsignal.models import all_models
from dlt_authsignal.schema.history_tables import TABLES_AND_HISTORIES
from dlt_authsignal.schema.sql_text import literal, quoted

MEMORY: Final = "1GB"
ADDRESS_SPACE: Final = 4 << 30
MAX_CELL: Final = 2_000
MAX_ANSWER: Final = 60_000
SHOWN: Final = 5
RUN: Final = ("started_at", "outcome", "error", "users_read", "requests", "seconds")

CLOSED: Final[dict[str, str | bool | int | float | list[str]]] = {
    "memory_limit": MEMORY,
    "threads": 2,
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}


def main() -> None:
    request = json.load(sys.stdin)
    _limit()
    json.dump(answer(request), sys.stdout, default=str, ensure_ascii=False)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return the result, or `refused` or `failed` with the reason."""
    try:
        return _answer(request)
    except duckdb.Error as error:
        return {"failed": str(error).split("\n\nLINE ")[0]}
    except (RecursionError, MemoryError):
        return {"failed": "Out of Memory"}


def _limit() -> None:
    """Forbid writing files, and limit the memory of the process where DuckDB's own limit does not apply."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    with duckdb.connect(":memory:", config=CLOSED) as connection:
        store = f"store_{secrets.token_hex(8)}"  # random, so that no query can guess it
        present = _open(connection, store, request)
        if request["ask"] == "query":
            return _query(connection, request)
        return _overview(connection, store, request["dataset"], present)


def _open(connection: duckdb.DuckDBPyConnection, store: str, request: dict[str, Any]) -> dict[str, list[str]]:
    """Open the file read-only, create the views, then disable external access. Returns the columns of each table."""
    dataset = request["dataset"]
    connection.execute("set temp_directory = ''")
    connection.execute("set timezone = 'UTC'")
    connection.execute(f"set variable {KEY_VARIABLE} = {literal(request['key'])}")
    connection.execute(f"attach {literal(request['database'])} as {store} (read_only)")
    present = _columns(connection, store, dataset)
    place = quoted(dataset)
    connection.execute(f"create schema if not exists {place}")
    for table, columns in present.items():
        source = f"{store}.{place}"
        connection.execute(
            view(table, columns, place=place, source=source, allow_identifiers=request["allow_identifiers"])
        )
    connection.execute(f"set schema = {place}")
    for model in all_models():
        with contextlib.suppress(duckdb.CatalogException, duckdb.BinderException):  # tables not synced
            connection.execute(_kpi(model.name, model.view, model.sql))
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return present


def _columns(connection: duckdb.DuckDBPyConnection, store: str, dataset: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table, column in connection.execute(
        f"select table_name, column_name from duckdb_columns() where database_name = {literal(store)}"
        f" and schema_name = {literal(dataset)} order by table_name, column_index"
    ).fetchall():
        if table in TABLES_AND_HISTORIES:
            found.setdefault(table, []).append(column)
    return {name: found[name] for name in TABLES_AND_HISTORIES if name in found}


def _kpi(name: str, view_name: str, sql: str) -> str:
    return (
        f"create view {view_name} as select '{name}' as kpi, slice, numerator, denominator,"
        f" numerator::double / nullif(denominator, 0) as value, unit from ({sql}) as k"
    )


def _query(connection: duckdb.DuckDBPyConnection, request: dict[str, Any]) -> dict[str, Any]:
    if "\0" in request["sql"]:  # DuckDB's parser stops at NUL, so the rest would not be checked
        return {"refused": ONLY}
    names = connection.execute("select lower(view_name), internal from duckdb_views()").fetchall()
    options = "skip_default := false, skip_null := true, skip_empty := true"
    tree = connection.execute(f"select json_serialize_sql({literal(request['sql'])}, {options})").fetchall()[0][0]
    reason = refusal(
        json.loads(tree),
        schema=request["dataset"],
        tables={name for name, internal in names if not internal},
        taken={name for name, internal in names if internal},
    )
    if reason:
        return {"refused": reason}
    cursor = connection.execute(request["sql"])
    columns = [column[0] for column in cursor.description or ()]
    rows: list[list[Any]] = []
    size, more = 0, False
    while row := cursor.fetchone():
        cells = [_cell(value) for value in row]
        size += sum(len(str(cell)) for cell in cells)
        if len(rows) == request["limit"] or (rows and size > MAX_ANSWER):
            more = True
            break
        rows.append(cells)
    return {"columns": columns, "rows": rows, "more": more}


def _cell(value: Any) -> Any:
    """Return a value as JSON allows it; long texts are truncated."""
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return text if len(text) <= MAX_CELL else f"{text[:MAX_CELL]}… ({len(text):,} characters)"


def _overview(
    connection: duckdb.DuckDBPyConnection, store: str, dataset: str, present: dict[str, list[str]]
) -> dict[str, Any]:
    """Return rows, columns and age of each table, and the last syncs and loads."""
    tables = []
    for name, columns in present.items():
        read_at = "max(_read_at)" if "_read_at" in columns else "null"
        rows, last = connection.execute(f"select count(*), {read_at} from {quoted(name)}").fetchall()[0]
        masked = [column for column in columns if is_masked(name, column)]
        tables.append({"name": name, "rows": rows, "last_read": _cell(last), "columns": columns, "masked": masked})
    runs = _last(connection, f"{store}.{quoted(dataset)}.sync_runs", RUN, "started_at")
    loads = _last(connection, f"{store}.{quoted(dataset)}._dlt_loads", ("load_id", "inserted_at"), "inserted_at")
    return {"tables": tables, "syncs": runs, "loads": loads}


def _last(connection: duckdb.DuckDBPyConnection, table: str, columns: tuple[str, ...], by: str) -> list[dict[str, Any]]:
    """Return the last rows of a bookkeeping table; none if the table does not exist."""
    with contextlib.suppress(duckdb.CatalogException):
        rows = connection.execute(
            f"select {', '.join(columns)} from {table} order by {by} desc limit {SHOWN}"
        ).fetchall()
        return [{name: _cell(value) for name, value in zip(columns, row, strict=True)} for row in rows]
    return []


if __name__ == "__main__":
    main()
