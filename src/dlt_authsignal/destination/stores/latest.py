"""The greatest values of columns by group, whether the table is in a database or made of files."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import sql_client
from dlt_authsignal.destination.stores.queries import BATCH_AT_ONCE, are_there, arrow_columns_of, schema_of
from dlt_authsignal.destination.stores.store import is_made_of_files


def latest_by(pipeline: Pipeline, table: str, by: str, columns: Sequence[str], after: datetime) -> Iterator[Any]:
    """Yield Arrow tables with each value of `by` once a table, and the greatest value of the columns.

    Args:
        pipeline: Pipeline whose dataset is queried.
        table: The table. Nothing is returned if it, or one of the columns, does not exist.
        by: Column to group by.
        columns: The columns. The first is a time.
        after: Only rows in which the first column is later.
    """
    if not are_there(pipeline, [table]) or not schema_of(pipeline).tables[table]["columns"].keys() >= {by, *columns}:
        return
    found = _in_files if is_made_of_files(pipeline) else _in_database
    for batch in found(pipeline, table, by, columns, after):
        yield batch.rename_columns([by, *columns])  # some databases return them in capitals


def _in_database(pipeline: Pipeline, table: str, by: str, columns: Sequence[str], after: datetime) -> Iterator[Any]:
    with sql_client(pipeline) as client:
        group, *names = map(client.escape_column_name, (by, *columns))
        greatest = ", ".join(f"max({name}) AS {name}" for name in names)
        query = (
            f"SELECT {group}, {greatest} FROM {client.make_qualified_table_name(table)}"
            f" WHERE {names[0]} > %s AND {group} IS NOT NULL GROUP BY {group}"
        )
        try:
            with client.execute_query(query, after) as cursor:
                yield from cursor.iter_arrow(chunk_size=BATCH_AT_ONCE)
        except DestinationUndefinedEntity:
            return


def _in_files(pipeline: Pipeline, table: str, by: str, columns: Sequence[str], after: datetime) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    for batch in arrow_columns_of(pipeline, table, by, *columns):
        since = pa.scalar(after, batch.schema.field(columns[0]).type)
        rows = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        kept = rows.filter(pc.and_(pc.greater(rows[columns[0]], since), pc.is_valid(rows[by])))
        grouped = kept.group_by(by).aggregate([(name, "max") for name in columns])
        yield grouped.select([by, *(f"{name}_max" for name in columns)])
