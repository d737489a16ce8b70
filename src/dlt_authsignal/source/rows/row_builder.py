"""Build rows from API responses, with each value in a column of its type, as in Arrow tables.

Without this, dlt would convert values: 5 to true in a boolean column, "0x10" to 16, and any number to a time.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

from dlt_authsignal.schema.columns import DELETED_AT, Table
from dlt_authsignal.schema.row_hash import unhashed
from dlt_authsignal.schema.tables.server import PROVENANCE, PROVENANCE_NAMES
from dlt_authsignal.source.metrics.schema_drift import TableDrift
from dlt_authsignal.source.privacy.guard import Guard
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.rows.arrow_hash import as_text, cells, first_places, total
from dlt_authsignal.source.rows.column_names import Names
from dlt_authsignal.source.rows.column_types import Columns, as_array, is_too_fine
from dlt_authsignal.source.rows.field_tree import MORE, FieldTree
from dlt_authsignal.source.rows.flatten import Answers, Row, differs, flat, is_no_id, kept, updated, without_key

_NOTHING: Final[Mapping[str, str]] = {}


class Placer:
    """Builds rows from the responses for one table. Keeps track of existing and added columns.

    Args:
        table: The table.
        api: API that the responses come from.
        tenant_id: Tenant id for rows whose response does not contain one.
        privacy: Rules that protect identifiers.
        stored: Types of the columns in the destination.
        naming: Returns the destination's name for an undeclared column.
        each_once: Whether to skip rows whose key came before; an upsert would insert all of them.
        drift: Collects the schema drift.
        hashed: Undeclared columns that earlier runs hashed; new ones are added.
    """

    def __init__(
        self,
        table: Table,
        *,
        api: str,
        tenant_id: str | None,
        privacy: Privacy,
        stored: Mapping[str, str] = _NOTHING,
        naming: Callable[[str], str] = str,
        each_once: bool = False,
        drift: TableDrift | None = None,
        hashed: list[str] | None = None,
    ) -> None:
        self._table = table
        self._key = frozenset(table.key)
        self._unhashed = unhashed(table, api)
        self._seen: set[int] | None = set() if each_once else None
        declared = self._declared = {column.name: column.type for column in (*table.columns, *PROVENANCE)}
        self._drift = TableDrift() if drift is None else drift
        self._shape = RowShaper(
            table, api=api, tenant_id=tenant_id, privacy=privacy, stored=stored, drift=self._drift, hashed=hashed
        )
        self._columns = Columns({**stored, **declared}, self._drift, self._shape.guard.protect_mismatch)
        self._names = Names(declared, stored, naming)

    def __call__(self, answers: Answers) -> list[Row]:
        """Return the rows. If several rows of one response have the same key, only the latest one is returned.

        Raises:
            UnexpectedAnswer: Part of the table's key is missing in a response.
        """
        placed = self.plain(self._shape.latest(answers))
        for row in placed:
            if not row.keys() >= self._key:
                raise without_key(self._table, sorted(self._key - row.keys()))
        self._add_hashes(placed)
        if self._seen is None:
            return placed
        keys = [hash(tuple(row[name] for name in self._table.key)) for row in placed]
        return [placed[place] for place in first_places(keys, range(len(placed)), self._seen)]

    def plain(self, rows: Iterable[Mapping[str, Any]]) -> list[Row]:
        """Return the rows for objects that are already flat."""
        return [self._placed(row) for row in rows]

    def new_types(self) -> dict[str, str]:
        """Return the types of new columns, each once."""
        return self._columns.untold()

    def _add_hashes(self, rows: list[Row]) -> None:
        """Gives each row the `_row_hash` that it would have in an Arrow table: a table has one, however it is loaded.

        Otherwise a probe's row and a sync's row of the same authenticator would differ, and its history would get a
        version without a change.
        """
        values = {
            name: [row.get(name) for row in rows]
            for name in dict.fromkeys(chain.from_iterable(rows))
            if name not in self._unhashed
        }
        parts = (
            cells(name, as_array(self._columns.types[name], each))
            for name, each in values.items()
            if any(value is not None for value in each)
        )
        for row, row_hash in zip(rows, as_text(total(parts, len(rows))).to_pylist(), strict=True):
            row["_row_hash"] = row_hash

    def _placed(self, row: Mapping[str, Any]) -> Row:
        placed: Row = {}
        homeless: Row = {}
        for name, value in row.items():
            if value is None:  # an upsert does not change missing columns
                placed |= {name: None} if name in self._declared else {}
                continue
            column = self._names.column(name)
            if column is None:
                homeless[name] = kept(value, self._drift, own=True)
                self._drift.into_json(name, 1)
            else:
                placed.update((self._columns.put(column, value),))
        if homeless:
            placed.update((self._columns.put(MORE, homeless),))
        return placed


class RowShaper:
    """Converts one response and the keys of its request to a row.

    The row is flat: nested objects become `a__b` columns; lists and JSON columns are not flattened. `keys` are the
    parents' keys and the provenance. A different value in the response gets another column. Identifiers are protected.
    `_row_hash` is added later: it depends on the columns that the values go into.

    Args:
        table: The table.
        api: API that the responses come from.
        tenant_id: Tenant id for rows whose response does not contain one.
        privacy: Rules that protect identifiers.
        stored: Columns in the destination.
        drift: Collects the schema drift.
        hashed: Undeclared columns that earlier runs hashed; new ones are added.

    Attributes:
        guard: Protection of the table's columns.
    """

    def __init__(
        self,
        table: Table,
        *,
        api: str,
        tenant_id: str | None,
        privacy: Privacy,
        stored: Mapping[str, str] = _NOTHING,
        drift: TableDrift | None = None,
        hashed: list[str] | None = None,
    ) -> None:
        self._table = table
        self._api = api
        self._tenant_id = tenant_id
        self._drift = TableDrift() if drift is None else drift
        self._fields = FieldTree(table)
        self.guard = Guard(privacy, table, self._fields.plain, drift=self._drift, stored=stored, hashed=hashed)
        self._times = tuple(column.name for column in table.columns if column.type == "timestamp")

    def __call__(self, answer: Mapping[str, Any], keys: Mapping[str, Any]) -> Row:
        """Return one row; see `rows`."""
        return self.rows([(answer, keys)])[0]

    def rows(self, answers: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> list[Row]:
        """Return a row for each pair of a response and the keys of its request.

        Raises:
            UnexpectedAnswer: Part of the table's key is missing in a response.
        """
        self._fields.forget()
        protected = self.guard.rows([self._said(answer, keys) for answer, keys in answers])
        return [self._completed(row, keys["_read_at"]) for row, (_, keys) in zip(protected, answers, strict=True)]

    def latest(self, answers: Answers) -> list[Row]:
        """Return the rows of responses: the latest row per key of each response."""
        last: dict[tuple[Any, ...], Row] = {}
        keys = [
            {**{name: values[request] for name, values in answers.keys.items()}, "_read_at": answers.read_at[request]}
            for request in answers.requests
        ]
        rows = self.rows(list(zip(answers.items, keys, strict=True)))
        for row, request in zip(rows, answers.requests, strict=True):
            key = (request, *(str(row[name]) for name in self._table.key))
            if key not in last or updated(row.get("updated_at")) >= updated(last[key].get("updated_at")):
                last[key] = row
        return list(last.values())

    def _completed(self, row: Row, read_at: datetime) -> Row:
        missing = [name for name in self._table.key if row.get(name) in (None, "")]
        if missing:
            raise without_key(self._table, missing)
        for name in self._times:
            if name in row:
                _set_time(row, name)
        row.update(_api=self._api, _read_at=read_at)
        if row.get("tenant_id") is None:
            row["tenant_id"] = self._tenant_id
        if DELETED_AT in self._table.columns:
            row[DELETED_AT.name] = None  # an upsert does not change missing columns
        return row

    def _said(self, answer: Mapping[str, Any], keys: Mapping[str, Any]) -> Row:
        """Return the values of the response and the request's keys."""
        row = flat(answer, self._fields.top, self._drift)
        given = {name: value for name, value in keys.items() if name not in PROVENANCE_NAMES}
        aside = [name for name in given.keys() & row.keys() if differs(row[name], given[name])]
        if is_no_id(row.get("tenant_id")):
            aside.append("tenant_id")
        for name in aside:
            column = self._fields.beside(name)
            row[column] = row.pop(name)
            self._drift.put_aside(name, column, 1)
        return row | given


def _set_time(row: Row, name: str) -> None:
    """Convert text to a datetime if it is ISO 8601 with a zone and can be expressed in UTC. Other values stay.

    A time that is finer than a microsecond stays too: it would lose digits.
    """
    value = row[name]
    if not isinstance(value, str) or is_too_fine(value):
        return
    try:
        moment = datetime.fromisoformat(value)
        row[name] = moment.astimezone(UTC) if moment.tzinfo else value
    except (OverflowError, ValueError):
        return
