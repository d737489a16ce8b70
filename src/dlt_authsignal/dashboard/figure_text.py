"""Values with their units as English text, the same in captions and in numbers."""

from typing import Final

UNKNOWN: Final = "–"

SPANS: Final = (("d", 86_400), ("h", 3_600), ("min", 60))
"""Units of long times, with their seconds."""


def shown(value: float | None, unit: str) -> str:
    """Return a value with its unit, such as `43.2 %`, `8.2 s` or `1,204`."""
    if value is None:
        return UNKNOWN
    if unit == "ratio":
        return share(value)
    if unit == "points":
        return f"{100 * value:,.1f} pts"
    if unit == "count":
        return f"{value:,.0f}"
    if unit == "seconds":
        return _span(value)
    return f"{value:,.2f}"


def share(value: float) -> str:
    """Return a percentage. A share that is not quite nothing or all is not rounded to it."""
    percent = 100 * value
    if percent in (0, 100):
        return f"{percent:.0f} %"
    if 0 < percent < 100:
        percent = min(max(percent, 0.1), 99.9)
    return f"{percent:,.1f} %"


def _span(seconds: float) -> str:
    """Return a length of time in its largest fitting unit."""
    for unit, length in SPANS:
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:,.1f} s"
