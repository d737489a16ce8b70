"""Destination's names for the columns of one table, and the limit on their number."""

from collections.abc import Callable, Iterable
from typing import Final

from dlt_authsignal.source.rows.field_tree import MORE, is_variant

MOST_UNDECLARED: Final = 200
"""Maximum number of columns for undeclared fields in one table.

PostgreSQL and Redshift allow 1,600 columns. With one further column per other type, tables stay below that.
"""


class Names:
    """Gives each column of one table its name in the destination. No two columns share a name.

    Args:
        declared: Columns of the table registry, whose names are the same everywhere.
        stored: Columns in the destination.
        naming: Returns the destination's name for an undeclared column.
    """

    def __init__(self, declared: Iterable[str], stored: Iterable[str] = (), naming: Callable[[str], str] = str) -> None:
        self._names: dict[str, str | None] = {name: name for name in (*declared, MORE)}
        self._taken: set[str | None] = set(self._names)
        self._stored = {name for name in stored if name not in self._taken and not _is_beside(name)}
        self._free = MOST_UNDECLARED - len(self._stored)
        self._naming = naming

    def column(self, column: str) -> str | None:
        """Return the destination's name of a column; None if it has none, because the maximum number is reached or a
        naming convention of the user's gives two columns one name."""
        if column in self._names:
            return self._names[column]
        name = self._naming(column)
        is_new = name not in self._stored
        if name in self._taken or (is_new and self._free <= 0):
            return None
        self._free -= is_new
        self._taken.add(name)
        self._names[column] = name
        return name

    def fields(self) -> dict[str, str]:
        """Return the field of each undeclared column that was asked for, by its name in the destination."""
        return {name: column for column, name in self._names.items() if name is not None}


def _is_beside(name: str) -> bool:
    return name.startswith("_dlt") or is_variant(name)
