"""Record schema drift: names and counts of unexpected fields and types, never a value."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, NamedTuple

from dlt_authsignal.api.endpoints import Endpoint
from dlt_authsignal.schema.tables.server import TABLES

MAX_NAMES: Final = 20
"""Number of fields without a separate column that are reported by name."""


class Converted(NamedTuple):
    """Values stored in another type or column.

    Attributes:
        column: The field's column.
        came_as: Type of the values in the response.
        kept_in: Column that stores them: the field's column, as text, or an additional column.
    """

    column: str
    came_as: str
    kept_in: str


@dataclass
class TableDrift:
    """Schema drift of one table in one run.

    Attributes:
        new_columns: Columns that the run added, in order of their first value.
        converted: Number of values stored in another type or column.
        without_column: Rows with a field that has no separate column, by field; only for the first fields.
        others: Values of further such fields.
        escaped: Responses with text that no database accepts, by route.
        left_out: Values that are not loaded because they may be credentials, by field; only for the first fields.
        withheld: Number of values that are never loaded: of secret fields, and icons. They are no drift.
        filtered: Undeclared columns with free-form objects whose keys were left out.
        suspected: Undeclared columns with such values, which only look like secrets by their name or form.
        hashed: Undeclared columns whose text is hashed, or left out without a key.
        was_plain: Those of them that have plain words in earlier rows.
    """

    new_columns: list[str] = field(default_factory=list)
    converted: Counter[Converted] = field(default_factory=Counter)
    without_column: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    escaped: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    withheld: int = 0
    filtered: set[str] = field(default_factory=set)
    suspected: set[str] = field(default_factory=set)
    hashed: set[str] = field(default_factory=set)
    was_plain: set[str] = field(default_factory=set)

    def put_aside(self, column: str, kept_in: str, times: int) -> None:
        """Record values that may not go into the column of their field: other keys than the requested ones."""
        said = "a value that is not a tenant id" if column == "tenant_id" else "a value other than the requested one"
        self.converted[Converted(column, said, kept_in)] += times

    def withhold(self, times: int) -> None:
        """Record values that are never loaded."""
        self.withheld += times

    def into_json(self, name: str, rows: int) -> None:
        """Record a field that has no separate column, and the number of its rows."""
        is_reported = name in self.without_column or len(self.without_column) < MAX_NAMES
        (self.without_column if is_reported else self.others)[name if is_reported else ""] += rows

    def leave_out(self, name: str, times: int = 1) -> None:
        """Record a field whose value is not loaded."""
        if name in self.left_out or len(self.left_out) < MAX_NAMES:
            self.left_out[name] += times

    def clear(self) -> None:
        """Forget everything."""
        for each in fields(self):
            value = getattr(self, each.name)
            setattr(self, each.name, 0) if isinstance(value, int) else value.clear()

    def add(self, other: "TableDrift") -> None:
        """Add what another process found. New columns are decided by one process, which knows them already."""
        self.converted.update(other.converted)
        self.escaped.update(other.escaped)
        self.withheld += other.withheld
        self.others.update(other.others)
        for name, rows in other.without_column.items():
            self.into_json(name, rows)
        for name, times in other.left_out.items():
            self.leave_out(name, times)
        for name in ("filtered", "suspected", "hashed", "was_plain"):
            getattr(self, name).update(getattr(other, name))

    def __bool__(self) -> bool:
        return any(
            (
                self.new_columns,
                self.converted,
                self.without_column,
                self.escaped,
                self.left_out,
                self.hashed,
                self.filtered,
                self.suspected,
            )
        )


class Drift:
    """Schema drift of one run, by table."""

    def __init__(self) -> None:
        self._tables: defaultdict[str, TableDrift] = defaultdict(TableDrift)

    def of(self, table: str) -> TableDrift:
        """Return the record of one table."""
        return self._tables[table]

    def items(self) -> dict[str, TableDrift]:
        """Return the records by table."""
        return dict(self._tables)

    def escape(self, endpoint: Endpoint) -> None:
        """Record a response with text that no database accepts."""
        route = str(endpoint)
        name = next((name for name, table in TABLES.items() if route in table.source), None)
        if name is not None:
            self._tables[name].escaped[route] += 1

    @property
    def withheld(self) -> int:
        """Return the number of values that are never loaded."""
        return sum(table.withheld for table in self._tables.values())

    def report(self) -> dict[str, Any]:
        """Return the drift by table, as JSON; tables without drift are left out."""
        return {name: _plain(found) for name, found in self._tables.items() if found}


def _plain(found: TableDrift) -> dict[str, Any]:
    return {
        "new_columns": list(found.new_columns),
        "converted": [{**each._asdict(), "times": times} for each, times in found.converted.items()],
        "overflow": dict(found.without_column),
        "other_values_in_more": found.others.total(),
        "escaped_answers": found.escaped.total(),
        "left_out": dict(found.left_out),
        "hashed": sorted(found.hashed),
        "hashed_after_plain": sorted(found.was_plain),
        "filtered": sorted(found.filtered),
        "suspected_secrets": sorted(found.suspected),
    }


def sentences(report: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the report of a run as sentences, one line for each finding."""
    new = [f"{table}.{name}" for table, found in report.items() for name in found["new_columns"]]
    lines = [f"New columns: {_listed(new)}."] if new else []
    for table, found in report.items():
        lines += [_converted(table, **each) for each in found["converted"]]
        if found["overflow"]:
            lines.append(
                f"{table} has more unknown fields than it can have columns: {_listed(list(found['overflow']))} and any"
                " further ones are stored as JSON in the column _more."
            )
        if found.get("left_out"):
            lines.append(
                f"{table}: these fields are not loaded, because they may contain credentials:"
                f" {_listed(list(found['left_out']))}."
            )
        if found["escaped_answers"]:
            lines.append(_escaped(table, found["escaped_answers"]))
    return [*lines, *_protected(report)]


