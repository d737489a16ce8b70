"""How a table of the registry becomes a dlt resource."""

from collections.abc import Callable, Iterator
from typing import Any

import dlt
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext
from dlt.common.schema.typing import TTableSchemaColumns
from dlt.extract import DltResource

from dlt_authsignal.api.tables import PROVENANCE, Table

FASTEST_FORMAT = {"duckdb": "parquet", "motherduck": "parquet", "postgres": "csv"}
"""Loader file formats that beat the destination's own default."""


def hints(table: Table) -> dict[str, Any]:
    """Arguments of `dlt.resource` for one table: merge on its key, every known column declared.

    Declared columns exist from the first run, whether or not any row fills them. Of two rows with one key in one load
    the one read last wins.
    """
    return {
        "name": table.name,
        "primary_key": list(table.key),
        "write_disposition": {"disposition": "merge", "strategy": "delete-insert"},
        "columns": columns(table),
        "file_format": _file_format(),
    }


def columns(table: Table) -> TTableSchemaColumns:
    """dlt's column hints for one table."""
    declared: TTableSchemaColumns = {
        column.name: {"name": column.name, "data_type": column.type, "nullable": column.name not in table.key}
        for column in (*table.columns, *PROVENANCE)
    }
    declared["_read_at"]["dedup_sort"] = "desc"
    return declared


def _file_format() -> Any:
    context = Container()[PipelineContext]
    if not context.is_active():
        return None
    return FASTEST_FORMAT.get(context.pipeline().destination.destination_name)


def selected_tables() -> frozenset[str]:
    """Names of the resources that the running extraction loads."""
    return frozenset(dlt.current.source().selected_resources)


def transformer(table: Table, parent: DltResource, rows: Callable[[Any], list[Any]]) -> DltResource:
    """A resource whose rows are picked out of what another one read. Its table exists even when no row comes."""

    def pick(batch: Any) -> Iterator[Any]:
        yield rows(batch) or dlt.mark.materialize_table_schema()

    resource: DltResource = dlt.transformer(pick, data_from=parent, selected=not table.opt_in, **hints(table))
    return resource
