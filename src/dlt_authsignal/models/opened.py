"""Run queries in DuckDB's dialect on a dataset, whether its tables are in a database or made of files."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dlt_authsignal.models import lake
from dlt_authsignal.models.dialects import in_duckdb, qualified, translated
from dlt_authsignal.schema.sql_text import quoted

if TYPE_CHECKING:
    import pyarrow as pa
    from dlt.pipeline.pipeline import Pipeline

Stored = Mapping[str, Mapping[str, str]]
"""Types of columns by table."""

Ask = Callable[[str], list[Any]]
"""Runs a query in DuckDB's dialect with the macros of `dialects`, and with unqualified names of tables."""

Fetch = Callable[[str], "Iterator[pa.Table]"]
"""Like `Ask`, for many rows: in batches."""

ROWS_AT_ONCE: Final = 100_000


@contextmanager
def opened(pipeline: "Pipeline") -> Iterator[tuple[Ask, Stored, str]]:
    """Give a function that runs queries, the columns of the existing tables, and the dialect of the destination."""
    from dlt_authsignal.destination.clients import sql_client
    from dlt_authsignal.destination.stores.store import is_made_of_files

    stored = stored_columns(pipeline)
    if is_made_of_files(pipeline):
        held = lake.held(pipeline)
        with lake.opened(held) as connection:
            connection.execute("set timezone = 'UTC'")
            there = {name: columns for name, columns in stored.items() if name in held}
            yield lambda query: connection.execute(in_duckdb(query)).fetchall(), there, "duckdb"
        return
    with sql_client(pipeline) as client:
        written, dialect = writer(client, stored)
        yield lambda query: list(client.execute_sql(written(query)) or []), stored, dialect


def stored_columns(pipeline: "Pipeline") -> Stored:
    """Return the types of the columns of each table that was loaded."""
    if not pipeline.default_schema_name:
        return {}
    return {
        str(table["name"]): {
            name: str(column["data_type"]) for name, column in table["columns"].items() if "data_type" in column
        }
        for table in pipeline.default_schema.data_tables(include_incomplete=False)
    }


@dataclass(frozen=True)
class Reader:
    """Reads many rows of a dataset.

    Attributes:
        fetch: Runs a query and returns its rows as Arrow tables.
        keep: Stores the rows of a query as a temporary table of a name, for later queries; None where temporary
            tables may not be allowed.
    """

    fetch: Fetch
    keep: Callable[[str, str], None] | None = None


@contextmanager
def opened_for_many(pipeline: "Pipeline") -> Iterator[Reader]:
    """Give a reader for queries of KPIs. Its temporary tables end with it."""
    from dlt_authsignal.destination.clients import sql_client
    from dlt_authsignal.destination.stores.store import is_made_of_files

    if is_made_of_files(pipeline):
        with lake.opened(lake.held(pipeline)) as connection:
            connection.execute("set timezone = 'UTC'")

            def fetch_files(query: str) -> "Iterator[pa.Table]":
                import pyarrow as pa

                for batch in connection.execute(in_duckdb(query)).fetch_record_batch(ROWS_AT_ONCE):
                    yield pa.Table.from_batches([batch])

            yield Reader(fetch_files, lambda name, query: _keep(connection.execute, name, in_duckdb(query)))
        return
    stored = stored_columns(pipeline)
    with sql_client(pipeline) as client:
        written, dialect = writer(client, stored)

        def fetch(query: str) -> "Iterator[pa.Table]":
            with client.execute_query(written(query)) as cursor:
                yield from cursor.iter_arrow(chunk_size=ROWS_AT_ONCE)

        def keep(name: str, query: str) -> None:
            _keep(client.execute_sql, name, written(query))

        yield Reader(fetch, keep if dialect == "duckdb" else None)


def _keep(execute: Callable[[str], Any], name: str, query: str) -> None:
    execute(f"create or replace temp table {quoted(name)} as {query}")


def writer(client: Any, stored: Collection[str]) -> tuple[Callable[[str], str], str]:
    """Return a function that writes a query over some tables in the destination's dialect, and the dialect."""
    dialect = client.capabilities.sqlglot_dialect or "duckdb"
    dataset = client.fully_qualified_dataset_name(quote=False).split(".")[-1]
    if dialect == "duckdb":  # without sqlglot, which takes a second for some of them
        return lambda query: qualified(in_duckdb(query), quoted(dataset), stored), dialect
    return lambda query: translated(query, dataset, dialect), dialect
