"""Read and delete rows in a database. Tables come from its catalogue, so tables that others created are included."""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from dlt.common.destination.exceptions import DestinationUndefinedEntity

from dlt_authsignal.destination.stores.value_table import condition

ROWS_AT_ONCE: Final = 10_000
STAGING: Final = "staging: "
"""Prefix for names of tables in dlt's staging dataset, which holds the rows of the last load."""

_CATALOGUE: Final = re.compile(r"FROM\s+(\S*)COLUMNS\b")


class SqlStore:
    """The dataset that a dlt client currently works in.

    Args:
        client: dlt's job client of a database, open.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._sql = client.sql_client
        self._names: dict[str, str] = {}

    def columns(self) -> dict[str, set[str]]:
        catalog, dataset, _ = self._sql._get_information_schema_components()
        query, values = self._client._get_info_schema_columns_query(catalog, dataset, [])
        found: dict[str, set[str]] = {}
        try:
            views = self._views(query, dataset)
            for row in self._sql.execute_sql(query, *values) or ():
                if row[0] not in views:
                    self._names[row[0].lower()] = row[0]
                    found.setdefault(row[0].lower(), set()).add(row[1].lower())
        except DestinationUndefinedEntity:  # no such dataset
            return {}
        return found

    def columns_of(self, table: str) -> set[str] | None:
        return self.columns().get(table)

    def _views(self, query: str, dataset: str) -> set[str]:
        place = _CATALOGUE.search(query)
        if place is None:
            return set()
        kinds = f"SELECT table_name, table_type FROM {place[1]}TABLES WHERE table_schema = %s"
        return {name for name, kind in self._sql.execute_sql(kinds, dataset) or () if "VIEW" in kind.upper()}

    def rows(
        self, table: str, wanted: Sequence[str], column: str | None = None, values: Collection[str] = ()
    ) -> Iterator[tuple[Any, ...]]:
        names = ", ".join(map(self._sql.escape_column_name, wanted))
        query = f"SELECT {names} FROM {self.place(table)}"
        if column is None:
            yield from self._fetched(query, ())
            return
        with condition(self._sql, column, values) as (is_one, parameters):
            yield from self._fetched(f"{query} WHERE {is_one}", parameters)

    def _fetched(self, query: str, parameters: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
        with self._sql.execute_query(query, *parameters) as cursor:
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                yield from rows

    def delete(self, table: str, column: str, values: Collection[str]) -> int:
        with condition(self._sql, column, values) as (is_one, parameters):
            rows = f"{self.place(table)} WHERE {is_one}"
            ((count,),) = self._sql.execute_sql(f"SELECT count(*) FROM {rows}", *parameters)
            if count:  # counted first: not every driver returns the number of deleted rows
                self._sql.execute_sql(f"DELETE FROM {rows}", *parameters)
        return int(count)

    def scrub(self) -> int:
        return 0

    def place(self, table: str) -> str:
        """Return a table's qualified, quoted name."""
        name = self._sql.capabilities.escape_identifier(self._names.get(table, table))
        return f"{self._sql.fully_qualified_dataset_name()}.{name}"


def datasets(client: Any) -> Iterator[tuple[str, SqlStore]]:
    """Yield the dataset of dlt's job client, then its staging dataset, each with a prefix for its table names."""
    yield "", SqlStore(client)
    if hasattr(client, "with_staging_dataset"):
        with client.with_staging_dataset():
            yield STAGING, SqlStore(client)
