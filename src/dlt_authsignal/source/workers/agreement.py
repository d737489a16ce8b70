"""What all workers must decide alike about columns that this version does not know.

Each worker sees only some rows. If it decided alone, two workers could give one column two types, and a text that is
hashed in the rows of one worker could be plain in those of another. So the sync decides, and each worker asks it once
about each new name, and before each slice for what the others found.
"""

from collections.abc import Mapping
from typing import Protocol

from dlt_authsignal.source.privacy.places import Places
from dlt_authsignal.source.rows.column_types import Columns
from dlt_authsignal.source.workers.channel import Channel


class Undecided(Protocol):
    """The part of a `Shaper` that decides about one table."""

    places: Places
    columns: Columns

    def column(self, name: str) -> str | None:
        """Return the destination's name of a column; None if it has none."""


class Decisions:
    """Answers the workers' questions, in the process of the sync.

    Args:
        tables: What decides about each table.
    """

    def __init__(self, tables: Mapping[str, Undecided]) -> None:
        self._tables = tables

    def column(self, table: str, name: str) -> str | None:
        """Return the destination's name of an undeclared column; None if it has none."""
        return self._tables[table].column(name)

    def kind(self, table: str, name: str, kind: str) -> str:
        """Return the type of an added column."""
        return self._tables[table].columns.settled(name, kind)

    def hash_from_now(self, table: str, path: str) -> None:
        """Record that text at a place is hashed."""
        self._tables[table].places.hash_from_now(path)

    def words_with(self, table: str, path: str, word: str) -> int:
        """Record a word at a place; return the number of its different words, or -1 if its text is hashed."""
        places = self._tables[table].places
        return -1 if places.is_hashed(path) else places.words_with(path, word)

    def news(self, known: Mapping[str, int]) -> dict[str, list[str]]:
        """Return the places that are hashed by table, without those that the worker knows."""
        found = {table: self._tables[table].places.remembered[count:] for table, count in known.items()}
        return {table: paths for table, paths in found.items() if paths}


class SharedPlaces(Places):
    """The places of one table, in a worker."""

    def __init__(self, remembered: list[str], sync: Channel, table: str) -> None:
        super().__init__(remembered)
        self.known = len(remembered)
        self._sync, self._table = sync, table

    def hash_from_now(self, path: str) -> None:
        if not self.is_hashed(path):
            self._sync.ask("hash_from_now", self._table, path)
        super().hash_from_now(path)

    def words_with(self, path: str, word: str) -> int:
        if word in self._words.get(path, ()):
            return len(self._words[path])
        count: int = self._sync.ask("words_with", self._table, path, word)
        if count < 0:
            super().hash_from_now(path)
            return 0
        super().words_with(path, word)
        return count

    def learn(self, paths: list[str]) -> None:
        """Take over places that other workers hash."""
        self.known += len(paths)
        for path in paths:
            super().hash_from_now(path)


class Agreement:
    """What the workers decide together about one table, in a worker.

    Attributes:
        places: The places whose text is hashed.
    """

    def __init__(self, table: str, hashed: list[str], sync: Channel) -> None:
        self.places = SharedPlaces(hashed, sync, table)
        self._table, self._sync = table, sync

    def column(self, name: str) -> str | None:
        """Return the destination's name of an undeclared column; None if it has none."""
        found: str | None = self._sync.ask("column", self._table, name)
        return found

    def kind(self, name: str, kind: str) -> str:
        """Return the type of an added column."""
        found: str = self._sync.ask("kind", self._table, name, kind)
        return found
