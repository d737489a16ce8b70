"""Changes from one week to the next that are larger than chance explains, and the slice with the largest one.

The interval of a difference is Newcombe's, from the Wilson intervals of both shares, as in `config_change_effects`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from typing import Final

from dlt_authsignal.dashboard.content.text import wording
from dlt_authsignal.dashboard.figure_text import share
from dlt_authsignal.models.values import Kpi

ENOUGH: Final = 30
"""Cases that each of two weeks needs, as in `config_change_effects`."""

_WEEK: Final = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A share of one slice in two weeks that follow each other.

    Attributes:
        before: Row of the week before.
        after: Row of the week after.
        low: Lower bound of the 95 % interval of the difference.
        high: Upper bound.
    """

    before: Kpi
    after: Kpi
    low: float
    high: float

    @property
    def difference(self) -> float:
        return (self.after.value or 0) - (self.before.value or 0)

    @property
    def is_significant(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0

    @property
    def certain(self) -> float:
        """The part of the difference that the interval leaves certain."""
        return max(self.low, -self.high, 0)

    @property
    def week(self) -> date:
        return self.after.period_start or date.min

    @property
    def where(self) -> str:
        return wording.in_slice(self.after.dimension, self.after.dimension_value)


def between(before: Kpi, after: Kpi) -> Change | None:
    """Return the change between two rows of a share; None if one of them has none."""
    figures = (before.value, before.low, before.high, after.value, after.low, after.high)
    if any(figure is None for figure in figures):
        return None
    was, was_low, was_high, now, now_low, now_high = (float(figure or 0) for figure in figures)
    difference = now - was
    return Change(
        before=before,
        after=after,
        low=difference - sqrt((now - now_low) ** 2 + (was_high - was) ** 2),
        high=difference + sqrt((now_high - now) ** 2 + (was - was_low) ** 2),
    )


def weekly_changes(rows: Iterable[Kpi]) -> list[Change]:
    """Return the significant changes between complete weeks that follow each other, the most certain first."""
    by_slice: dict[tuple[str, str, str], dict[date, Kpi]] = {}
    for row in rows:
        is_usable = row.period_grain == "week" and row.is_complete and row.dimension_value != "unknown"
        if is_usable and row.period_start and (row.denominator or 0) >= ENOUGH:
            by_slice.setdefault((row.measure, row.dimension, row.dimension_value), {})[row.period_start] = row
    found = [
        change
        for weeks in by_slice.values()
        for start, after in weeks.items()
        if (earlier := weeks.get(start - _WEEK)) and (change := between(earlier, after)) and change.is_significant
    ]
    return sorted(found, key=_order)


def _order(change: Change) -> tuple[float, bool]:
    return (-change.certain, change.after.dimension != "all")


def said(change: Change, subject: str) -> str:
    """Say a change: `Drop-off on Android rose from 12.0 % to 31.0 % in the week of 12 Oct (31 of 100; …)`."""
    verb = "rose" if change.difference > 0 else "fell"
    counts = f"{change.after.numerator:,.0f} of {change.after.denominator:,}"
    interval = f"{wording.points(change.low)} to {wording.points(change.high)} points"
    return wording.sentence(
        subject,
        change.where,
        f"{verb} from {share(change.before.value or 0)} to {share(change.after.value or 0)}",
        f"in the week of {wording.day(change.week)} ({counts}; 95 % interval of the change: {interval})",
    )


def per_slice(changes: Iterable[Change]) -> list[Change]:
    """Return the most certain change of each KPI and slice; of slices with all cases of the total, only the total's."""
    first: dict[tuple[str, str, str, str], Change] = {}
    for change in sorted(changes, key=_order):
        row = change.after
        first.setdefault((row.model.name, row.measure, row.dimension, row.dimension_value), change)
    totals = [change for change in first.values() if change.after.dimension == "all"]
    return [
        change for change in first.values() if change in totals or not any(_is_same(change, total) for total in totals)
    ]


def _is_same(change: Change, total: Change) -> bool:
    """Return whether a slice has all cases of the total."""
    return all(
        (one.model.name, one.measure, one.period_start, one.denominator)
        == (other.model.name, other.measure, other.period_start, other.denominator)
        for one, other in ((change.before, total.before), (change.after, total.after))
    )
