"""KPIs over Delta and Iceberg tables: they cannot have views, so DuckDB computes the models when they are read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb
    from dlt.pipeline.pipeline import Pipeline


def is_lake(pipeline: "Pipeline") -> bool:
    """Return whether the pipeline loads into files."""
    return pipeline.destination.destination_type.endswith(".filesystem")


def held(pipeline: "Pipeline") -> dict[str, Any]:
    """Return the tables that have rows, as Arrow datasets or tables."""
    formats = _formats(pipeline)
    found: dict[str, Any] = {}
    if names := [name for name, kind in formats.items() if kind == "delta"]:
        from dlt.common.libs.deltalake import get_delta_tables

        opened = get_delta_tables(pipeline, *names)
        found |= {name: table.to_pyarrow_dataset() for name, table in opened.items()}
    if names := [name for name, kind in formats.items() if kind == "iceberg"]:
        from dlt.common.libs.pyiceberg import get_iceberg_tables

        found |= {name: table.scan().to_arrow() for name, table in get_iceberg_tables(pipeline, *names).items()}
    return found


def _formats(pipeline: "Pipeline") -> dict[str, str]:
    if not pipeline.default_schema_name:
        return {}
    tables = pipeline.default_schema.data_tables(seen_data_only=True)
    return {table["name"]: str(table.get("table_format")) for table in tables}


@contextmanager
def opened(tables: dict[str, Any]) -> Iterator["duckdb.DuckDBPyConnection"]:
    """Open an in-memory DuckDB in which the tables can be queried."""
    import duckdb

    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        yield connection
