"""Make the masked copy in a separate process: `python -m dlt_authsignal.assistant.masked_copy.make`.

This process knows the database and the key of the masks, and runs no query of an assistant. The process that runs such
queries gets the copy only.
"""

import contextlib
import json
import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import Any, Final

import duckdb

from dlt_authsignal.assistant.masked_copy.views import READS, Places, add_views
from dlt_authsignal.assistant.masking import SHOWN_TABLES, is_masked, masked_rows
from dlt_authsignal.assistant.process import CLOSED, end_with_parent, read_request
from dlt_authsignal.assistant.values import cell
from dlt_authsignal.project.waiting import opened, user_of, wait_at_most
from dlt_authsignal.schema.sql_text import literal, quoted

SHOWN: Final = 5

RUN: Final = ("started_at", "outcome", "error", "users_read", "requests", "seconds")


def main() -> None:
    request = read_request()
    folder = Path(request["copy"]).parent
    end_with_parent(request, lambda: shutil.rmtree(folder, ignore_errors=True))
    os.umask(0o077)
    json.dump(answer(request), sys.stdout, ensure_ascii=False)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return the fingerprint of the copied database and an overview of its tables, or `failed` with the reason."""
    try:
        return _copy(request)
    except (duckdb.Error, OSError) as error:
        reason = str(error).split("\n\nLINE ", maxsplit=1)[0]
        return {"failed": reason.replace(request["key"], "…")}
    except MemoryError:
        return {"failed": "Out of Memory"}


def alias(dataset: str) -> str:
    """Return the name of the copy's database, in both processes. It differs from the schema: `a.b` has one meaning."""
    return f"{dataset}_copy"


def fingerprint(database: Path) -> list[list[int]]:
    """Return numbers that change with the content of the DuckDB file or its write-ahead log."""
    found = []
    for file in (database, database.with_name(f"{database.name}.wal")):
        with contextlib.suppress(FileNotFoundError):
            state = file.stat()
            found.append([state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns])
    return found


def _copy(request: dict[str, Any]) -> dict[str, Any]:
    dataset, store = request["dataset"], f"store_{secrets.token_hex(8)}"
    source, target = f"{store}.{quoted(dataset)}", f"{quoted(alias(dataset))}.{quoted(dataset)}"
    key = None if request["allow_identifiers"] else request["key"]
    with duckdb.connect(":memory:", config=CLOSED) as connection:
        connection.execute("set temp_directory = ''")
        connection.execute("set timezone = 'UTC'")
        database = Path(request["database"])
        wait_at_most(request["wait"], say=lambda _: None)  # the server's answer is the only output
        attach = f"attach {literal(database)} as {store} (read_only)"
        opened(database, lambda: connection.execute(attach), user_of)
        made_from = fingerprint(database)  # no other process can write while it is attached
        connection.execute(f"attach {literal(request['copy'])} as {quoted(alias(dataset))}")
        connection.execute(f"create schema if not exists {target}")
        present = _columns(connection, store, dataset)
        tables = {name: columns for name, columns in present.items() if name in SHOWN_TABLES}
        for table, columns in tables.items():
            rows = masked_rows(table, columns, source=source, key=key)
            connection.execute(f"create table {target}.{quoted(table)} as {rows}")
        connection.execute(f"use {target}")
        add_views(connection, Places(source=source, target=target, key=key), present)
        overview = _overview(connection, source, tables)
    return {"fingerprint": made_from, "overview": overview}


def _columns(connection: duckdb.DuckDBPyConnection, store: str, dataset: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table, column in connection.execute(
        f"select table_name, column_name from duckdb_columns() where database_name = {literal(store)}"
        f" and schema_name = {literal(dataset)} order by table_name, column_index"
    ).fetchall():
        found.setdefault(table, []).append(column)
    return {name: found[name] for name in (*SHOWN_TABLES, *READS) if name in found}


def _overview(connection: duckdb.DuckDBPyConnection, source: str, present: dict[str, list[str]]) -> dict[str, Any]:
    """Return rows, columns and age of each table, and the last syncs and loads."""
    tables = []
    for name, columns in present.items():
        read_at = "max(_read_at)" if "_read_at" in columns else "null"
        rows, last = connection.execute(f"select count(*), {read_at} from {quoted(name)}").fetchall()[0]
        masked = [column for column in columns if is_masked(name, column)]
        tables.append({"name": name, "rows": rows, "last_read": cell(last), "columns": columns, "masked": masked})
    runs = _last(connection, f"{source}.sync_runs", RUN, "started_at")
    loads = _last(connection, f"{source}._dlt_loads", ("load_id", "inserted_at"), "inserted_at")
    return {"tables": tables, "syncs": runs, "loads": loads}


def _last(connection: duckdb.DuckDBPyConnection, table: str, columns: tuple[str, ...], by: str) -> list[dict[str, Any]]:
    """Return the last rows of a bookkeeping table; none if the table does not exist."""
    with contextlib.suppress(duckdb.CatalogException):
        rows = connection.execute(
            f"select {', '.join(columns)} from {table} order by {by} desc limit {SHOWN}"
        ).fetchall()
        return [{name: cell(value) for name, value in zip(columns, row, strict=True)} for row in rows]
    return []


if __name__ == "__main__":
    main()
