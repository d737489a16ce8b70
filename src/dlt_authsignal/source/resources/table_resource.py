"""How a table of the registry becomes a dlt resource."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import dlt
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext
from dlt.common.schema import Schema
from dlt.common.schema.typing import TTableSchemaColumns
from dlt.extract import DltResource

from dlt_authsignal.destination.dlt_patches import merge_at_once, read_every_column
from dlt_authsignal.destination.registry import (
    Destination,
    TableFormat,
    check_installed,
    checked_table_format,
    destination_of_type,
)
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.tables import PROVENANCE
from dlt_authsignal.source.duckdb_memory import limit_memory
from dlt_authsignal.source.metrics.schema_drift import Drift
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.rows.flatten import Answers

_STRICTEST: Final = Privacy()


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
        return destination_of_type("none yet"), None
    destination = destination_of_type(active.destination_type)
    if destination.transactions:
        # dlt 1.31 does not say of any database that it has them, and then deletes and inserts without one
        active.caps_params.setdefault("supports_transactions", True)
    if destination.name == "duckdb":
        limit_memory()
    if destination.name == "postgres":
        # a file that was copied before its run was killed is copied again, and unique ids would refuse that for ever
        active.config_params["create_indexes"] = False
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


class Loading:
    """How rows of one table go into the running extraction: as Arrow tables where the destination takes them and was
    not begun with rows, else as rows. Make it inside of the extraction.

    Args:
        table: The table.
        lane: Lane that answers come from.
        tenant_id: Written into rows whose answer does not say.
        privacy: What is done to identifiers in answers; rows are taken as they are.
        drift: Where to note what the tables were not made for.

    Raises:
        ConfigurationError: The pipeline was made after the source.
    """

    def __init__(
        self,
        table: Table,
        *,
        lane: str = "",
        tenant_id: str | None = None,
        privacy: Privacy = _STRICTEST,
        drift: Drift | None = None,
    ) -> None:
        nothing = no_rows()
        schema = dlt.current.source().schema
        stored = schema.tables.get(table.name, {}).get("columns", {})
        destination, _ = loading_into()
        as_rows = not destination.arrow or "_dlt_id" in stored
        self._shaper = _shaper_class(as_rows)(
            table,
            lane=lane,
            tenant_id=tenant_id,
            privacy=privacy,
            stored={name: str(column["data_type"]) for name, column in stored.items() if "data_type" in column},
            naming=schema.naming.normalize_path,
            each_once=destination.strategy == "upsert",
            drift=drift and drift.of(table.name),
        )
        is_made = stored.keys() >= {column.name for column in table.columns} and _is_loaded(schema, table.name)
        if is_made or destination.strategy == "upsert":
            self._nothing: Any = []
        else:
            self._nothing = nothing if as_rows else self._shaper.nothing()

    def nothing(self) -> Any:
        """What makes the table, even if no row comes. To merge nothing into one that is there would take its time."""
        return self._nothing

    def answers(self, answers: Answers) -> Iterator[Any]:
        """What dlt takes for these answers."""
        if answers.items:
            yield self._hinted(self._shaper(answers))

    def rows(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
        """What dlt takes for rows as they are, by column name."""
        listed = [dict(row) for row in rows]
        if listed:
            yield self._hinted(self._shaper.plain(listed))

    def _hinted(self, batch: Any) -> Any:
        new = self._shaper.new_types()
        if not new:
            return batch
        columns: Any = {name: {"name": name, "data_type": kind} for name, kind in new.items()}
        return dlt.mark.with_hints(batch, dlt.mark.make_hints(columns=columns))


def _is_loaded(schema: Schema, table: str) -> bool:
    return table in schema.data_table_names(seen_data_only=True)


def _shaper_class(as_rows: bool) -> Any:
    if as_rows:
        from dlt_authsignal.source.rows.row_builder import Placer

        return Placer
    from dlt_authsignal.source.rows.arrow_builder import Shaper

    return Shaper


def fed(
    table: Table,
    parent: DltResource,
    begin: Callable[[Table], Loading],
    items: Callable[[Loading, Any], Iterator[Any]],
) -> DltResource:
    """A resource that is fed by what another one read, which begins with an empty batch. Its table exists even when no
    row comes, but for files."""
    running: list[Loading] = []

    def pick(batch: Any) -> Iterator[Any]:
        if not batch:
            running[:] = [begin(table)]
            yield running[0].nothing()
            return
        yield from items(running[0], batch)

    resource: DltResource = dlt.transformer(pick, data_from=parent, selected=not table.opt_in, **hints(table))
    return resource


def transformer(table: Table, parent: DltResource, rows: Callable[[Any], list[Any]]) -> DltResource:
    """A resource whose rows are picked out of what another one read. Its table exists even when no row comes, but for
    files."""

    def pick(batch: Any) -> Iterator[Any]:
        yield rows(batch) or no_rows()

    resource: DltResource = dlt.transformer(pick, data_from=parent, selected=not table.opt_in, **hints(table))
    return resource


class _Meant(logging.Filter):
    """dlt warns for each batch that a column of JSON comes as text; Arrow knows it no other way."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "when merging arrow schema with dlt schema" not in record.getMessage()


logging.getLogger("dlt").addFilter(_Meant())
