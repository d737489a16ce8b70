"""How a table of the registry becomes a dlt resource."""

from collections.abc import Callable, Iterator
from typing import Any

import dlt
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext
from dlt.common.schema.typing import TTableSchemaColumns
from dlt.extract import DltResource

from dlt_authsignal.api.tables import PROVENANCE, Table
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.source.destinations import (
    Destination,
    TableFormat,
    check_installed,
    checked_table_format,
    destination_of_type,
)
from dlt_authsignal.source.open_tables import merge_at_once, once, read_every_column


def hints(table: Table) -> dict[str, Any]:
    """Arguments of `dlt.resource` for one table: merge on its key, every known column declared.

    Declared columns exist from the first run, whether or not any row fills them. Of two rows with one key in one load
    the one read last wins.
    """
    destination, table_format = loading_into()
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


def loading_into() -> tuple[Destination, TableFormat | None]:
    """What is known of the active pipeline's destination, and the table format chosen for it.

    Raises:
        ConfigurationError: A table format that cannot be used.
    """
    context = Container()[PipelineContext]
    active = context.pipeline().destination if context.is_active() else None
    if active is None:
        return destination_of_type("duckdb"), None
    destination = destination_of_type(active.destination_type)
    if destination.table_format is None:
        return destination, None
    read_every_column()
    wanted = dlt.config.get(f"destination.{active.destination_name}.table_format", str)
    table_format = checked_table_format(wanted or destination.table_format)
    if table_format == "iceberg":
        check_installed(destination, table_format=table_format)
        merge_at_once()
    return destination, table_format


def no_rows() -> Any:
    """What makes an empty table, where there can be one: dlt 1.31 cannot make one whose merge is an upsert.

    Raises:
        ConfigurationError: The pipeline was made after the source, so that the source took another one's hints.
    """
    destination, table_format = loading_into()
    hinted = dlt.current.source().resources[dlt.current.resource_name()].compute_table_schema()
    if hinted.get("table_format") != table_format:
        raise ConfigurationError(
            f"authsignal_source() was called before dlt.pipeline(destination={destination.name!r}), so it does not know"
            " where its rows go. Make the pipeline first."
        )
    return [] if destination.strategy == "upsert" else dlt.mark.materialize_table_schema()


def selected_tables() -> frozenset[str]:
    """Names of the resources that the running extraction loads."""
    return frozenset(dlt.current.source().selected_resources)


def transformer(table: Table, parent: DltResource, rows: Callable[[Any], list[Any]]) -> DltResource:
    """A resource whose rows are picked out of what another one read. Its table exists even when no row comes, but for
    files."""

    if loading_into()[0].strategy == "upsert":
        rows = once(table.key, rows)

    def pick(batch: Any) -> Iterator[Any]:
        yield rows(batch) or no_rows()

    resource: DltResource = dlt.transformer(pick, data_from=parent, selected=not table.opt_in, **hints(table))
    return resource
