"""Read small tables that this machine's schema may not know: another machine or another pipeline created them."""

from collections.abc import Collection, Sequence
from typing import Any

from dlt.common.destination.exceptions import DestinationUndefinedEntity, SqlClientNotAvailable
from dlt.destinations.exceptions import DatabaseException
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import sql_client
from dlt_authsignal.destination.duckdb_file import database_file
from dlt_authsignal.destination.stores.opened import open_stores
from dlt_authsignal.destination.stores.store import is_made_of_files


class ColumnsLost(Exception):
    """A table exists and lacks columns that it was made with.

    Attributes:
        table: The table.
        columns: The columns that it lacks.
    """

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        self.table, self.columns = table, tuple(columns)
        super().__init__(f"{table} lacks {', '.join(columns)}")


def rows_of(pipeline: Pipeline, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return the distinct values of some columns; nothing if the table does not exist.

    Raises:
        ColumnsLost: The table lacks one of the columns.
    """
    if pipeline.destination is None:
        return []
    if is_made_of_files(pipeline):
        return _file_rows(pipeline, table, columns)
    file = database_file(pipeline)
    if file and not file.exists():  # opening it would create it
        return []
    try:
        with sql_client(pipeline) as client:
            place = client.make_qualified_table_name(table)
            names = ", ".join(map(client.escape_column_name, columns))
            try:
                return [tuple(row) for row in client.execute_sql(f"SELECT DISTINCT {names} FROM {place}") or ()]
            except DestinationUndefinedEntity:
                return []
            except DatabaseException:
                with client.execute_query(f"SELECT * FROM {place} WHERE 1 = 0") as cursor:
                    _check(table, columns, {field[0].lower() for field in cursor.description})
                raise
    except (DestinationUndefinedEntity, SqlClientNotAvailable):
        return []


def _file_rows(pipeline: Pipeline, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    with open_stores(pipeline) as stores:
        found: dict[tuple[Any, ...], None] = {}
        for _, store in stores:
            opened = store.columns_of(table)
            if opened is not None:
                _check(table, columns, opened)
                found |= dict.fromkeys(store.rows(table, columns))
        return list(found)


def _check(table: str, columns: Sequence[str], held: Collection[str]) -> None:
    if lost := [name for name in columns if name not in held]:
        raise ColumnsLost(table, lost)
