"""What a run changed, counted against the fingerprints that the destination held before."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """What one run did to one table.

    Attributes:
        read: Rows read from Authsignal.
        new: Rows the table did not have before.
        changed: Rows that Authsignal now describes otherwise.
        total: Rows in the table after the run.
    """

    read: int
    new: int
    changed: int
    total: int


@dataclass
class Tally:
    """Counts rows on their way to the destination against the fingerprints it holds already."""

    known: Mapping[str, array[int]]
    read: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)

    @property
    def tables(self) -> list[str]:
        return list(self.known)

    def counter(self, table: str) -> Any:
        """A dlt map step that counts and passes on the rows of one table."""
        known = self.known[table]

        def count(row: Any) -> Any:
            if isinstance(row, dict):
                self.read[table] += 1
                self.unchanged[table] += _holds(known, int(row["_row_hash"], 16))
            return row

        return count

    def report(self, table: str, before: int, after: int) -> TableReport:
        new = after - before
        changed = max(0, self.read[table] - self.unchanged[table] - new)
        return TableReport(read=self.read[table], new=new, changed=changed, total=after)


def _holds(values: array[int], value: int) -> bool:
    index = bisect_left(values, value)
    return index < len(values) and values[index] == value
