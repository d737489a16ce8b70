"""How a table of the registry is declared to dlt, for the destination in use."""

from typing import Any

import dlt
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext
from dlt.common.schema.typing import TTableSchemaColumns
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.duckdb_file import database_file
from dlt_authsignal.destination.registry import (
    Destination,
    TableFormat,
    check_installed,
    checked_table_format,
    destination_of_type,
)
from dlt_authsignal.destination.stores.queries import schema_of
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.tables import PROVENANCE


def hints(table: Table) -> dict[str, Any]:
    """Arguments of `dlt.resource` for one table: merge on its key, every known column declared.

    Declared columns exist from the first run, whether or not any row fills them. Of two rows with one key in one load
    the one read last wins.
    """
    destination, table_format = active_destination()
    return {
        "name": table.name,
        "primary_key": list(table.key),
        "write_disposition": {"disposition": "merge", "strategy": destination.strategy},
        "columns": columns(table),
        "file_format": destination.file_format,
        "table_format": table_format,
    }


def columns(table: Table) -> TTableSchemaColumns:
    """dlt's column hints for one table."""
    declared: TTableSchemaColumns = {
        column.name: {"name": column.name, "data_type": column.type, "nullable": column.name not in table.key}
        for column in (*table.columns, *PROVENANCE)
    }
    declared["_read_at"]["dedup_sort"] = "desc"
    return declared


def active_destination() -> tuple[Destination, TableFormat | None]:
    """What is known of the active pipeline's destination, and the table format chosen for it. Changes nothing.

    Raises:
        ExtraMissing: Iceberg is chosen and not installed.
        ConfigurationError: A table format that cannot be used.
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


def no_rows() -> Any:
    """What makes an empty table, where there can be one: dlt 1.31 cannot make one whose merge is an upsert.

    Raises:
        ConfigurationError: The pipeline was made after the source, so that the source took another one's hints.
    """
    destination, table_format = active_destination()
    hinted = dlt.current.source().resources[dlt.current.resource_name()].compute_table_schema()
    if hinted.get("table_format") != table_format:
        raise ConfigurationError(
            f"authsignal_source() was called before dlt.pipeline(destination={destination.name!r}), so it does not know"
            " where its rows go. Make the pipeline first."
        )
    return [] if destination.strategy == "upsert" else dlt.mark.materialize_table_schema()


def check_ready(pipeline: Pipeline) -> str | None:
    """Looks at what can be told before anything is read or loaded; returns the table format, None in a database.

    Raises:
        ExtraMissing: What the destination needs is not installed.
        ConfigurationError: The dataset holds tables of another format than the one chosen.
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
            f'Dataset "{pipeline.dataset_name}" holds tables of format {held}, and {table_format} is asked for.'
            " Choose another --dataset and --pipeline-name for it."
        )
    return table_format


def _check_names(pipeline: Pipeline) -> None:
    """DuckDB cannot tell a dataset from a file of the same name."""
    file = database_file(pipeline)
    if file and file.stem.casefold() == str(pipeline.dataset_name).casefold():
        raise ConfigurationError(
            f'DuckDB cannot tell the dataset "{pipeline.dataset_name}" from the file {file.name}. Choose another'
            " --dataset, or another --pipeline-name, which names the file."
        )
