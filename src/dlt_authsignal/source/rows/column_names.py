"""The columns that the fields of one table go into."""

from collections.abc import Callable, Iterable
from typing import Final

from dlt_authsignal.source.rows.flatten import MORE, is_variant

MOST_UNDECLARED: Final = 200
"""Columns for fields that nobody declared, in one table.

PostgreSQL and Redshift end at 1,600 columns: with these, and one beside each for every other type, no table gets there.
"""


class Names:
    """Gives each field of one table a column. No two fields share one.

    Args:
        declared: Columns that are named as their fields are.
        stored: Columns that the destination has.
        naming: The destination's name for a column that is not declared.
    """

    def __init__(self, declared: Iterable[str], stored: Iterable[str] = (), naming: Callable[[str], str] = str) -> None:
        self._columns: dict[str, str] = {name: name for name in (*declared, MORE)}
        self._taken = set(self._columns)
        self._stored = {name for name in stored if name not in self._taken and not _is_beside(name)}
        self._free = MOST_UNDECLARED - len(self._stored)
        self._naming = naming

    def column(self, field: str) -> str | None:
        """The column of a field; None if there are too many already, and it has none among them."""
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
