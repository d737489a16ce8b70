"""The vertical axis of a chart: from where to where, with round numbers."""

import math
from dataclasses import dataclass
from typing import Final

from dlt_authsignal.dashboard.figure_text import SPANS
from dlt_authsignal.dashboard.page import Chart
from dlt_authsignal.dashboard.render.rows import labels_of

STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
INTERVALS: Final = 4
FLAT: Final = 0.7
"""Lines above this share of their greatest value do not need an axis from zero: it would hide how they move."""


@dataclass(frozen=True)
class Axis:
    """Bounds, and the distance of its lines."""

    low: float
    high: float
    step: float

    @property
    def ticks(self) -> tuple[float, ...]:
        """Values with a line, from below."""
        count = round((self.high - self.low) / self.step)
        return tuple(self.low + place * self.step for place in range(count + 1))

    def share(self, value: float) -> float:
        """Return where a value is: 0 at the lower end, 1 at the upper."""
        return (value - self.low) / (self.high - self.low)


def axis_of(chart: Chart) -> Axis:
    """Return the axis on which all values of a line or stack fit."""
    values = _heights(chart) if chart.kind == "stack" else _values(chart)
    if not values:
        return Axis(0.0, 1.0, 0.25)
    highest, lowest = max(values), min(values)
    base = lowest if chart.kind == "line" and lowest > FLAT * highest else min(lowest, 0.0)
    size = _unit_of_time(highest) if chart.unit == "seconds" else 1.0
    cap = 1.0 if chart.unit == "ratio" else math.inf
    axis = _rounded(base / size, highest / size, is_whole=chart.unit == "count", cap=cap)
    return Axis(axis.low * size, axis.high * size, axis.step * size)


def _unit_of_time(seconds: float) -> float:
    """Return the seconds of the unit in which a time is shown, so that its lines are at round numbers of it."""
    return float(next((length for _, length in SPANS if seconds >= 2 * length), 1))


def _values(chart: Chart) -> list[float]:
    points = [point for series in chart.series for point in series.points]
    has_bands = len(chart.series) == 1
    drawn = [(point.value, point.low, point.high) if has_bands else (point.value,) for point in points]
    return [value for values in drawn for value in values if value is not None]


def _heights(chart: Chart) -> list[float]:
    """Return the sum of all series at each label."""
    heights = dict.fromkeys(labels_of(chart), 0.0)
    for series in chart.series:
        for point in series.points:
            heights[point.label] += point.value or 0.0
    return list(heights.values())


def _rounded(low: float, high: float, *, is_whole: bool, cap: float) -> Axis:
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / INTERVALS))
    step = next((size * power for size in STEPS if size * power * INTERVALS >= span * 0.999), 10 * power)
    if is_whole:
        step = max(1.0, math.ceil(step))
    bottom = math.floor(low / step + 1e-9) * step
    top = math.ceil(high / step - 1e-9) * step
    if top <= bottom:
        top = bottom + step
    return Axis(bottom, min(top, cap) if bottom < cap <= top else top, step)
