"""Convert the values of one field to typed Arrow columns: together if all have one type, otherwise one by one.

A value of another type is stored in a separate column (`risk__v_double`), so that no value is lost or rounded.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import NoneType
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dlt_authsignal.api.responses import storable
from dlt_authsignal.source.metrics.schema_drift import Converted, TableDrift
from dlt_authsignal.source.rows.field_tree import MORE, is_variant, variant_of
from dlt_authsignal.source.rows.flatten import is_beyond

TIME: Final = pa.timestamp("us", tz="UTC")
ARROW: Final[Mapping[str, Any]] = {
    "text": pa.string(),
    "timestamp": TIME,
    "bool": pa.bool_(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "json": pa.string(),
}
"""Arrow type of each dlt type."""

_OF_CLASS: Final[Mapping[type, str]] = {
    bool: "bool",
    int: "bigint",
    float: "double",
    datetime: "timestamp",
    list: "json",
    dict: "json",
}
_CLASS: Final[Mapping[str, type]] = {"text": str, "bool": bool, "bigint": int, "double": float}
_JSON: Final = frozenset({list, dict})
_WORDS: Final[Mapping[type, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a fraction",
    datetime: "a time",
    list: "a list",
    dict: "an object",
}
_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_TOO_FINE: Final = re.compile(r"[.,]\d{7}")
_EXACT: Final = 2**53

_encode = msgspec.json.Encoder(order="sorted").encode


def kind_of(value: Any) -> str:
    """Return dlt's type for a value of an unknown field."""
    return "text" if is_beyond(value) else _OF_CLASS.get(type(value), "text")


def _described(kind: str, value: Any) -> str:
    """Return a description of a value that does not fit its column."""
    if isinstance(value, str):
        return "text" if kind != "timestamp" else "text that is not a valid time"
    if is_beyond(value):
        return "a number beyond 64 bits" if isinstance(value, int) else "a number that is not finite"
    return _WORDS.get(type(value), "text")


class Columns:
    """The types of one table's columns. A type never changes once it is chosen.

    Args:
        types: Types of the columns known so far: declared, or in the destination.
        drift: Collects added columns and values that do not fit their column.
        protect_mismatch: Protects a value that is stored in a separate column, given the name of that column.
        agree: Returns the type of an added column, given the type that it would get: other processes may have added it.
    """

    def __init__(
        self,
        types: Mapping[str, str],
        drift: TableDrift | None = None,
        protect_mismatch: Callable[[str, Any], Any] = lambda _, value: value,
        agree: Callable[[str, str], str] = lambda _, kind: kind,
    ) -> None:
        self.types = dict(types)
        self._agree = agree
        self._strayed = protect_mismatch
        self._drift = TableDrift() if drift is None else drift
        self._told = len(self.types)

    def place(self, name: str, values: list[Any]) -> Iterator[tuple[str, Any]]:
        """Yield (column, Arrow array) for each column that stores values of one field; nothing if all are null."""
        if self.types.get(name) == "text" and (texts := _texts(values)) is not None:
            if texts.null_count < len(texts):
                yield name, texts
            return
        classes = set(map(type, values)) - {NoneType}
        if not classes:
            return
        kind = self.types.get(name) or self._added(name, next(value for value in values if value is not None))
        array = _at_once(kind, classes, values)
        if array is not None:
            yield name, array
            return
        fitting: list[Any] = [None] * len(values)
        others: dict[str, list[Any]] = {}
        for row, value in enumerate(values):
            if value is not None:
                column, fitting[row] = self._assigned(name, kind, value)
                if column != name:
                    others.setdefault(column, [None] * len(values))[row] = self._strayed(name, value)
        if any(value is not None for value in fitting):
            yield name, pa.array(fitting, ARROW[kind])
        for column, rest in others.items():
            yield from self.place(column, rest)

    def put(self, name: str, value: Any) -> tuple[str, Any]:
        """Return (column, value) for one non-null value, in the form that dlt needs in a row. For JSON columns, dlt
        accepts only lists and objects, and would parse a text."""
        kind = self.types.get(name) or self._added(name, value)
        if kind == "json" and isinstance(value, list | dict):
            return name, value
        column, fitting = self._assigned(name, kind, value)
        if column == name:
            return name, fitting
        strayed = self._strayed(name, value)
        return (name, None) if strayed is None else self.put(column, strayed)

    def untold(self) -> dict[str, str]:
        """Return the types of the columns added since the last call."""
        added = list(self.types.items())[self._told :]
        self._told += len(added)
        return dict(added)

    def _added(self, name: str, value: Any) -> str:
        return self.settled(name, self._agree(name, kind_of(value)))

    def settled(self, name: str, kind: str) -> str:
        """Return the type of a column, which is added with this type if it is new."""
        if name in self.types:
            return self.types[name]
        self.types[name] = kind
        if name != MORE and not is_variant(name):
            self._drift.new_columns.append(name)
        return kind

    def _assigned(self, name: str, kind: str, value: Any) -> tuple[str, Any]:
        """Return (column, converted value). For a separate column, the value is not converted yet."""
        fitting = _fitted(kind, value)
        if fitting is None:
            return self._beside(name, kind, value)
        if kind == "text" and not isinstance(value, str):
            self._note(name, kind, value, name)
        return name, fitting

    def _beside(self, name: str, kind: str, value: Any) -> tuple[str, Any]:
        column = variant_of(name, kind_of(value))
        self._note(name, kind, value, column)
        return column, None

    def _note(self, name: str, kind: str, value: Any, column: str) -> None:
        if not is_variant(name):
            self._drift.converted[Converted(name, _described(kind, value), column)] += 1


