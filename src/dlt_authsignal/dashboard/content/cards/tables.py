"""Tables of figures that are not one KPI: changes from week to week, and shares by slice."""

from collections.abc import Sequence
from typing import Final

from dlt_authsignal.dashboard.content.cards.look import Look
from dlt_authsignal.dashboard.content.text import findings, wording
from dlt_authsignal.dashboard.content.text.subjects import GOOD, SUBJECTS
from dlt_authsignal.dashboard.page import Table

CHANGE_COLUMNS: Final = ("Week", "What", "Where", "Before", "After", "Change, points (95 %)", "Cases", "News")
CHANGE_UNITS: Final = ("text", "text", "text", "ratio", "ratio", "text", "count", "text")
MOST_CHANGES: Final = 12
NO_CHANGE: Final = (
    "No slice with at least 30 cases in both weeks differs from the week before by more than chance would explain."
)


def changes_table(look: Look, title: str, kpis: Sequence[tuple[str, str]], dimensions: Sequence[str]) -> Table:
    """Return the largest significant changes of some measures from one week to the next."""
    needs = [look.needs(kpi) for kpi, _ in kpis]
    if all(needs):
        return Table(title=title, caption="", columns=CHANGE_COLUMNS, units=CHANGE_UNITS, rows=(), needs=needs[0])
    found = look.changes(kpis, dimensions)[:MOST_CHANGES]
    rows = tuple(_row(change) for change in found)
    first = found[0] if found else None
    caption = findings.said(first, SUBJECTS[first.after.model.name, first.after.measure]) if first else NO_CHANGE
    return Table(title=title, caption=caption, columns=CHANGE_COLUMNS, units=CHANGE_UNITS, rows=rows)


def _row(change: findings.Change) -> tuple[object, ...]:
    row = change.after
    subject = SUBJECTS[row.model.name, row.measure].removeprefix("the ")
    return (
        f"{wording.day(change.week)} {change.week.year}",
        f"{subject[0].upper()}{subject[1:]}",
        change.where or "overall",
        change.before.value,
        row.value,
        f"{wording.points(change.difference)} ({wording.points(change.low)} to {wording.points(change.high)})",
        row.denominator,
        _news(row.model.name, is_higher=change.difference > 0),
    )


def _news(kpi: str, *, is_higher: bool) -> str:
    good = GOOD.get(kpi)
    if good is None:
        return "neither"
    return "better" if (good == "up") == is_higher else "worse"
