"""What one page looks at: the cubes and the filters, with the cards that can be made from a KPI."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final, Literal

from dlt_authsignal.dashboard.content.data.selection import Asked, Selection, applied, before, ignored
from dlt_authsignal.dashboard.content.text import findings, wording
from dlt_authsignal.dashboard.content.text.subjects import SUBJECTS, advice
from dlt_authsignal.dashboard.figure_text import shown
from dlt_authsignal.dashboard.page import Chart, Filters, Mark, Number, Point, Series, Table
from dlt_authsignal.models.kpis.catalogue import Model, find_model
from dlt_authsignal.models.values import Kpi

Better = Literal["up", "down", ""]
Caption = Callable[[Sequence[Series]], str]

MOST_DAYS: Final = 92
"""With more days than this, lines have a point for each week."""

MOST_BARS: Final = 12


@dataclass(frozen=True)
class Look:
    """The cubes and the filters of one page.

    Attributes:
        selection: Answers what is asked of the cubes.
        filters: What the reader chose.
        marks: Changes of the configuration, to draw over lines.
        used: Collects the names of the KPIs whose definitions the page shows.
    """

    selection: Selection
    filters: Filters
    marks: tuple[Mark, ...] = ()
    used: set[str] = field(default_factory=set)

    def needs(self, kpi: str) -> str:
        """Return what has to be loaded for a KPI; blank if it is available."""
        self.used.add(kpi)
        return advice(self.selection.cubes.needs.get(kpi, ()))

    def rows(
        self,
        kpi: str,
        grains: Collection[str] = ("all",),
        dimensions: Collection[str] = (),
        *,
        filters: Filters | None = None,
        has_total: bool = True,
    ) -> tuple[Kpi, ...]:
        """Return rows of a KPI under the filters.

        The cubes are asked for all periods that a page may show, so that its cards share an answer.
        """
        self.used.add(kpi)
        model = find_model(kpi)
        last = "month" if model.form == "totals" else self.grain
        every = ("all", "week") if dimensions else tuple(dict.fromkeys(("all", "week", last)))
        if dimensions and model.form == "durations":  # percentiles take longest, and no card shows them by week
            every = ("all",)
        if filters is not None:  # of the period before, cards show the total
            every = ("all",)
        asked = Asked(kpi, applied(model, filters or self.filters), every, tuple(dimensions), has_total)
        return tuple(row for row in self.selection.rows(asked) if row.period_grain in grains)

    @property
    def grain(self) -> str:
        """The period of a point on a line."""
        first, last = self.selection.bounds("attempt_bounds")
        since, until = self.filters.since or first, self.filters.until or last
        return "week" if since and until and (until - since).days > MOST_DAYS else "day"

    def visible_marks(self) -> tuple[Mark, ...]:
        """Return the marks within the chosen days."""
        since, until = self.filters.since or date.min, self.filters.until or date.max
        return tuple(mark for mark in self.marks if since <= mark.day <= until)

    def without_method(self) -> "Look":
        """Return a look at the same data without the filter of the method: an unfinished attempt often has none."""
        return replace(self, filters=replace(self.filters, method=None))

    def number(
        self, kpi: str, measure: str, title: str, *, better: Better = "", note: str = "", dimension: str = ""
    ) -> Number:
        """Return one measure of a KPI as a large number, with its trend and the value of the period before."""
        model, needs = find_model(kpi), self.needs(kpi)
        base = {"title": title, "unit": unit_of(model, measure), "better": better, "definition": kpi}
        if needs:
            return Number(point=None, needs=needs, **base)  # type: ignore[arg-type]
        grain = self.grain if model.form != "totals" else "month"
        found = [row for row in self.rows(kpi, ("all", grain)) if row.measure == measure and row.dimension == "all"]
        total = next((row for row in found if row.period_grain == "all"), None)
        trend = line_of(title, [row for row in found if row.period_grain == grain])
        is_empty = total is None or total.value is None
        return Number(
            point=None if total is None or is_empty else point_of(total, ""),
            before=self._before(kpi, measure),
            trend=trend if len(trend.points) > 1 else None,
            ignores=ignored(model, self.filters),
            note="No cases in the selected data." if is_empty else note,
            **base,  # type: ignore[arg-type]
        )

    def _before(self, kpi: str, measure: str) -> Point | None:
        """Return the value of the period of the same length before, if all of it is loaded."""
        earlier, model = before(self.filters), find_model(kpi)
        if earlier is None or earlier.since is None or model.form == "totals" or not model.bounds:
            return None
        first, _ = self.selection.bounds(model.bounds)
        if first is None or earlier.since < first:
            return None
        rows = self.rows(kpi, filters=earlier)
        row = next((row for row in rows if row.measure == measure and row.dimension == "all"), None)
        return None if row is None or row.value is None else point_of(row, "")

    def line(
        self,
        title: str,
        measures: Sequence[tuple[str, str, str]],
        *,
        has_marks: bool = False,
        caption: str | None = None,
    ) -> Chart:
        """Return measures over time, each given as KPI, measure and name of the series."""
        first = find_model(measures[0][0])
        available = [each for each in measures if not self.needs(each[0])]
        if not available:
            return no_chart("line", title, first, self.needs(first.name))
        series = []
        for kpi, measure, name in available:
            rows = self.rows(kpi, (self.grain,))
            series.append(line_of(name, [row for row in rows if row.measure == measure and row.dimension == "all"]))
        kept = tuple(each for each in series if each.points)
        return Chart(
            kind="line",
            title=title,
            caption=caption if caption is not None else over_time(kept, unit_of(first, measures[0][1])),
            series=kept,
            unit=unit_of(first, measures[0][1]),
            marks=self.visible_marks() if has_marks else (),
            definition=first.name,
            ignores=ignored(first, self.filters),
        )

    def bars(self, title: str, kpi: str, measure: str, dimension: str) -> Chart:
        """Return one measure by the values of a dimension, largest slices first."""
        model, needs = find_model(kpi), self.needs(kpi)
        if needs:
            return no_chart("bar", title, model, needs)
        rows = [
            row
            for row in self.rows(kpi, ("all",), (dimension,))
            if row.measure == measure and row.dimension == dimension and row.value is not None
        ]
        unit = unit_of(model, measure)
        ordered = sorted(
            rows, key=lambda row: -(row.denominator or 0) if not model.share_measures else -(row.value or 0)
        )
        series = Series(name=title, points=tuple(point_of(row, row.dimension_value) for row in ordered[:MOST_BARS]))
        return Chart(
            kind="bar",
            title=title,
            caption=extremes(series, unit, dimension),
            series=(series,) if series.points else (),
            unit=unit,
            definition=kpi,
            ignores=ignored(model, self.filters),
        )

    def changes(self, kpis: Iterable[tuple[str, str]], dimensions: Sequence[str]) -> list[findings.Change]:
        """Return the most certain weekly change of each slice of some measures, the most certain first."""
        found: list[findings.Change] = []
        for kpi, measure in kpis:
            if self.needs(kpi):
                continue
            model = find_model(kpi)
            having = tuple(name for name in dimensions if name in model.dimensions)
            rows = [row for row in self.rows(kpi, ("week",), having) if row.measure == measure]
            found += findings.weekly_changes(rows)
        return findings.per_slice(found)

    def finding(self, kpi: str, measure: str, dimensions: Sequence[str]) -> str:
        """Say the largest significant weekly change of a measure; blank if there is none."""
        found = self.changes([(kpi, measure)], dimensions)
        return findings.said(found[0], SUBJECTS[kpi, measure]) if found else ""


def unit_of(model: Model, measure: str) -> str:
    """Return the unit of a measure, as pages show it."""
    unit = model.units.get(measure, model.unit)
    return _UNITS.get(unit, unit)


_UNITS: Final = {"per message": "money", "per challenge": "money", "per user and year": "per user"}


def point_of(row: Kpi, label: str) -> Point:
    """Return a row as a point."""
    return Point(
        label=label,
        value=row.value,
        low=row.low,
        high=row.high,
        numerator=row.numerator,
        denominator=row.denominator,
        is_complete=row.is_complete,
    )


def line_of(name: str, rows: Iterable[Kpi]) -> Series:
    """Return rows as points over time."""
    dated = sorted((row for row in rows if row.period_start), key=lambda row: row.period_start or date.min)
    return Series(name=name, points=tuple(point_of(row, f"{row.period_start:%Y-%m-%d}") for row in dated))


def no_chart(kind: Literal["line", "bar", "stack", "funnel"], title: str, model: Model, needs: str) -> Chart:
    """Return an empty chart that says what to load."""
    return Chart(kind=kind, title=title, caption="", series=(), unit=model.unit, definition=model.name, needs=needs)


def no_table(title: str, columns: Sequence[str], units: Sequence[str], needs: str, definition: str = "") -> Table:
    """Return an empty table that says what to load."""
    return Table(
        title=title, caption="", columns=tuple(columns), units=tuple(units), rows=(), needs=needs, definition=definition
    )


def over_time(series: Sequence[Series], unit: str) -> str:
    """Say how each series began and ended, by its complete points."""
    said = []
    for each in series:
        known = [point for point in each.points if point.value is not None and point.is_complete]
        if len(known) > 1:
            said.append(
                f"{each.name} was {shown(known[0].value, unit)} on {wording.day(known[0].label)}"
                f" and {shown(known[-1].value, unit)} on {wording.day(known[-1].label)}"
            )
        elif known:
            said.append(f"{each.name} was {shown(known[0].value, unit)} on {wording.day(known[0].label)}")
    return wording.sentence("; ".join(said)) if said else "No cases in the selected data."


def extremes(series: Series, unit: str, dimension: str) -> str:
    """Say which slices have the highest and the lowest value, of those with enough cases."""
    known = [
        point
        for point in series.points
        if point.value is not None and point.label != "unknown" and (point.denominator or 0) >= findings.ENOUGH
    ]
    if not known:
        return "No slice has 30 cases or more." if series.points else "No cases in the selected data."
    high, low = max(known, key=_value), min(known, key=_value)
    highest = f"highest {wording.in_slice(dimension, high.label)}: {shown(high.value, unit)} ({wording.of(high)})"
    if high is low or high.value == low.value:
        return wording.sentence(highest)
    lowest = f"lowest {wording.in_slice(dimension, low.label)}: {shown(low.value, unit)} ({wording.of(low)})"
    return wording.sentence(f"{highest}; {lowest}")


def _value(point: Point) -> float:
    return point.value or 0.0
