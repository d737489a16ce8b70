"""Geometry of the drawings that need no script: small lines in cards, and lines, stacks and bars in charts.

Positions across are shares of the width, from 0 to 100; the drawing is stretched to the width of its card.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dlt_authsignal.dashboard.page import Chart, Point, Series
from dlt_authsignal.dashboard.render.axis import Axis, axis_of
from dlt_authsignal.dashboard.render.rows import labels_of

HEIGHT: Final = 100.0
FILLED: Final = 0.76
"""Share of the width that columns fill."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One line or area of a series."""

    series: int
    points: str
    is_complete: bool = True


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A line or stack.

    Attributes:
        lines: Lines; those of incomplete periods are dashed.
        areas: Filled areas: intervals of a line, or the parts of a stack's columns.
        marks: Positions of marks, across, and their numbers.
        axis: The vertical axis.
        ends: First and last label.
    """

    lines: tuple[Shape, ...]
    areas: tuple[Shape, ...]
    marks: tuple[tuple[float, str], ...]
    axis: Axis
    ends: tuple[str, str]

    def height(self, tick: float) -> float:
        """Return how far from the top a value is."""
        return HEIGHT * (1 - self.axis.share(tick))


def has_points(chart: Chart) -> bool:
    """Whether there is something to draw."""
    return any(point.value is not None for series in chart.series for point in series.points)


def drawing_of(chart: Chart) -> Drawing:
    """Return the drawing of a line or stack."""
    labels, axis = labels_of(chart), axis_of(chart)
    place_of = _middle if chart.kind == "stack" else _across
    across = {label: place_of(place, len(labels)) for place, label in enumerate(labels)}
    draw = _stacked if chart.kind == "stack" else _lined
    lines, areas = draw(chart, labels, across, axis)
    ends = (labels[0], labels[-1]) if labels else ("", "")
    return Drawing(lines=tuple(lines), areas=tuple(areas), marks=tuple(_marks(chart, across)), axis=axis, ends=ends)


def _marks(chart: Chart, across: dict[str, float]) -> Iterator[tuple[float, str]]:
    """Yield the days with marks, and the numbers of the marks in the list below the chart."""
    numbers: dict[str, list[int]] = {}
    for number, mark in enumerate(chart.marks, 1):
        numbers.setdefault(mark.day.isoformat(), []).append(number)
    for day, found in numbers.items():
        if day in across:
            yield across[day], f"{found[0]}–{found[-1]}" if len(found) > 1 else str(found[0])


def _across(place: int, count: int) -> float:
    return 100.0 * place / (count - 1) if count > 1 else 50.0


def _middle(place: int, count: int) -> float:
    return 100.0 * (place + 0.5) / count


def _lined(
    chart: Chart, _: Sequence[str], across: dict[str, float], axis: Axis
) -> tuple[Iterator[Shape], Iterator[Shape]]:
    is_alone = len(chart.series) == 1
    lines = (
        Shape(series=place, points=_path(run, across, axis), is_complete=is_complete)
        for place, series in enumerate(chart.series)
        for run, is_complete in _runs(series)
    )
    bands = (
        Shape(series=place, points=_band(run, across, axis))
        for place, series in enumerate(chart.series if is_alone else ())
        for run in _with_interval(series)
    )
    return lines, bands


def _runs(series: Series) -> Iterator[tuple[list[Point], bool]]:
    """Yield neighbouring known points whose connection is complete, or is not. A lone point is a run too."""
    points = _by_label(series)
    run: list[Point] = []
    is_complete = True
    for point in points:
        if point.value is None:
            if run:
                yield run, is_complete
            run = []
            continue
        if run:
            both = run[-1].is_complete and point.is_complete
            if len(run) > 1 and both != is_complete:
                yield run, is_complete
                run = run[-1:]
            is_complete = both
        else:
            is_complete = point.is_complete
        run.append(point)
    if run:
        yield run, is_complete


def _with_interval(series: Series) -> Iterator[list[Point]]:
    run: list[Point] = []
    for point in _by_label(series):
        if point.low is None or point.high is None:
            if len(run) > 1:
                yield run
            run = []
        else:
            run.append(point)
    if len(run) > 1:
        yield run


def _by_label(series: Series) -> list[Point]:
    return sorted(series.points, key=lambda point: point.label)


def _path(run: Sequence[Point], across: dict[str, float], axis: Axis) -> str:
    places = [(across[point.label], axis.share(point.value or 0.0)) for point in run]
    if len(places) == 1:
        places.append((places[0][0] + 0.01, places[0][1]))
    return _joined(places)


def _band(run: Sequence[Point], across: dict[str, float], axis: Axis) -> str:
    upper = [(across[point.label], axis.share(point.high or 0.0)) for point in run]
    lower = [(across[point.label], axis.share(point.low or 0.0)) for point in reversed(run)]
    return _joined(upper + lower)


def _stacked(
    chart: Chart, labels: Sequence[str], across: dict[str, float], axis: Axis
) -> tuple[Iterator[Shape], Iterator[Shape]]:
    """Return columns, one above the other for each label."""
    base, half = dict.fromkeys(labels, 0.0), 100.0 * FILLED / len(labels) / 2 if labels else 0.0
    areas = []
    for place, series in enumerate(chart.series):
        for point in series.points:
            low, high = base[point.label], base[point.label] + (point.value or 0.0)
            left, right = across[point.label] - half, across[point.label] + half
            corners = ((left, low), (left, high), (right, high), (right, low))
            edge = [(x, axis.share(height)) for x, height in corners]
            areas.append(Shape(series=place, points=_joined(edge), is_complete=point.is_complete))
            base[point.label] = high
    return iter(()), iter(areas)


def _joined(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.2f},{HEIGHT * (1 - share):.2f}" for x, share in places)


@dataclass(frozen=True)
class Spark:
    """A small line, with its last point."""

    lines: tuple[Shape, ...]
    area: str
    last: tuple[float, float]


def spark_of(series: Series | None) -> Spark | None:
    """Return the small line of a trend; None if it has fewer than two known points."""
    known = [point for point in _by_label(series) if point.value is not None] if series else []
    if series is None or len(known) < 2:
        return None
    chart = Chart(kind="line", title="", caption="", series=(series,), unit="")
    labels = labels_of(chart)
    across = {label: _across(place, len(labels)) for place, label in enumerate(labels)}
    values = [point.value or 0.0 for point in known]
    margin = (max(values) - min(values)) * 0.12 or abs(max(values)) or 1.0
    axis = Axis(min(values) - margin, max(values) + margin, 1.0)
    lines = tuple(
        Shape(series=0, points=_path(run, across, axis), is_complete=is_complete) for run, is_complete in _runs(series)
    )
    places = [(across[point.label], axis.share(point.value or 0.0)) for point in known]
    under = [(places[-1][0], 0.0), (places[0][0], 0.0)]
    return Spark(lines, _joined(places + under), (places[-1][0], HEIGHT * (1 - places[-1][1])))


@dataclass(frozen=True)
class Bar:
    """One bar: its widths as shares of the widest, and what it lost from the bar before."""

    series: int
    name: str
    point: Point
    width: float
    interval: tuple[float, float] | None
    of_first: float | None
    lost: float | None


def bars_of(chart: Chart) -> tuple[Bar, ...]:
    """Return the bars of a bar chart or funnel, one per category and series."""
    ends = [point.high if point.high is not None else point.value for each in chart.series for point in each.points]
    widest = max((end for end in ends if end is not None), default=0.0) or 1.0
    is_funnel = chart.kind == "funnel"
    bars = []
    for label in labels_of(chart):
        for place, series in enumerate(chart.series):
            steps = [point for point in series.points if point.label == label]
            bars += [_bar(place, series, point, widest, is_funnel=is_funnel) for point in steps]
    return tuple(bars)


def _bar(place: int, series: Series, point: Point, widest: float, *, is_funnel: bool) -> Bar:
    width = _width(point.value, widest)
    has_interval = point.low is not None and point.high is not None
    interval = (_width(point.low, widest), _width(point.high, widest)) if has_interval else None
    of_first = lost = None
    if is_funnel:
        at = series.points.index(point)
        of_first = _share(point.value, series.points[0].value)
        kept = _share(point.value, series.points[at - 1].value) if at else None
        lost = None if kept is None else 1 - kept
    return Bar(place, series.name, point, width, interval, of_first, lost)


def _width(value: float | None, widest: float) -> float:
    return round(min(max(100.0 * (value or 0.0) / widest, 0.0), 100.0), 2)


def _share(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None
