"""Run queries in DuckDB's dialect on a dataset, whether its tables are in a database or made of files."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dlt_authsignal.models import lake
from dlt_authsignal.models.dialects import in_duckdb, translated

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

Stored = Mapping[str, Mapping[str, str]]
"""Types of columns by table."""

Ask = Callable[[str], list[Any]]
"""Runs a query in DuckDB's dialect with the macros of `dialects`, and with unqualified names of tables."""


@contextmanager
def opened(pipeline: "Pipeline") -> Iterator[tuple[Ask, Stored, str]]:
    """Give a function that runs queries, the columns of the existing tables, and the dialect of the destination."""
    from dlt_authsignal.destination.stores.store import is_made_of_files

    stored = stored_columns(pipeline)
    if is_made_of_files(pipeline):
        held = lake.held(pipeline)
        with lake.opened(held) as connection:
            connection.execute("set timezone = 'UTC'")
            there = {name: columns for name, columns in stored.items() if name in held}
            yield lambda query: connection.execute(in_duckdb(query)).fetchall(), there, "duckdb"
        return
    with pipeline.sql_client() as client:
        dialect = client.capabilities.sqlglot_dialect or "duckdb"
        dataset = client.fully_qualified_dataset_name(quote=False).split(".")[-1]
        yield lambda query: list(client.execute_sql(translated(query, dataset, dialect)) or []), stored, dialect


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
