"""Decide about the undeclared columns of all shards as one process would.

Shards cannot ask each other. So one column may have two types, and text at one place may be hashed in the files of one
shard and plain in the files of another. Before the loader loads the first row, it knows what all shards found.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.tables.server import PROVENANCE
from dlt_authsignal.source.metrics.schema_drift import TableDrift
from dlt_authsignal.source.privacy.policy import LEFT_OUT, Privacy
from dlt_authsignal.source.privacy.recognition.harmless import MOST_WORDS, is_harmless
from dlt_authsignal.source.rows.arrow_builder import Shaper
from dlt_authsignal.source.rows.column_types import as_array
from dlt_authsignal.source.rows.field_tree import MORE, base_of, is_variant
from dlt_authsignal.source.shards.manifest import Undeclared

_UNCHANGED_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,40}")
"""Keys that the protection does not change. The original places of other keys are not known."""


_ANY: Final = "*"
"""The place of values whose field is not known."""


@dataclass(kw_only=True)
class ShardAgreement:
    """Decisions about the undeclared columns of one table.

    Attributes:
        table: The table.
        shaper: Decides about names and types of columns in the destination.
        privacy: Privacy settings.
        drift: Collects the columns that are hashed.
        stored: Columns in the destination.
    """

    table: Table
    shaper: Shaper
    privacy: Privacy
    drift: TableDrift
    stored: Mapping[str, str]

    def __post_init__(self) -> None:
        self._declared = {column.name: column.type for column in (*self.table.columns, *PROVENANCE)}

    def learn(self, found: Undeclared) -> None:
        """Take over what one shard found. Call this for all shards before the first call of `same`."""
        places = self.shaper.places
        for place in found.hashed:
            places.hash_from_now(place)
        for place, words in found.words.items():
            for word in words:
                if not places.is_hashed(place) and places.words_with(place, word) > MOST_WORDS:
                    places.hash_from_now(place)
        for name, (field, kind) in found.columns.items():
            column = name if _is_beside(name) else self.shaper.column(field)
            if column is not None:
                self.shaper.columns.settled(column, kind)

    def same(self, rows: Any, found: Undeclared) -> Any:
        """Return the rows of a shard with the names and types that all shards share. Text at a place where any shard
        hashes text is hashed."""
        values: dict[str, list[Any]] = {}
        for name in rows.column_names:
            is_declared = name in self._declared
            kind = self._declared[name] if is_declared else found.columns[name][1]
            is_agreed = is_declared or self._is_as_agreed(name, found)
            start = self._start(name, found)
            if is_agreed and (start is None or not self._has_hashed(start)):
                continue
            before = _values(rows[name], kind)
            after = before if start is None else self._all_hashed(start, before)
            if after != before:
                self._note(name)
            if is_declared and after != before:
                rows = rows.set_column(rows.column_names.index(name), name, as_array("json", after))
            if not is_agreed or after != before:
                values[name] = after
        if not values:
            return rows
        moved = {name: each for name, each in values.items() if name not in self._declared}
        return self.shaper.placed_again(rows, moved, {name: field for name, (field, _) in found.columns.items()})

    def _is_as_agreed(self, name: str, found: Undeclared) -> bool:
        field, kind = found.columns[name]
        column = name if _is_beside(name) else self.shaper.column(field)
        return column == name and self.shaper.columns.types.get(name) == kind

    def _start(self, name: str, found: Undeclared) -> str | None:
        """Return the place of a column's values; None if their text is never hashed; `_ANY` if the place is unknown."""
        if name in self._declared:
            return name if self._declared[name] == "json" else None
        if name == MORE:
            return MORE
        if not is_variant(name):
            return found.columns[name][0]
        base = base_of(name)
        if base in self._declared:
            return f"{base}."
        return found.columns[base][0] if base in found.columns else _ANY

    def _has_hashed(self, start: str) -> bool:
        """Return whether text at one of the places in a column is hashed."""
        inside = start if start.endswith(".") else f"{start}."
        places = self.shaper.places.remembered
        return bool(places) and (
            start in (_ANY, MORE) or any(place == start or place.startswith(inside) for place in places)
        )

    def _all_hashed(self, start: str, values: list[Any]) -> list[Any]:
        if start == MORE:  # its keys are names of columns
            return [value and {name: self._hashed(name, inner) for name, inner in value.items()} for value in values]
        return [self._hashed(start, value, everything=start == _ANY) for value in values]

    def _note(self, name: str) -> None:
        self.drift.hashed.add(name)
        if name in self.stored:
            self.drift.was_plain.add(name)

    def _hashed(self, place: str, value: Any, *, everything: bool = False) -> Any:
        """Return a value with its text hashed at the decided places. Hashed text has no harmless form, so it stays."""
        places = self.shaper.places
        if isinstance(value, str):
            is_plain = bool(value) and (everything or places.is_hashed(place)) and is_harmless(value)
            return self.privacy.unknown(value) if is_plain else value
        if isinstance(value, list):
            return [self._hashed(place, item, everything=everything) for item in value]
        if not isinstance(value, dict):
            return value
        shown = {}
        for key, inner in value.items():
            is_changed = LEFT_OUT in key or not _UNCHANGED_KEY.fullmatch(key)
            below = everything or (is_changed and any(each.startswith(f"{place}.") for each in places.remembered))
            shown[key] = self._hashed(f"{place}.{key}", inner, everything=below)
        return shown


def _values(column: Any, kind: str) -> list[Any]:
    values: list[Any] = column.to_pylist()
    if kind != "json":
        return values
    return [None if value is None else msgspec.json.decode(value) for value in values]


def _is_beside(name: str) -> bool:
    """Return whether a column's name is derived from another column."""
    return name == MORE or is_variant(name)
