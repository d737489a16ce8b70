"""Convert a table of the registry to a dlt resource."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import dlt
from dlt.common.schema import Schema
from dlt.extract import DltResource

from dlt_authsignal.destination.dlt_patches import adapt_running_pipeline
from dlt_authsignal.destination.load_hints import active_destination, hints, no_rows
from dlt_authsignal.schema.columns import Table
from dlt_authsignal.source.metrics.schema_drift import Drift
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.rows.flatten import Answers

_STRICTEST: Final = Privacy()
STATE: Final = "authsignal_source"
"""Name of the part of dlt's state that this source uses."""

HASHED_COLUMNS: Final = "hashed_columns"


def selected_tables() -> frozenset[str]:
    """Return the names of the resources that the running extraction loads."""
    return frozenset(dlt.current.source().selected_resources)


class Loading:
    """Passes rows of one table to the running extraction. Create it inside the extraction.

    It uses Arrow tables if the destination accepts them and the table was not first loaded with rows; else rows.

    Args:
        table: The table.
        api: API that the responses come from.
        tenant_id: Tenant id for rows whose response does not contain one.
        privacy: Protects identifiers in responses; rows are passed unchanged.
        drift: Collects the schema drift.

    Attributes:
        name: Name of the table.
        as_rows: Whether it passes rows.
        stored: Types of the columns in the destination.
        naming: Returns the destination's name for an undeclared column.
        shaper: Makes the items for dlt.

    Raises:
        ConfigurationError: The pipeline was created after the source.
    """

    def __init__(
        self,
        table: Table,
        *,
        api: str = "",
        tenant_id: str | None = None,
        privacy: Privacy = _STRICTEST,
        drift: Drift | None = None,
    ) -> None:
        adapt_running_pipeline()
        nothing = no_rows(table.name)
        schema = dlt.current.source().schema
        stored = schema.tables.get(table.name, {}).get("columns", {})
        destination, _ = active_destination()
        as_rows = not destination.arrow or "_dlt_id" in stored
        self.name = table.name
        self.as_rows = as_rows
        self.stored = {name: str(column["data_type"]) for name, column in stored.items() if "data_type" in column}
        self.naming: Callable[[str], str] = schema.naming.normalize_path
        self._file_format = destination.row_format if as_rows else None
        self._key = table.key if destination.strategy == "upsert" else ()
        self._seen: set[int] = set()
        self.shaper = _shaper_class(as_rows)(
            table,
            api=api,
            tenant_id=tenant_id,
            privacy=privacy,
            stored=self.stored,
            naming=self.naming,
            each_once=destination.strategy == "upsert",
            drift=drift and drift.of(table.name),
            hashed=_hashed_columns(table.name),
        )
        is_made = stored.keys() >= {column.name for column in table.columns} and _is_loaded(schema, table.name)
        if is_made or destination.strategy == "upsert":
            self._nothing: Any = []
        else:
            self._nothing = nothing if as_rows else self.shaper.nothing()

    def nothing(self) -> Any:
        """Return an item that creates the table without rows; nothing if the table exists, since a merge takes time."""
        return self._nothing

    def answers(self, answers: Answers) -> Iterator[Any]:
        """Yield the items for dlt from responses."""
        if answers.items:
            yield self._hinted(self.shaper(answers))

    def rows(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
        """Yield the items for dlt from rows with column names, unchanged."""
        listed = [dict(row) for row in rows]
        if listed:
            yield self._hinted(self.shaper.plain(listed))

    def shaped(self, rows: Any) -> Iterator[Any]:
        """Yield the items for dlt from an Arrow table that another process has shaped."""
        if self._key:  # an upsert would insert all rows with one key
            from dlt_authsignal.source.rows.arrow_hash import cells, first_places, total

            keys = total((cells(name, rows[name].combine_chunks()) for name in self._key), rows.num_rows)
            rows = rows.take(first_places(keys, range(rows.num_rows), self._seen))
        if rows.num_rows:
            yield self._hinted(rows)

    def table(self, rows: Any, new_types: Mapping[str, str]) -> Any:
        """Return the item for dlt from an Arrow table whose columns are those of the destination.

        Args:
            rows: The table.
            new_types: Types of columns that dlt cannot know from the table.
        """
        return self._hinted(rows, new_types)

    def _hinted(self, batch: Any, new_types: Mapping[str, str] | None = None) -> Any:
        new = self.shaper.new_types() if new_types is None else new_types
        if not new and self._file_format is None:
            return batch
        columns: Any = {name: {"name": name, "data_type": kind} for name, kind in new.items()} or None
        made = dlt.mark.make_hints(columns=columns, file_format=self._file_format)
        self._file_format = None  # a hint holds for the rest of the run
        return dlt.mark.with_hints(batch, made)


class Loadings:
    """The `Loading` of each table in the running extraction: one for each table."""

    def __init__(self, begin: Callable[[Table], Loading]) -> None:
        self._begin = begin
        self._begun: dict[str, Loading] = {}

    def restart(self) -> None:
        """Forget those of an earlier extraction."""
        self._begun.clear()

    def __call__(self, table: Table) -> Loading:
        if table.name not in self._begun:
            self._begun[table.name] = self._begin(table)
        return self._begun[table.name]


def _hashed_columns(table: str) -> list[str]:
    """Return the undeclared columns of a table that are hashed. dlt stores the list with the data, for later runs."""
    state: dict[str, Any] = dlt.current.source_state(STATE)
    found: list[str] = state.setdefault(HASHED_COLUMNS, {}).setdefault(table, [])
    return found


def _is_loaded(schema: Schema, table: str) -> bool:
    return table in schema.data_table_names(seen_data_only=True)


def _shaper_class(as_rows: bool) -> Any:
    if as_rows:
        from dlt_authsignal.source.rows.row_builder import Placer

        return Placer
    from dlt_authsignal.source.rows.arrow_builder import Shaper

    return Shaper


@dataclass(frozen=True)
class Batch:
    """What one step of a read returned, for the resources of its tables.

    Attributes:
        run: The extraction that it belongs to: a source can be extracted again.
        items: What was read; empty for the batch that only creates the tables.
    """

    run: object
    items: list[Any]


def parent_resource(name: str, read: Callable[[], Iterator[list[Any]]]) -> DltResource:
    """Return the resource of a read whose batches fill several tables. Select the tables, not this resource."""

    def numbered() -> Iterator[Batch]:
        run = object()
        for items in read():
            yield Batch(run, items)

    resource: DltResource = dlt.resource(numbered, name=name, selected=False)
    return resource


def table_resource(
    table: Table,
    parent: DltResource,
    begin: Callable[[Table], Loading],
    items: Callable[[Loading, Any], Iterator[Any]],
) -> DltResource:
    """Return a resource that takes rows from the batches of a parent resource. Its table is created even without rows,
    except for files.

    Batches may arrive in any order: beyond twenty waiting ones, dlt hands out the newest first.
    """
    running: dict[object, Loading] = {}

    def pick(batch: Batch) -> Iterator[Any]:
        if batch.run not in running:
            running.clear()
            running[batch.run] = begin(table)
            yield running[batch.run].nothing()
        if batch.items:
            yield from items(running[batch.run], batch.items)

    resource: DltResource = dlt.transformer(
        pick, data_from=parent, selected=not table.opt_in, **hints(table, as_rows=False)
    )
    return resource


def transformer(table: Table, parent: DltResource, rows: Callable[[Any], list[Any]]) -> DltResource:
    """Return a resource that selects rows from the batches of another one. Its table is created even without rows,
    except for files."""

    def pick(batch: Any) -> Iterator[Any]:
        adapt_running_pipeline()
        yield rows(batch) or no_rows()

    resource: DltResource = dlt.transformer(pick, data_from=parent, selected=not table.opt_in, **hints(table))
    return resource
