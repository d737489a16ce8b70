"""Refuse a dataset whose tables an earlier version made in a way that a sync cannot upgrade.

Tables and columns that a later version adds need no upgrade: dlt creates them, and older rows are null in them. What
cannot be added later are the columns by which rows are found, attributed and marked as deleted.
"""

from collections.abc import Iterator
from typing import Final

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.stores.queries import schema_of
from dlt_authsignal.errors import DatasetTooOld
from dlt_authsignal.schema.columns import DELETED_AT, Table
from dlt_authsignal.schema.tables.bookkeeping import SYNC_RUNS, USER_READS
from dlt_authsignal.schema.tables.server import PROVENANCE, TABLES

_CHECKED: Final = (*TABLES.values(), USER_READS, SYNC_RUNS)


def check_layout(pipeline: Pipeline) -> None:
    """Check that the tables of the pipeline's dataset, as dlt has recorded them, have the columns that every row needs.

    A column that a user of the database dropped is in dlt's record, so it is no sign of an earlier version.

    Raises:
        DatasetTooOld: A table was made without one of them. The message says how to load a new dataset.
    """
    if problem := problem_of(pipeline):
        raise problem


def problem_of(pipeline: Pipeline) -> DatasetTooOld | None:
    """Return the error with which a sync refuses the dataset; None if it does not."""
    for table, column in _lacking(pipeline):
        return DatasetTooOld(pipeline.pipeline_name, pipeline.dataset_name, table, column)
    return None


def _lacking(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    """Yield each table, as dlt has recorded it, with the first column that it was made without."""
    if not pipeline.default_schema_name:
        return
    schema = schema_of(pipeline)
    loaded = set(schema.data_table_names(seen_data_only=True))
    for table in _CHECKED:
        if table.name in loaded:
            recorded = schema.get_table_columns(table.name)
            yield from ((table.name, name) for name in _needed(table) if name not in recorded)


def _needed(table: Table) -> Iterator[str]:
    yield from table.key
    yield from (column.name for column in PROVENANCE if not column.name.startswith("_dlt"))
    if DELETED_AT in table.columns:
        yield DELETED_AT.name