def as_array(kind: str, values: list[Any]) -> Any:
    """An Arrow array of values that `Columns.put` has placed in one column of rows."""
    if kind == "json":
        different = {id(value): value for value in values}  # in events, many are the same object
        said = {place: None if value is None else _json(value) for place, value in different.items()}
        values = [said[id(value)] for value in values]
    return pa.array(values, ARROW[kind])


def _at_once(kind: str, classes: set[type], values: list[Any]) -> Any:
    """Return an array of all values, or None if one of them needs a conversion."""
    if kind == "timestamp":
        return _times(classes, values)
    if kind == "json" and classes <= _JSON:
        return as_array(kind, values)
    if kind not in _CLASS or classes != {_CLASS[kind]}:
        return None
    try:
        array = pa.array(values, ARROW[kind])
    except (UnicodeEncodeError, OverflowError):  # an unpaired surrogate, or a number beyond 64 bits
        return None
    if kind == "double" and not np.isfinite(array.fill_null(0.0).to_numpy()).all():
        return None
    return array


def _texts(values: list[Any]) -> Any:
    """Return an array of texts, or None if one of the values is none, or has an unpaired surrogate."""
    try:
        return pa.array(values, ARROW["text"])
    except (UnicodeEncodeError, pa.ArrowTypeError):
        return None


def _times(classes: set[type], values: list[Any]) -> Any:
    if classes == {datetime}:
        return pa.array(values, TIME)
    if classes != {str}:
        return None
    try:
        array = pa.array(values, pa.string()).cast(TIME)
    except (UnicodeEncodeError, pa.ArrowInvalid):
        return None
    ends = pc.min_max(array.cast(pa.int64())).as_py()
    return array if _MICROSECONDS[0] <= ends["min"] and ends["max"] <= _MICROSECONDS[1] else None


_MICROSECONDS: Final = [pa.scalar(end, TIME).cast(pa.int64()).as_py() for end in (_FIRST, _LAST)]
"""First and last time that both Python and databases support."""


def _fitted(kind: str, value: Any) -> Any:
    """Return the value converted to its column's type, None if it does not fit."""
    if kind == "text":
        return _text(value)
    if kind == "json":
        return _json(value) if isinstance(value, list | dict) else None  # in rows, dlt accepts nothing else
    if kind == "timestamp":
        return _moment(value)
    if isinstance(value, bool):
        return value if kind == "bool" else None
    if kind == "bigint":
        return _whole(value)
    if kind == "double" and isinstance(value, int | float) and not is_beyond(value):
        return float(value) if isinstance(value, float) or abs(value) <= _EXACT else None
    return None


def _text(value: Any) -> str | None:
    if isinstance(value, list | dict):
        return None
    if isinstance(value, bool | datetime):
        return str(value).lower() if isinstance(value, bool) else value.isoformat()
    text = str(value)
    return text if _is_whole_text(text) else str(storable(text))


def _is_whole_text(text: str) -> bool:
    """Return whether the text has no unpaired surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _json(value: Any) -> str:
    plain = str(value) if is_beyond(value) else value
    try:
        return _encode(plain).decode()
    except UnicodeEncodeError:
        return _encode(storable(plain)).decode()


def _whole(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        return int(value)
    return value if isinstance(value, int) and not is_beyond(value) else None


def is_too_fine(text: str) -> bool:
    """Return whether a time has digits below the microsecond, which Python would cut off."""
    return bool(_TOO_FINE.search(text))


def _moment(value: Any) -> datetime | None:
    """Return the time if it loses no digits, else None. Without a zone, it is UTC, as in dlt."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or is_too_fine(value):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
