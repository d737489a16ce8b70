"""What answers held that the tables were not made for: names and counts, never a value."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from dlt_authsignal.api.endpoints import Endpoint
from dlt_authsignal.schema.tables import TABLES

MAX_NAMES: Final = 20
"""Names of fields that are told of those that have no column of their own."""


class Otherwise(NamedTuple):
    """Values that their column does not hold as they came.

    Attributes:
        column: The column of their field.
        came_as: What they were instead.
        kept_in: The column they stand in: their own, as text, or one beside it.
    """

    column: str
    came_as: str
    kept_in: str


@dataclass(frozen=True)
class TableDrift:
    """What one run found of one table.

    Attributes:
        new_columns: Columns that the run added, by the order in which they came up.
        otherwise: How many values were kept otherwise than their column holds them.
        without_column: How many rows had a field that has no column of its own, by field; of the first fields only.
        others: Values of such fields beyond the first.
        escaped: Answers with text that no database takes, by route.
    """

    new_columns: list[str] = field(default_factory=list)
    otherwise: Counter[Otherwise] = field(default_factory=Counter)
    without_column: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    escaped: Counter[str] = field(default_factory=Counter)

    def into_json(self, name: str, rows: int) -> None:
        """Notes a field that has no column of its own, and in how many rows it came."""
        is_told = name in self.without_column or len(self.without_column) < MAX_NAMES
        (self.without_column if is_told else self.others)[name if is_told else ""] += rows

    def __bool__(self) -> bool:
        return bool(self.new_columns or self.otherwise or self.without_column or self.escaped)


class Drift:
    """What one run found, by table."""

    def __init__(self) -> None:
        self._tables: defaultdict[str, TableDrift] = defaultdict(TableDrift)

    def of(self, table: str) -> TableDrift:
        """Where to note what one table's answers hold."""
        return self._tables[table]

    def escape(self, endpoint: Endpoint) -> None:
        """Notes an answer with text that no database takes."""
        route = str(endpoint)
        name = next((name for name, table in TABLES.items() if route in table.source), None)
        if name is not None:
            self._tables[name].escaped[route] += 1

    def report(self) -> dict[str, Any]:
        """By table, as JSON; nothing of a table that is as it was."""
        return {name: _plain(found) for name, found in self._tables.items() if found}


def _plain(found: TableDrift) -> dict[str, Any]:
    return {
        "new_columns": list(found.new_columns),
        "converted": [{**each._asdict(), "times": times} for each, times in found.otherwise.items()],
        "overflow": dict(found.without_column),
        "other_values_in_more": found.others.total(),
        "escaped_answers": found.escaped.total(),
    }


def sentences(report: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The report of a run in words, one line for each thing found."""
    new = [f"{table}.{name}" for table, found in report.items() for name in found["new_columns"]]
    lines = [f"New columns: {_listed(new)}."] if new else []
    for table, found in report.items():
        lines += [_said(table, **each) for each in found["converted"]]
        if found["overflow"]:
            lines.append(
                f"{table} has more fields than columns are made for: {_listed(list(found['overflow']))} and any further"
                " are kept in the column _more, as JSON."
            )
        if found["escaped_answers"]:
            lines.append(_escaped(table, found["escaped_answers"]))
    return lines


def _escaped(table: str, times: int) -> str:
    answers = f"{times:,} answers" if times > 1 else "one answer"
    return rf"{table}: NUL or half a surrogate pair in {answers}, which databases refuse: kept as escapes (\u0000)."


def _listed(names: list[str]) -> str:
    return ", ".join(names[:MAX_NAMES]) + (f" and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else "")


def _said(table: str, column: str, came_as: str, kept_in: str, times: int) -> str:
    where = "as text" if kept_in == column else f"in {kept_in}"
    return f"{table}.{column} came as {came_as} {times:,} {'time' if times == 1 else 'times'}: kept {where}."
