"""Column names for the fields of one table."""

from collections.abc import Callable, Iterable
from typing import Final

from dlt_authsignal.source.rows.flatten import MORE, is_variant

MOST_UNDECLARED: Final = 200
"""Maximum number of columns for undeclared fields in one table.

PostgreSQL and Redshift allow 1,600 columns. With one further column per other type, tables stay below that.
"""


class Names:
    """Assigns a column to each field of one table. No two fields share a column.

    Args:
        declared: Columns of the table registry, whose names equal their field names.
        stored: Columns in the destination.
        naming: Returns the destination's name for an undeclared column.
    """

    def __init__(self, declared: Iterable[str], stored: Iterable[str] = (), naming: Callable[[str], str] = str) -> None:
        self._columns: dict[str, str] = {name: name for name in (*declared, MORE)}
        self._taken = set(self._columns)
        self._stored = {name for name in stored if name not in self._taken and not _is_beside(name)}
        self._free = MOST_UNDECLARED - len(self._stored)
        self._naming = naming

    def column(self, field: str) -> str | None:
        """Return the column of a field; None if it has none and the maximum number of columns is reached."""
        if field in self._columns:
            return self._columns[field]
        name = self._unshared(field)
        if name not in self._stored:
            if self._free <= 0:
                return None
            self._free -= 1
        self._taken.add(name)
        self._columns[field] = name
        return name

    def _unshared(self, field: str) -> str:
        name = self._naming(field)
        while name in self._taken:
            name = self._naming(f"{name}__2")
        return name


def _is_beside(name: str) -> bool:
    return name.startswith("_dlt") or is_variant(name)
