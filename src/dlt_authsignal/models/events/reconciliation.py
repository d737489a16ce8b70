"""Read how well events and the API agree."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from dlt_authsignal.models.events.silence import Silence, most_unusual
from dlt_authsignal.models.events.views import RECONCILIATION, reconciliation_sql
from dlt_authsignal.models.opened import Ask, opened
from dlt_authsignal.schema.tables.events import ACTION_LOG, EVENT_FILES, EVENT_TABLES

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

WEEKS: Final = timedelta(weeks=4)
"""Silences are looked for, and compared with what is usual, in this period."""

GAPS: Final = 50
COMPARISONS: Final = ("equal", "different", "api only", "event only")
NOT_COMPARED: Final = ("before the first event", "after the last event", "before the first read", "after the last read")


@dataclass(frozen=True, kw_only=True)
class Lag:
    """How long after they were created events were received, in seconds, over the last 7 days of a table."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """How well events and the API agree.

    Attributes:
        attempts: Attempts by comparison, of the period that both the API and the events cover: equal, different, api
            only, event only.
        not_compared: Attempts that only one of the two can have, by reason.
        compared_from: The first of the compared attempts; None if there is none.
        compared_until: The last of the compared attempts.
        different_in: Attempts by the column in which they differ.
        lag: How late events arrived, by table.
        duplicates: Events that were received again, by table.
        last_received: When the last delivery was received.
        silence: The most unusual time without deliveries in the last four weeks, before the present one.
        present_silence: The time since the last delivery.
        may_be_off: Whether the webhook may be off, because a delivery is overdue.
    """

    attempts: Mapping[str, int]
    not_compared: Mapping[str, int]
    compared_from: datetime | None
    compared_until: datetime | None
    different_in: Mapping[str, int]
    lag: Mapping[str, Lag]
    duplicates: Mapping[str, int]
    last_received: datetime | None
    silence: Silence | None
    present_silence: Silence | None
    may_be_off: bool


def read_reconciliation(
    pipeline: "Pipeline", now: datetime | None = None, *, has_figures: bool = True
) -> Reconciliation | None:
    """Read how well events and the API agree; None if no event was loaded. The views need not be installed.

    Args:
        pipeline: Pipeline that loaded the events.
        now: The time; the machine's by default.
        has_figures: Whether to compare attempts and measure lags, which takes seconds for a million attempts. Without,
            only the deliveries are looked at.
    """
    now = now or datetime.now(UTC)
    with opened(pipeline) as (ask, stored, _):
        if not stored.keys() & EVENT_TABLES.keys():
            return None
        query = (
            f"select figure, slice, value, first_at, last_at from ({reconciliation_sql(stored)}) as {RECONCILIATION}"
        )
        figures = ask(query) if has_figures else []
        gaps, deliveries = _arrivals(ask, now) if EVENT_FILES.name in stored else ([], {})
    found = {(figure, part): (value, _utc(first), _utc(last)) for figure, part, value, first, last in figures}
    counts = {figure: int(value or 0) for (figure, part), (value, *_) in found.items() if part is None}
    compared = [found[name, None] for name in COMPARISONS if (name, None) in found]
    silence, present = most_unusual(gaps, deliveries, now)
    return Reconciliation(
        attempts={name: counts.get(name, 0) for name in COMPARISONS} if ACTION_LOG.name in stored else {},
        not_compared={name: counts[name] for name in NOT_COMPARED if counts.get(name)},
        compared_from=min((first for _, first, _ in compared if first), default=None),
        compared_until=max((last for *_, last in compared if last), default=None),
        different_in=_by_slice(found, "different in"),
        lag=_lags(found),
        duplicates=_by_slice(found, "duplicates"),
        last_received=present.since if present else None,
        silence=silence,
        present_silence=present,
        may_be_off=present is not None and present.is_alarming,
    )


def _arrivals(ask: Ask, now: datetime) -> tuple[list[tuple[datetime, datetime]], dict[datetime, int]]:
    """Return the longest gaps between deliveries, with the last one, and the number of deliveries by hour."""
    recent = f"from {EVENT_FILES.name} where received_at > timestamptz '{(now - WEEKS).isoformat()}'"
    between = f"select received_at, lag(received_at) over (order by received_at) as since {recent}"
    pairs = f"select since, received_at from ({between}) as pairs where since is not null and since < received_at"
    longest = "order by date_diff('millisecond', since, received_at) desc"
    gaps = ask(f"{pairs} {longest} limit {GAPS}") + ask(f"{pairs} order by received_at desc limit 1")
    by_hour = ask(f"select date_trunc('hour', received_at) as hour, count(distinct received_at) {recent} group by 1")
    hours = {_aware(hour).replace(minute=0, second=0): int(count) for hour, count in by_hour}
    return [(_aware(since), _aware(until)) for since, until in gaps], hours


def _lags(found: Mapping[tuple[str, str | None], tuple[Any, ...]]) -> dict[str, Lag]:
    tables = [part for figure, part in found if figure == "lag_p50" and found[figure, part][0] is not None]
    return {
        str(table): Lag(**{name: float(found[f"lag_{name}", table][0]) for name in ("p50", "p95", "p99")})
        for table in tables
    }


def _by_slice(found: Mapping[tuple[str, str | None], tuple[Any, ...]], figure: str) -> dict[str, int]:
    return {str(part): int(value) for (name, part), (value, *_) in found.items() if name == figure and value}


def _aware(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else _aware(moment)
