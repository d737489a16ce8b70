"""Put the undeclared columns of spool files into the columns that the destination has for them."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import pyarrow as pa

from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.tables.server import PROVENANCE
from dlt_authsignal.source.events.spool_tables import json_columns
from dlt_authsignal.source.metrics.schema_drift import TableDrift
from dlt_authsignal.source.rows.column_names import Names
from dlt_authsignal.source.rows.column_types import ARROW, Columns
from dlt_authsignal.source.rows.field_tree import MORE, is_variant

_KINDS: Final = {arrow: kind for kind, arrow in ARROW.items() if kind != "json"}


class Placing:
    """Gives each column of a file its name and type in the destination. A type never changes once it is chosen.

    Values pass as Arrow columns. Only a column whose type differs from that in the destination, or that has no
    column there, is looked at value by value.

    Args:
        table: The table.
        stored: Types of the columns in the destination.
        naming: Returns the destination's name for an undeclared column.
        drift: Collects the schema drift.
    """

    def __init__(
        self, table: Table, stored: Mapping[str, str], naming: Callable[[str], str], drift: TableDrift
    ) -> None:
        self._declared = {column.name: column.type for column in (*table.columns, *PROVENANCE)}
        self._key = frozenset(table.key)
        self._columns = Columns({**stored, **self._declared}, drift)
        self._names = Names(self._declared, stored, naming)
        self._drift = drift
        self._json = {name: kind for name, kind in stored.items() if kind == "json" and name not in self._declared}

    def __call__(self, rows: Any) -> Any:
        """Return the rows with the destination's columns."""
        marked = json_columns(rows)
        placed: dict[str, Any] = {}
        homeless: dict[str, list[Any]] = {}
        for name in rows.column_names:
            values = rows[name]
            if name in self._declared:
                placed[name] = values
                continue
            if values.null_count == len(values):
                continue
            kind = _kind(values, is_json=name in marked)
            column = self._names.column(name) if not is_variant(name) else name
            if name == MORE or column is None:
                homeless[name] = _objects(values, kind)
            elif self._fits(column, kind):
                placed[column] = values
            else:
                placed |= self._beside(placed, column, _objects(values, kind))
        if homeless:
            placed |= dict(self._columns.place(MORE, self._together(homeless)))
        schema = [pa.field(name, each.type, nullable=name not in self._key) for name, each in placed.items()]
        return pa.Table.from_arrays(list(placed.values()), schema=pa.schema(schema))

    def new_types(self) -> dict[str, str]:
        """Return the types of undeclared JSON columns, each once. Otherwise dlt would treat JSON as text."""
        told, self._json = self._json, {}
        return told | {name: kind for name, kind in self._columns.untold().items() if kind == "json"}

    def _fits(self, column: str, kind: str) -> bool:
        known = self._columns.types.get(column)
        if known is None:
            self._columns.types[column] = kind
            self._drift.new_columns.append(column)
        return known in (None, kind)

    def _beside(self, placed: Mapping[str, Any], column: str, values: list[Any]) -> dict[str, Any]:
        found = dict(self._columns.place(column, values))
        taken = found.keys() & placed.keys()  # the file has a column for values of this type already
        return {name: _filled(placed[name], each) if name in taken else each for name, each in found.items()}

    def _together(self, homeless: Mapping[str, list[Any]]) -> list[dict[str, Any] | None]:
        found: list[dict[str, Any] | None] = []
        for row in zip(*homeless.values(), strict=True):
            more: dict[str, Any] = {}
            for name, value in zip(homeless, row, strict=True):
                if value is not None:
                    more |= value if name == MORE and isinstance(value, dict) else {name: value}
            found.append(more or None)
        return found


def _kind(values: Any, *, is_json: bool) -> str:
    return "json" if is_json else _KINDS.get(values.type, "text")


def _objects(values: Any, kind: str) -> list[Any]:
    """Return the values as Python objects; the values of a JSON column decoded."""
    plain = values.to_pylist()
    if kind != "json":
        return list(plain)
    return [None if value is None else json.loads(value) for value in plain]


def _filled(first: Any, second: Any) -> Any:
    both = zip(first.to_pylist(), second.to_pylist(), strict=True)
    return pa.array([one if one is not None else other for one, other in both], first.type)
