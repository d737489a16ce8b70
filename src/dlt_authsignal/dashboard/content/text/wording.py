"""Figures, periods and slices in words, for captions."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from dlt_authsignal.dashboard.page import Point

_IN_WORDS: Final = {
    "os": "on {}",
    "browser": "in {}",
    "action_code": "for the action {}",
    "country_code": "in the country {}",
    "phone_country": "to phones in {}",
    "verification_method": "by {}",
    "channel": "by {}",
    "provider": "at {}",
    "rule": "of the rule {}",
    "attachment": "of attachment {}",
    "comparison": "that are {}",
    "event_table": "in {}",
}

TITLES: Final = {
    "os": "Operating system",
    "browser": "Browser",
    "action_code": "Action",
    "country_code": "Country",
    "phone_country": "Country of the phone",
    "verification_method": "Method",
    "channel": "Channel",
    "provider": "Provider",
    "rule": "Rule",
    "attachment": "Attachment",
    "comparison": "Comparison",
    "event_table": "Table of events",
}
"""Titles of dimensions."""


def points(value: float) -> str:
    """Format a difference of two shares in percentage points, with its sign."""
    return f"{100 * value:+.1f}".replace("-", "−")  # a minus sign, not a hyphen


def of(point: Point) -> str:
    """Format the counts of a share: `31 of 240`."""
    if point.numerator is None or point.denominator is None:
        return f"{point.denominator:,.0f} cases" if point.denominator is not None else ""
    return f"{point.numerator:,.0f} of {point.denominator:,.0f}"


def day(value: date | str) -> str:
    """Format a day: `12 Oct`."""
    moment = date.fromisoformat(value) if isinstance(value, str) else value
    return f"{moment.day} {moment:%b}"


def in_slice(dimension: str, value: str) -> str:
    """Say which slice: `on Android`; nothing for the total."""
    if dimension == "all":
        return ""
    return _IN_WORDS.get(dimension, "of {}").format("unknown" if value == "unknown" else value)


def listed(parts: Sequence[str]) -> str:
    """Join parts of a sentence: `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def sentence(*parts: str) -> str:
    """Join the parts that are not blank to a sentence."""
    text = " ".join(part for part in parts if part)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def period(since: date | None, until: date | None) -> str:
    """Say which days: `from 1 Oct to 2 Nov`."""
    begin = f"from {day(since)}" if since else ""
    end = f"to {day(until)}" if until else ""
    return f"{begin} {end}".strip()
