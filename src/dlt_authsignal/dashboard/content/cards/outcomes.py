"""How challenges ended: succeeded, abandoned, or failed, in all and by slice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from dlt_authsignal.dashboard.content.cards.look import Look, no_chart, no_table
from dlt_authsignal.dashboard.content.data.selection import ignored
from dlt_authsignal.dashboard.content.text import wording
from dlt_authsignal.dashboard.figure_text import share
from dlt_authsignal.dashboard.page import Chart, Point, Series, Table
from dlt_authsignal.models.kpis.catalogue import find_model
from dlt_authsignal.models.values import Kpi

SUCCESS: Final = "challenge_success_rate"
DROP_OFF: Final = "drop_off_rate"
RATES: Final = "challenge_and_block_rate"
MOST_SLICES: Final = 8

_COLUMNS: Final = (
    "Split by",
    "Slice",
    "Challenges",
    "Succeeded",
    "Abandoned",
    "Failed",
    "Drop-off compared with total",
)
_UNITS: Final = ("text", "text", "count", "ratio", "ratio", "ratio", "text")

Key = tuple[date | None, str, str]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The challenges of one slice that are over.

    Attributes:
        succeeded: Row of the success rate.
        abandoned: Row of the drop-off rate, over the same challenges.
    """

    succeeded: Kpi
    abandoned: Kpi

    @property
    def cases(self) -> int:
        return self.succeeded.denominator or 0

    @property
    def failed(self) -> float:
        """Challenges that ended otherwise; never negative."""
        return max(self.cases - (self.succeeded.numerator or 0) - (self.abandoned.numerator or 0), 0)


def outcomes(look: Look, grain: str, dimensions: Sequence[str] = ()) -> dict[Key, Outcome]:
    """Return the outcomes by period and slice."""
    by_kpi: list[dict[Key, Kpi]] = [
        {(row.period_start, row.dimension, row.dimension_value): row for row in look.rows(kpi, (grain,), dimensions)}
        for kpi in (SUCCESS, DROP_OFF)
    ]
    succeeded, abandoned = by_kpi
    return {key: Outcome(succeeded=row, abandoned=abandoned[key]) for key, row in succeeded.items() if key in abandoned}


def funnel(look: Look) -> Chart:
    """Return the funnel from attempts to successful challenges."""
    title, model, needs = "From attempt to success", find_model(RATES), look.needs(RATES)
    if needs:
        return no_chart("funnel", title, model, needs)
    of_all = next((row for row in look.rows(RATES) if row.measure == "challenged"), None)
    over = outcomes(look, "all").get((None, "all", "all"))
    attempts = (of_all.denominator or 0) if of_all else 0
    challenged = (of_all.numerator or 0) if of_all else 0
    succeeded = (over.succeeded.numerator or 0) if over else 0
    steps = (("Attempts", attempts, None), ("Challenged", challenged, attempts), ("Succeeded", succeeded, challenged))
    points = tuple(
        Point(label=label, value=value, numerator=value, denominator=before) for label, value, before in steps
    )
    return Chart(
        kind="funnel",
        title=title,
        caption=_ended(attempts, challenged, over),
        series=(Series(name="Attempts", points=points),) if attempts else (),
        unit="count",
        definition=SUCCESS,
        ignores=_ignored(look),
    )


def _ended(attempts: float, challenged: float, over: Outcome | None) -> str:
    if not attempts or over is None or not over.cases:
        return "No challenges in the selected data."
    parts = (
        f"{share((over.succeeded.numerator or 0) / over.cases)} succeeded",
        f"{share((over.abandoned.numerator or 0) / over.cases)} were abandoned",
        f"{share(over.failed / over.cases)} failed",
    )
    return (
        f"{challenged:,.0f} of {attempts:,.0f} attempts were challenged. Of the {over.cases:,} completed"
        f" challenges, {wording.listed(parts)}."
    )


def ends_over_time(look: Look) -> Chart:
    """Return how the challenges ended, for each week."""
    title, model, needs = "How challenges ended", find_model(SUCCESS), look.needs(SUCCESS)
    if needs:
        return no_chart("stack", title, model, needs)
    found = {key[0]: each for key, each in outcomes(look, "week").items() if key[0]}
    weeks = sorted(week for week in found if week)
    parts = ("Succeeded", "Abandoned", "Failed")
    series = tuple(
        Series(name=part, points=tuple(_part(found[week], week.isoformat(), part) for week in weeks))
        for part in parts
        if weeks
    )
    return Chart(
        kind="stack",
        title=title,
        caption=look.finding(DROP_OFF, "abandoned", ()) or "The drop-off did not change from one week to the next.",
        series=series,
        unit="count",
        definition=SUCCESS,
        ignores=_ignored(look),
    )


def _part(outcome: Outcome, label: str, part: str) -> Point:
    counts = {
        "Succeeded": outcome.succeeded.numerator or 0,
        "Abandoned": outcome.abandoned.numerator or 0,
        "Failed": outcome.failed,
    }
    return Point(
        label=label,
        value=counts[part],
        numerator=counts[part],
        denominator=outcome.cases,
        is_complete=outcome.succeeded.is_complete,
    )


def by_slice(look: Look, dimensions: Sequence[str]) -> Table:
    """Return how the challenges ended in the largest slices of each dimension."""
    title, needs = "Where challenges end", look.needs(SUCCESS)
    if needs:
        return no_table(title, _COLUMNS, _UNITS, needs, SUCCESS)
    found = outcomes(look, "all", dimensions)
    total = found.get((None, "all", "all"))
    rows: list[tuple[object, ...]] = []
    worst: Outcome | None = None
    for dimension in dimensions:
        slices = [each for key, each in found.items() if key[1] == dimension]
        for each in sorted(slices, key=lambda outcome: -outcome.cases)[:MOST_SLICES]:
            rows.append(_row(each, total))
            if _compared(each, total) == "higher" and (worst is None or _low(each) > _low(worst)):
                worst = each
    return Table(
        title=title,
        caption=_said(worst, total),
        columns=_COLUMNS,
        units=_UNITS,
        rows=tuple(rows),
        definition=DROP_OFF,
    )


def _row(outcome: Outcome, total: Outcome | None) -> tuple[object, ...]:
    row = outcome.succeeded
    failed = outcome.failed / outcome.cases if outcome.cases else None
    return (
        wording.TITLES[row.dimension],
        row.dimension_value,
        outcome.cases,
        row.value,
        outcome.abandoned.value,
        failed,
        _compared(outcome, total),
    )


def _compared(outcome: Outcome, total: Outcome | None) -> str:
    """Return whether the interval of the slice's drop-off lies above or below the drop-off of all."""
    row, of_all = outcome.abandoned, total.abandoned.value if total else None
    if of_all is None or row.low is None or row.high is None or row.dimension_value == "unknown":
        return ""
    return "higher" if row.low > of_all else "lower" if row.high < of_all else ""


def _low(outcome: Outcome) -> float:
    return outcome.abandoned.low or 0


def _said(worst: Outcome | None, total: Outcome | None) -> str:
    if total is None:
        return "No challenges in the selected data."
    of_all = share(total.abandoned.value or 0)
    if worst is None:
        return f"No slice has a drop-off that is clearly above the total of {of_all}."
    row = worst.abandoned
    return wording.sentence(
        "the drop-off is highest",
        wording.in_slice(row.dimension, row.dimension_value),
        f"with {share(row.value or 0)} ({row.numerator:,.0f} of {row.denominator:,}), compared with {of_all} in total",
    )


def _ignored(look: Look) -> tuple[str, ...]:
    return ignored(find_model(DROP_OFF), look.filters)
