"""KPIs over Delta and Iceberg tables: they cannot have views, so DuckDB computes the models when they are read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from dlt_authsignal.schema.sql_text import quoted

if TYPE_CHECKING:
    import duckdb
    from dlt.pipeline.pipeline import Pipeline

_FILES: Final = "files of "
_BARRIER: Final = "offset 0"
"""Keeps DuckDB's filters out of Arrow. A merge into a Delta table writes text as string views, and Arrow cannot compare
those with the text of a filter. The filters that joins add pass the barrier, so they are switched off."""


def held(pipeline: "Pipeline") -> dict[str, Any]:
    """Return the tables that have rows, as Arrow datasets or tables."""
    from dlt_authsignal.destination.stores.queries import open_dataset

    if not pipeline.default_schema_name:
        return {}
    names = [table["name"] for table in pipeline.default_schema.data_tables(seen_data_only=True)]
    return {name: table for name in names if (table := open_dataset(pipeline, name)) is not None}


@contextmanager
def opened(tables: dict[str, Any]) -> Iterator["duckdb.DuckDBPyConnection"]:
    """Open an in-memory DuckDB in which the tables can be queried."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("set disabled_optimizers = 'join_filter_pushdown'")
        for name, table in tables.items():
            connection.register(f"{_FILES}{name}", table)
            connection.execute(f"create view {quoted(name)} as from {quoted(_FILES + name)} {_BARRIER}")
        yield connection
