"""Times and differences as English text. The page's script writes them again in the reader's language."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from dlt_authsignal.dashboard.figure_text import shown
from dlt_authsignal.dashboard.page import Number, Point


def shown_time(time: datetime) -> str:
    """Return a time in UTC, to the minute."""
    utc = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y, %H:%M} UTC"


def shown_day(day: date) -> str:
    """Return a day."""
    return f"{day.day} {day:%b %Y}"


def day_of(label: str) -> date | None:
    """Return the day that a label names; None if it is a category."""
    try:
        return date.fromisoformat(label)
    except ValueError:
        return None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How a number differs from the period before.

    Attributes:
        value: The difference: points of a ratio, otherwise a share of the earlier value.
        unit: points or ratio.
        direction: Which way the number moved.
        verdict: What that means: better, worse, within the margin of error, or nothing.
        before: The earlier value, as text.
    """

    value: float
    unit: Literal["points", "ratio", "count"]
    direction: Literal["up", "down", "flat"]
    verdict: Literal["better", "worse", "within margin", ""]
    before: str

    @property
    def text(self) -> str:
        """The difference without its sign, which the arrow shows."""
        return shown(abs(self.value), self.unit)

    @property
    def words(self) -> str:
        """The direction in a word, for readers who do not see the arrow."""
        return {"up": "up", "down": "down", "flat": "unchanged"}[self.direction]


def difference(number: Number) -> Difference | None:
    """Return how a number differs from the period before; None if one of both is unknown."""
    now, before = number.point, number.before
    if now is None or before is None or now.value is None or before.value is None:
        return None
    value, unit = _distance(now.value, before.value, number.unit)
    is_flat = shown(abs(value), unit) == shown(0, unit)
    direction: Literal["up", "down", "flat"] = "flat" if is_flat else "up" if value > 0 else "down"
    return Difference(
        value=value,
        unit=unit,
        direction=direction,
        verdict=_verdict(direction, number.better, is_within=_overlap(now, before)),
        before=shown(before.value, number.unit),
    )


def _distance(now: float, before: float, unit: str) -> tuple[float, Literal["points", "ratio", "count"]]:
    if unit == "ratio":
        return now - before, "points"
    return ((now - before) / before, "ratio") if before else (now - before, "count")


def _overlap(now: Point, before: Point) -> bool:
    """Whether both 95 % intervals overlap, so that the difference may be chance."""
    if now.low is None or now.high is None or before.low is None or before.high is None:
        return False
    return now.low <= before.high and before.low <= now.high


def _verdict(direction: str, better: str, *, is_within: bool) -> Literal["better", "worse", "within margin", ""]:
    if direction == "flat":
        return ""
    if is_within:
        return "within margin"
    if not better:
        return ""
    return "better" if direction == better else "worse"
