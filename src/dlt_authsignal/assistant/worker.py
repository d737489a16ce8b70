"""Run one query on the masked copy in a separate process: `python -m dlt_authsignal.assistant.worker`.

A process can be killed. Some SQL functions ignore DuckDB's memory limit and cannot be interrupted otherwise.
It starts without the server's environment, reads one JSON object and writes one. It knows neither the database nor the
key of the masks.
"""

import json
import sys
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from dlt_authsignal.assistant.guard.tree import ONLY, refusal
from dlt_authsignal.assistant.masked_copy.make import alias
from dlt_authsignal.assistant.process import CLOSED, end_with_parent, forbid_writing, read_request
from dlt_authsignal.assistant.values import cell, shortened
from dlt_authsignal.schema.sql_text import literal, quoted

MAX_SQL: Final = 50_000
MAX_COLUMNS: Final = 2_000
MAX_ANSWER: Final = 60_000


@dataclass(frozen=True, kw_only=True)
class Relations:
    """Names of tables and views, lower-case: those of the copy, and DuckDB's own."""

    ours: frozenset[str]
    internal: frozenset[str]


def main() -> None:
    request = read_request()
    end_with_parent(request)
    forbid_writing()
    json.dump(answer(request), sys.stdout, default=str, ensure_ascii=False)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return the result, or `refused` or `failed` with the reason."""
    try:
        with opened(request) as connection:
            return answer_from(connection, request, relations(connection))
    except duckdb.Error as error:
        return {"failed": str(error).split("\n\nLINE ", maxsplit=1)[0]}
    except (OverflowError, ValueError):
        return {"refused": "The answer has a value that Python cannot represent. Cast it to varchar."}
    except (RecursionError, MemoryError):
        return {"failed": "Out of Memory"}


def opened(request: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """Return a connection to the copy that can read nothing else. Its settings cannot be changed any more."""
    dataset = request["dataset"]
    connection = duckdb.connect(":memory:", config=CLOSED)
    connection.execute("set temp_directory = ''")
    connection.execute("set timezone = 'UTC'")
    connection.execute(f"attach {literal(request['copy'])} as {quoted(alias(dataset))} (read_only)")
    connection.execute(f"use {quoted(alias(dataset))}.{quoted(dataset)}")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def relations(connection: duckdb.DuckDBPyConnection) -> Relations:
    """Return the names of all tables and views."""
    found = connection.execute(
        "select lower(table_name), internal from duckdb_tables() union all"
        " select lower(view_name), internal from duckdb_views()"
    ).fetchall()
    return Relations(
        ours=frozenset(name for name, internal in found if not internal),
        internal=frozenset(name for name, internal in found if internal),
    )


def answer_from(connection: duckdb.DuckDBPyConnection, request: dict[str, Any], known: Relations) -> dict[str, Any]:
    """Return the result of the request's query, or `refused` with the reason."""
    if reason := _refusal(connection, request, known):
        return {"refused": reason}
    cursor = connection.execute(request["sql"])
    columns = [shortened(str(column[0])) for column in cursor.description or ()]
    if len(columns) > MAX_COLUMNS or sum(map(len, columns)) > MAX_ANSWER:
        return {
            "refused": (
                f"The answer has {len(columns):,} columns, which are too many or too long. Select fewer, or"
                " shorten them."
            )
        }
    rows: list[list[Any]] = []
    size, more = 0, False
    while row := cursor.fetchone():
        cells = [cell(value) for value in row]
        size += sum(len(str(value)) for value in cells)
        if len(rows) == request["limit"] or (rows and size > MAX_ANSWER):
            more = True
            break
        rows.append(cells)
    return {"columns": columns, "rows": rows, "more": more}


def _refusal(connection: duckdb.DuckDBPyConnection, request: dict[str, Any], known: Relations) -> str | None:
    sql = request["sql"]
    if "\0" in sql:  # DuckDB's parser stops at NUL, so the rest would not be checked
        return ONLY
    if len(sql) > MAX_SQL:
        return f"The SQL has {len(sql):,} characters. At most {MAX_SQL:,} are allowed."
    options = "skip_default := false, skip_null := true, skip_empty := true"
    tree = connection.execute(f"select json_serialize_sql({literal(sql)}, {options})").fetchall()[0][0]
    return refusal(json.loads(tree), schema=request["dataset"], tables=known.ours, taken=known.internal)


if __name__ == "__main__":
    main()
