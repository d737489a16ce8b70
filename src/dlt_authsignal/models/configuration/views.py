"""Install `config_changes` and `config_change_effects` as views, and read them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from dlt_authsignal.models.configuration.changes_sql import COLUMNS, changes_sql
from dlt_authsignal.models.dialects import translated
from dlt_authsignal.models.opened import Ask, Stored, opened, stored_columns

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

CHANGES: Final = "config_changes"
EFFECTS: Final = "config_change_effects"
DEFAULT_DAYS: Final = 7
"""Longest window of the view `config_change_effects`, in days."""

_NEEDED: Final = frozenset({"user_actions", "rule_conditions"})
"""Tables that the effects need beside the histories."""

_DECIDED: Final = frozenset({"user_id", "action_code", "idempotency_key", "priority_rule_id"})
"""Columns of `action_details` that say which rule decided an attempt."""

_WITHOUT_DETAILS: Final = {"rule": "cast(null as text)", "has_detail": "0", "join": ""}
_WITH_DETAILS: Final = {
    "rule": "d.priority_rule_id",
    "has_detail": "case when d.user_id is not null then 1 else 0 end",
    "join": """
    left join action_details as d
        on d.user_id = a.user_id and d.action_code = a.action_code and d.idempotency_key = a.idempotency_key""",
}


@dataclass(frozen=True, kw_only=True)
class FieldChange:
    """One row of `config_changes`.

    Attributes:
        configuration: Table of the object that was changed.
        object: Its key.
        object_name: Its name.
        action_code: Action code that it belongs to; None if it belongs to none.
        change: added, changed or removed.
        field: The column that was set or changed; None for the object itself, if it was added or removed.
        before: The value before, as text.
        after: The value after, as text.
        seen_before: The last read that did not show the change; None if unknown.
        seen_at: The first read that did.
    """

    configuration: str
    object: str
    object_name: str | None
    action_code: str | None
    change: str
    field: str | None
    before: str | None
    after: str | None
    seen_before: datetime | None
    seen_at: datetime


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One row of `config_change_effects`: one measure of one action code before and after a change.

    Attributes:
        configuration: Table of the object that was changed.
        object: Its key.
        object_name: Its name.
        seen_before: The last read without the change, at which the window before ends.
        seen_at: The first read with the change, at which the window after begins.
        action_code: The action code.
        window_days: Length of each window in days.
        other_changes: Other changes that concern the action code and lie within the windows.
        measure: attempts, challenge_rate, block_rate, success_rate or drop_off_rate; for a rule also decided_rate, the
            share of attempts with a row in `action_details` that this rule decided.
        before_numerator: Attempts that count, in the window before.
        before_denominator: Attempts of which they are a share; for `attempts`, the days of the window.
        after_numerator: As before, in the window after.
        after_denominator: As before, in the window after.
        before_value: Share, or attempts a day; None if there is no case.
        after_value: Share, or attempts a day; None if there is no case.
        difference: after_value - before_value.
        difference_low: Lower bound of its 95 % confidence interval.
        difference_high: Upper bound of its 95 % confidence interval.
        is_enough: Whether each window has at least 30 cases; for `attempts`, both together.
    """

    configuration: str
    object: str
    object_name: str | None
    seen_before: datetime
    seen_at: datetime
    action_code: str
    window_days: float
    other_changes: int
    measure: str
    before_numerator: float
    before_denominator: float
    after_numerator: float
    after_denominator: float
    before_value: float | None
    after_value: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    is_enough: bool


@dataclass(frozen=True, kw_only=True)
class View:
    """One of the two views: its name, what it contains, and the class whose attributes are its columns."""

    name: str
    meaning: str
    row: type[FieldChange | Effect]


VIEWS: Final = (
    View(
        name=CHANGES,
        meaning="What was changed in the tenant's configuration: one row per changed field, and one per object that was"
        " added or removed. The change happened between `seen_before` and `seen_at`.",
        row=FieldChange,
    ),
    View(
        name=EFFECTS,
        meaning="Attempts before and after each change: one row per change, action code and measure, over equally long"
        f" windows of at most {DEFAULT_DAYS} days. Other changes may have caused a difference: see `other_changes`.",
        row=Effect,
    ),
)


def view_queries(pipeline: "Pipeline", dataset: str, dialect: str) -> dict[str, str]:
    """Return the query of each view whose tables exist, in the destination's dialect."""
    found = plain_queries(stored_columns(pipeline), dialect)
    return {name: translated(query, dataset, dialect) for name, query in found.items()}


def plain_queries(stored: Stored, dialect: str = "duckdb") -> dict[str, str]:
    """Return the query of each view whose tables exist, in DuckDB's dialect and with unqualified names of tables.

    Args:
        stored: Types of the columns of each existing table.
        dialect: The dialect that the queries will be translated to.
    """
    changes = changes_sql(stored, dialect)
    if changes is None:
        return {}
    return {CHANGES: changes} | ({EFFECTS: _effects(DEFAULT_DAYS, stored)} if stored.keys() >= _NEEDED else {})


def read_changes(pipeline: "Pipeline") -> list[FieldChange]:
    """Return all rows of `config_changes`, oldest first; none if no configuration was synced."""
    with _opened(pipeline) as (ask, _):
        rows = ask(f"select {', '.join(COLUMNS)} from {CHANGES} order by seen_at, configuration, object, field")
    return [FieldChange(**dict(zip(COLUMNS, row, strict=True))) for row in rows]


def read_effects(pipeline: "Pipeline", days: int = DEFAULT_DAYS) -> list[Effect]:
    """Return the effects with windows of at most so many days; none without attempts."""
    names = list(Effect.__dataclass_fields__)
    with _opened(pipeline, needed=_NEEDED) as (ask, stored):
        effects = _effects(days, stored)
        rows = ask(f"select {', '.join(names)} from ({effects}) as effects order by seen_at, action_code, measure")
    return [Effect(**dict(zip(names, map(_plain, names, row), strict=True))) for row in rows]


def _plain(name: str, value: Any) -> Any:
    if name == "is_enough":
        return bool(value)
    return value if value is None or isinstance(value, str | int | float | datetime) else float(value)


@cache
def _text() -> str:
    return files("dlt_authsignal.models.configuration").joinpath("effects.sql").read_text(encoding="utf-8")


def _effects(days: int, stored: Stored) -> str:
    parts = _WITH_DETAILS if stored.get("action_details", {}).keys() >= _DECIDED else _WITHOUT_DETAILS
    return "\n".join(line for line in _text().format(days=days, **parts).split("\n") if not line.startswith("--"))


@contextmanager
def _opened(pipeline: "Pipeline", needed: frozenset[str] = frozenset()) -> Iterator[tuple[Ask, Stored]]:
    """Give a function that runs a query in DuckDB's dialect on the dataset, and the columns of the existing tables.

    `config_changes` is a table in the query.
    """
    with opened(pipeline) as (ask, stored, dialect):
        changes = changes_sql(stored, dialect)

        def ask_with_changes(query: str) -> list[Any]:
            if changes is None or not stored.keys() >= needed:
                return []
            return ask(_with_changes(query, changes))

        yield ask_with_changes, stored


def _with_changes(query: str, changes: str) -> str:
    return f"with {CHANGES} as ({changes}) {query}"