def _protected(report: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield what was hashed or withheld because this version does not know the column, and how to allow it."""
    hashed, mixed, filtered, suspected = (
        [f"{table}.{name}" for table, found in report.items() for name in found.get(which, ())]
        for which in ("hashed", "hashed_after_plain", "filtered", "suspected_secrets")
    )
    if hashed:
        yield (
            f"Hashed, because this version does not know these columns: {_listed(hashed)}. Without a privacy_key their"
            f" text is left out. To load them in plain text: privacy_allow = {_names(hashed)}."
        )
    if mixed:
        yield (
            f"{_listed(mixed)}: rows loaded earlier contain short words in plain text, because Authsignal had"
            " returned only short words until then. From now on, all text is hashed. To hash those rows too, run"
            " dlt-authsignal sync --full."
        )
    if filtered:
        yield (
            f"Free-form objects that this version does not know: {_listed(filtered)}. Only their keys in privacy_allow"
            " are loaded."
        )
    if suspected:
        yield (
            f"Not loaded, because names or values look like secrets: {_listed(suspected)}. If they are harmless:"
            f" privacy_allow = {_names(suspected)}."
        )


def _names(columns: list[str]) -> str:
    names = sorted({column.partition(".")[2] for column in columns})
    return json.dumps(names[:MAX_NAMES], ensure_ascii=False)


def _escaped(table: str, times: int) -> str:
    responses = f"{times:,} responses" if times > 1 else "1 response"
    return (
        rf"{table}: {responses} contained NUL characters or unpaired surrogates, which databases reject. They are"
        r" stored as escapes (\u0000)."
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:MAX_NAMES]) + (f" and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else "")


def _converted(table: str, column: str, came_as: str, kept_in: str, times: int) -> str:
    where = "as text" if kept_in == column else f"in {kept_in}"
    return f"{table}.{column} arrived as {came_as} {times:,} {'time' if times == 1 else 'times'}: stored {where}."
