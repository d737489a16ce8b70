"""Answers to rows that dlt takes as they are: each value in a column of its type, as in Arrow tables.

Left to itself, dlt would make 5 true in a column of truth values, 16 of "0x10", and a time of any number.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from dlt_authsignal.destination.dlt_patches import once
from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.tables import PROVENANCE
from dlt_authsignal.source.metrics.schema_drift import TableDrift
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.rows.column_names import Names
from dlt_authsignal.source.rows.column_types import Columns
from dlt_authsignal.source.rows.flatten import MORE, Answers, Row, kept, rows_of, without_key

_NOTHING: Final[Mapping[str, str]] = {}


class Placer:
    """Makes rows of one table's answers. Knows the columns that are there already, and those it has added.

    Args:
        table: The table.
        lane: Lane that the answers come from.
        tenant_id: Written into rows whose answer does not say.
        privacy: What is done to identifiers.
        stored: Types of the columns that the destination has.
        naming: The destination's name for a column that is not declared.
        each_once: Leaves out rows whose key has come before: an upsert would insert them all.
        drift: Where to note what the table was not made for.
    """

    def __init__(
        self,
        table: Table,
        *,
        lane: str,
        tenant_id: str | None,
        privacy: Privacy,
        stored: Mapping[str, str] = _NOTHING,
        naming: Callable[[str], str] = str,
        each_once: bool = False,
        drift: TableDrift | None = None,
    ) -> None:
        self._table = table
        self._key = frozenset(table.key)
        rows = rows_of(table, lane=lane, tenant_id=tenant_id, privacy=privacy)
        self._rows = once(table.key, rows) if each_once else rows
        declared = self._declared = {column.name: column.type for column in (*table.columns, *PROVENANCE)}
        self._drift = TableDrift() if drift is None else drift
        self._columns = Columns({**stored, **declared}, self._drift)
        self._names = Names(declared, stored, naming)

    def __call__(self, answers: Answers) -> list[Row]:
        """Rows; of those with one key in one answer, the one updated last.

        Raises:
            UnexpectedAnswer: An answer lacks part of the table's key.
        """
        placed = self.plain(self._rows(answers))
        for row in placed:
            if not row.keys() >= self._key:
                raise without_key(self._table, sorted(self._key - row.keys()))
        return placed

    def plain(self, rows: Iterable[Mapping[str, Any]]) -> list[Row]:
        """The same of flat rows."""
        return [self._placed(row) for row in rows]

    def new_types(self) -> dict[str, str]:
        """Types of the columns that have come up. Each is told once."""
        return self._columns.untold()

    def _placed(self, row: Mapping[str, Any]) -> Row:
        placed: Row = {}
        homeless: Row = {}
        for name, value in row.items():
            if value is None:  # an upsert leaves what is not named
                placed |= {name: None} if name in self._declared else {}
                continue
            column = self._names.column(name)
            if column is None:
                homeless[name] = kept(value, own=True)
                self._drift.into_json(name, 1)
            else:
                placed.update((self._columns.put(column, value),))
        if homeless:
            placed.update((self._columns.put(MORE, homeless),))
        return placed
