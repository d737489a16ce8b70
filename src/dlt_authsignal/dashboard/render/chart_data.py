"""What the page's script needs to draw a chart."""

import json
from typing import Any

from dlt_authsignal.dashboard.page import Chart, Point, Series
from dlt_authsignal.dashboard.render.axis import axis_of
from dlt_authsignal.dashboard.render.rows import labels_of


def chart_data(chart: Chart) -> str:
    """Return a line or stack as JSON."""
    axis, labels = axis_of(chart), labels_of(chart)
    return json.dumps(
        {
            "kind": chart.kind,
            "title": chart.title,
            "unit": chart.unit,
            "axis": {"low": axis.low, "high": axis.high, "step": axis.step},
            "labels": labels,
            "series": [_series(series, labels) for series in chart.series],
            "marks": [{"day": mark.day.isoformat(), "label": mark.label, "href": mark.href} for mark in chart.marks],
        },
        separators=(",", ":"),
    )


def _series(series: Series, labels: tuple[str, ...]) -> dict[str, Any]:
    points = {point.label: point for point in series.points}
    return {"name": series.name, "points": [_point(points.get(label)) for label in labels]}


def _point(point: Point | None) -> list[Any] | None:
    """Value, lower and upper bound, numerator, denominator, and 1 if the period is complete."""
    if point is None:
        return None
    values = (point.value, point.low, point.high, point.numerator, point.denominator)
    return [*(None if value is None else round(value, 6) for value in values), int(point.is_complete)]
