"""The section Events of `dlt-authsignal status`."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlt_authsignal.models.events.reconciliation import Reconciliation
    from dlt_authsignal.models.events.silence import Silence


def event_lines(found: "Reconciliation") -> Iterator[str]:
    """Yield the lines about events, with rich's markup."""
    yield "[bold]Events[/]"
    if any(found.attempts.values()):
        yield (
            f"Attempts from {_time(found.compared_from)} to {_time(found.compared_until)}:"
            f" {found.attempts['equal']:,} equal in API and events, {found.attempts['different']:,} different,"
            f" {found.attempts['api only']:,} only in the API, {found.attempts['event only']:,} only in events."
        )
    if found.different_in:
        yield f"Different in: {_listed(found.different_in)}."
    if found.not_compared:
        yield f"Not compared, because only one of the two can have them yet: {_listed(found.not_compared)}."
    for table, lag in found.lag.items():
        late = ", ".join(f"{name} {_span(value)}" for name, value in (("p95", lag.p95), ("p99", lag.p99)))
        yield f"{table}: received {_span(lag.p50)} after the event (median); {late}."
    if found.duplicates:
        yield f"Duplicates received: {_listed(found.duplicates)}."
    if found.silence and found.silence.is_alarming:
        yield (
            f"[yellow]No delivery between {_time(found.silence.since)} and {_time(found.silence.until)};"
            f"{_usual(found.silence)}[/]"
        )
    if found.present_silence and found.may_be_off:
        yield (
            f"[red]No delivery since {_time(found.present_silence.since)};{_usual(found.present_silence)} The webhook"
            " may be off. Check the receiver (dlt-authsignal doctor --events), then the URLs in Authsignal's portal.[/]"
        )
    elif found.last_received:
        yield f"Last delivery: {_time(found.last_received)}."


def _usual(silence: "Silence") -> str:
    return f" {silence.usual_deliveries or 0:,.0f} deliveries would be normal for that time."


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _time(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else "-"


def _span(seconds: float) -> str:
    """Return a duration in two units at most: 0.4 s, 90 s, 15 min, 3 h, 2 days."""
    if abs(seconds) < 120:
        return f"{seconds:.1f} s"
    for name, unit in (("days", 86_400), ("h", 3_600)):
        if abs(seconds) >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds / 60:.1f} min"
