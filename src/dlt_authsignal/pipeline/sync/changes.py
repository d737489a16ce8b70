"""Count what a run changed, by comparing row hashes with those in the destination."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.duckdb_file import database_file, keep_open
from dlt_authsignal.destination.stores.queries import alive_columns_of

if TYPE_CHECKING:
    from dlt_authsignal.source.rows.arrow_hash import Hashes

MAX_SMALL: Final = 10_000
"""Rows of a table that is read together with others."""


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """What one run did to one table.

    Attributes:
        read: Rows read from Authsignal.
        new: Rows that were not in the table before, or were marked as deleted.
        changed: Rows whose values at Authsignal have changed.
        deleted: Rows newly marked as deleted.
        total: Rows in the table after the run, without those marked as deleted.
    """

    read: int
    new: int
    changed: int
    deleted: int
    total: int


@dataclass
class Tally:
    """Count rows on their way to the destination, and compare them with the row hashes it already has.

    Args:
        tables: Names of the tables to count.
        known_hashes: Returns a table's sorted row hashes; called when the table's first row arrives.
    """

    tables: list[str]
    known_hashes: Callable[[str], Hashes]
    read: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    _known: dict[str, Hashes] = field(default_factory=dict)

    def counter(self, table: str) -> Callable[[Any], Any]:
        """Return a dlt map step that counts one table's rows, single or as Arrow tables, and returns them unchanged."""

        def count(rows: Any) -> Any:
            hashes = _hashes(rows)
            if len(hashes):
                if table not in self._known:
                    self._known[table] = self.known_hashes(table)
                self.read[table] += len(hashes)
                self.unchanged[table] += _held(self._known[table], hashes)
            return rows

        return count

    def reports(
        self, before: Mapping[str, int], after: Mapping[str, int], deleted: Mapping[str, int]
    ) -> dict[str, TableReport]:
        """Return a report for each table, from its rows before and after the run and those marked as deleted."""
        return {name: self._report(name, before[name], after[name], deleted.get(name, 0)) for name in self.tables}

    def _report(self, table: str, before: int, after: int, deleted: int) -> TableReport:
        new = after - before + deleted
        changed = max(0, self.read[table] - self.unchanged[table] - new)
        return TableReport(read=self.read[table], new=new, changed=changed, deleted=deleted, total=after)


def _hashes(rows: Any) -> Hashes:
    import numpy as np

    from dlt_authsignal.source.rows.arrow_hash import from_text

    if isinstance(rows, dict):
        return np.array([int(rows["_row_hash"], 16)], np.uint64)
    return from_text(rows["_row_hash"]) if hasattr(rows, "column_names") else np.array([], np.uint64)


def _held(known: Hashes, hashes: Hashes) -> int:
    """Return how many of the hashes are known."""
    import numpy as np

    if not len(known):
        return 0
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return int(np.count_nonzero(known[places] == hashes))


@dataclass
class KnownHashes:
    """Read the sorted hashes of a table's rows, without those marked as deleted: 8 bytes per row.

    A DuckDB file takes longer to open than a small table takes to read. So the first call reads all small tables.

    Args:
        pipeline: Pipeline whose dataset is queried.
        rows: Rows of each table before the run, without those marked as deleted.
    """

    pipeline: Pipeline
    rows: Mapping[str, int]
    _small: dict[str, Hashes] | None = None

    def __call__(self, table: str) -> Hashes:
        """Return the hashes of one table."""
        if not self.rows[table]:
            return _sorted([])
        if self._small is None:
            self._small = self._of_small_tables()
        found = self._small.pop(table, None)
        return self._of(table) if found is None else found

    def _of_small_tables(self) -> dict[str, Hashes]:
        if database_file(self.pipeline) is None:
            return {}
        with keep_open(self.pipeline):
            return {name: self._of(name) for name, rows in self.rows.items() if 0 < rows <= MAX_SMALL}

    def _of(self, table: str) -> Hashes:
        from dlt_authsignal.source.rows.arrow_hash import from_text

        return _sorted([from_text(batch["_row_hash"]) for batch in alive_columns_of(self.pipeline, table, "_row_hash")])


def _sorted(parts: list[Hashes]) -> Hashes:
    import numpy as np

    found = np.concatenate(parts) if parts else np.array([], np.uint64)
    found.sort()
    return found
