"""Declare tables to dlt, with hints for the destination in use."""

from typing import Any

import dlt
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext
from dlt.common.schema.typing import TTableSchemaColumns
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.duckdb_file import database_file
from dlt_authsignal.destination.registry import (
    Destination,
    FileFormat,
    TableFormat,
    check_installed,
    checked_table_format,
    destination_of_type,
)
from dlt_authsignal.destination.stores.queries import schema_of
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.tables.server import PROVENANCE


def hints(table: Table, *, as_rows: bool = True) -> dict[str, Any]:
    """Return the arguments of `dlt.resource` for one table: merge on its key, every known column declared.

    Declared columns exist from the first run, even if no row fills them. If a load has two rows with the same key, the
    one read last wins.

    Args:
        table: The table.
        as_rows: Whether the resource yields single rows; otherwise Arrow tables if the destination accepts them.
    """
    destination, table_format = active_destination()
    return {
        "name": table.name,
        "primary_key": list(table.key),
        "write_disposition": {"disposition": "merge", "strategy": destination.strategy},
        "columns": columns(table),
        "file_format": file_format(destination, as_rows=as_rows),
        "table_format": table_format,
    }


def file_format(destination: Destination, *, as_rows: bool) -> FileFormat | None:
    """Return the loader file format; None leaves the choice to dlt."""
    return destination.row_format if as_rows and destination.row_format else destination.file_format


def columns(table: Table) -> TTableSchemaColumns:
    """Return dlt's column hints for one table."""
    declared: TTableSchemaColumns = {
        column.name: {"name": column.name, "data_type": column.type, "nullable": column.name not in table.key}
        for column in (*table.columns, *PROVENANCE)
    }
    declared["_read_at"]["dedup_sort"] = "desc"
    return declared


def active_destination() -> tuple[Destination, TableFormat | None]:
    """Return the active pipeline's destination and the table format chosen for it. Changes nothing.

    Raises:
        ExtraMissing: Iceberg is chosen and not installed.
        ConfigurationError: The chosen table format is not supported.
    """
    context = Container()[PipelineContext]
    active = context.pipeline().destination if context.is_active() else None
    if active is None:
        return destination_of_type("none yet"), None
    destination = destination_of_type(active.destination_type)
    if destination.table_format is None:
        return destination, None
    wanted = dlt.config.get(f"destination.{active.destination_name}.table_format", str)
    table_format = checked_table_format(wanted or destination.table_format)
    if table_format == "iceberg":
        check_installed(destination, table_format=table_format)
    return destination, table_format


def no_rows(resource: str | None = None) -> Any:
    """Return the item that makes dlt create an empty table; nothing for upserts, for which dlt 1.31 cannot do that.

    Args:
        resource: Name of the table's resource; None for the resource that is running.

    Raises:
        ConfigurationError: The pipeline was created after the source, so the source has another destination's hints.
    """
    destination, table_format = active_destination()
    hinted = dlt.current.source().resources[resource or dlt.current.resource_name()].compute_table_schema()
    if hinted.get("table_format") != table_format:
        raise ConfigurationError(
            f"authsignal_source() was called before dlt.pipeline(destination={destination.name!r}), so its tables are"
            " declared for another destination. Nothing was loaded. Create the pipeline first."
        )
    return [] if destination.strategy == "upsert" else dlt.mark.materialize_table_schema()


def check_ready(pipeline: Pipeline) -> str | None:
    """Check the destination's settings before anything is read; return the table format, None for a database.

    Raises:
        ExtraMissing: What the destination needs is not installed.
        ConfigurationError: The dataset holds tables of a format other than the one chosen.
    """
    destination, table_format = active_destination()
    bucket = dlt.config.get(f"destination.{pipeline.destination.destination_name}.bucket_url", str) or ""
    check_installed(destination, table_format=table_format, bucket_url=bucket)
    if destination.name == "duckdb":
        _check_names(pipeline)
    if not (table_format and pipeline.default_schema_name):
        return table_format
    for held in {str(table.get("table_format")) for table in schema_of(pipeline).data_tables()} - {table_format}:
        raise ConfigurationError(
            f'Dataset "{pipeline.dataset_name}" holds tables of format {held}, but {table_format} is configured.'
            f" Nothing was loaded. Pass another --dataset and --pipeline-name for {table_format}."
        )
    return table_format


def _check_names(pipeline: Pipeline) -> None:
    """Refuse a dataset with the name of its file: DuckDB cannot distinguish them."""
    file = database_file(pipeline)
    if file and file.stem.casefold() == str(pipeline.dataset_name).casefold():
        raise ConfigurationError(
            f'The dataset "{pipeline.dataset_name}" and the file {file.name} have the same name, which DuckDB does not'
            " support. Nothing was loaded. Pass another --dataset, or another --pipeline-name, which names the file."
        )
