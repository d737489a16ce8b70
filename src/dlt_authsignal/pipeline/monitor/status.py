"""How current the data is, read from the destination alone."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

import dlt
from dlt.destinations.exceptions import DatabaseTerminalException
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.stores.queries import columns_of, freshness, schema_of
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.models.events.reconciliation import Reconciliation, read_reconciliation
from dlt_authsignal.pipeline.attach import fetch_schema
from dlt_authsignal.pipeline.monitor.staleness import Gap, Staleness, gaps, reads_users, staleness
from dlt_authsignal.pipeline.prepared import opened_once
from dlt_authsignal.schema.tables.bookkeeping import DETECTIONS, SYNC_RUNS
from dlt_authsignal.schema.tables.configuration import CONFIGURATION
from dlt_authsignal.schema.tables.events import EVENT_TABLES
from dlt_authsignal.schema.tables.server import TABLES
from dlt_authsignal.source.config.durations import duration
from dlt_authsignal.source.config.resolve import resolved_settings
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.incremental.state.known_reads import known_reads
from dlt_authsignal.source.incremental.state.last_read import PARTS, TOLD_BY_EVENTS, LastRead, milliseconds
from dlt_authsignal.source.tenant.check import Evidence, is_known_key

T = TypeVar("T")

RUNS_SHOWN: Final = 5
FAILURES_SHOWN: Final = 3
_SECTION: Final = "sources.authsignal_source"


@dataclass(frozen=True, kw_only=True)
class TableStatus:
    """Status of one table.

    Attributes:
        rows: Rows in the table, without those marked as deleted.
        deleted: Rows marked as deleted.
        newest_read: Newest read time of its rows; None for an empty table.
        oldest_read: Oldest read time of its rows; None for an empty table.
    """

    rows: int
    deleted: int
    newest_read: datetime | None
    oldest_read: datetime | None


@dataclass(frozen=True, kw_only=True)
class DetectionCounts:
    """Detections of one rule.

    Attributes:
        found: Rows in the table `detections`.
        not_sent: Rows that no alert was sent for.
    """

    found: int
    not_sent: int


@dataclass(frozen=True, kw_only=True)
class Status:
    """How current the data is.

    Attributes:
        now: Time of this status.
        runs: Rows of `sync_runs` for the last syncs, newest first.
        last_done: End of the last successful sync that read users, or of the configuration if none has; None if there
            is none.
        failures: Failed syncs since then.
        tables: Status by table.
        users_waiting: Users who were never read, because no sync so far had the budget.
        users_due: Users who were last read longer ago than `max_staleness`, or never.
        users_reported: Users named by an event since their last read. The next sync reads them.
        users: Age of the users' last reads.
        gaps: Periods without a successful sync that were long enough to lose actions, latest first.
        failed: Rows of `sync_runs` for the failed syncs since the last successful one, newest first.
        configuration_read: When the tenant's configuration was last read; None if it never was.
        key_is_known: Whether the configured key loaded this dataset before; None if no key is configured or recorded.
        events: How well events and the API agree; None without events.
        detections: Detections by rule; empty if none is in the table.
    """

    now: datetime
    runs: Sequence[Mapping[str, Any]]
    last_done: datetime | None
    failures: int
    tables: Mapping[str, TableStatus]
    users_waiting: int
    users_due: int
    users_reported: int
    users: Staleness
    gaps: Sequence[Gap]
    failed: Sequence[Mapping[str, Any]]
    configuration_read: datetime | None
    key_is_known: bool | None = None
    events: Reconciliation | None = None
    detections: Mapping[str, DetectionCounts] = field(default_factory=dict)

    @property
    def age(self) -> timedelta | None:
        """Return the time since the last successful sync."""
        return self.now - self.last_done if self.last_done else None


def status(pipeline: Pipeline, *, has_event_figures: bool = True) -> Status:
    """Read the status of a pipeline's dataset.

    Args:
        pipeline: Pipeline that loaded it.
        has_event_figures: Whether to compare events and API, which takes seconds for a million attempts.
    """
    fetch_schema(pipeline)
    with opened_once(pipeline):
        return _status(pipeline, has_event_figures=has_event_figures)


def _status(pipeline: Pipeline, *, has_event_figures: bool) -> Status:
    now = datetime.now(UTC)
    runs = sorted(_runs(pipeline), key=lambda run: run["started_at"], reverse=True)
    of_users = [run for run in runs if reads_users(run)] or runs
    done = next((index for index, run in enumerate(of_users) if run["outcome"] == "done"), None)
    found = {name: freshness(pipeline, name) for name in (*TABLES, *EVENT_TABLES)}
    reads = _unless_lost(partial(known_reads, pipeline))
    longest = duration(
        "max_staleness", dlt.config.get(f"{_SECTION}.max_staleness", str) or SourceSettings.max_staleness
    )
    return Status(
        now=now,
        runs=runs[:RUNS_SHOWN],
        last_done=None if done is None else of_users[done]["ended_at"],
        failures=len(of_users) if done is None else done,
        tables={
            name: TableStatus(rows=rows, deleted=deleted, newest_read=_utc(newest), oldest_read=_utc(oldest))
            for name, (rows, deleted, newest, oldest) in found.items()
            if rows or deleted
        },
        users_waiting=sum(not read.was_read for read in reads),
        users_due=sum(_oldest(read) < milliseconds(now - longest) for read in reads),
        users_reported=sum(any(read.is_outdated(part) for part in TOLD_BY_EVENTS) for read in reads),
        users=staleness(reads, now),
        gaps=gaps(runs, now),
        failed=of_users[:done][:FAILURES_SHOWN],
        configuration_read=max((read for table in CONFIGURATION if (read := _utc(found[table.name][2]))), default=None),
        key_is_known=_key_is_known(pipeline),
        events=_events(pipeline, now, has_figures=has_event_figures),
        detections=_detections(pipeline),
    )


def _detections(pipeline: Pipeline) -> dict[str, DetectionCounts]:
    rows = _unless_lost(partial(columns_of, pipeline, DETECTIONS.name, "rule", "sent_at"))
    found = Counter(rule for rule, _ in rows)
    sent = Counter(rule for rule, sent_at in rows if sent_at is not None)
    return {rule: DetectionCounts(found=found[rule], not_sent=found[rule] - sent[rule]) for rule in sorted(found)}


def _key_is_known(pipeline: Pipeline) -> bool | None:
    try:
        settings = resolved_settings(pipeline.pipeline_name)
    except ConfigurationError:  # the status of the data does not depend on the settings of a sync
        return None
    return is_known_key(pipeline, Evidence(base=settings.base, key=settings.api_secret_key))


def _events(pipeline: Pipeline, now: datetime, *, has_figures: bool) -> Reconciliation | None:
    """Return how well events and the API agree; None if a table was dropped, which the next load adds again."""
    try:
        return read_reconciliation(pipeline, now, has_figures=has_figures)
    except DatabaseTerminalException:
        return None


def _unless_lost(rows: Callable[[], Iterable[T]]) -> list[T]:
    """Return the rows; none if a column of their table was dropped, which the next sync adds again."""
    try:
        return list(rows())
    except DatabaseTerminalException:
        return []


def _oldest(read: LastRead) -> int:
    return min((read.at(part) for part in PARTS if read.at(part)), default=0)


def _runs(pipeline: Pipeline) -> list[dict[str, Any]]:
    if not pipeline.default_schema_name:
        return []
    held = schema_of(pipeline).tables.get(SYNC_RUNS.name, {}).get("columns", {})
    names = [column.name for column in SYNC_RUNS.columns]
    there = [name for name in names if name in held]  # older versions had fewer columns
    rows = _unless_lost(partial(columns_of, pipeline, SYNC_RUNS.name, *there))
    runs: list[dict[str, Any]] = [dict.fromkeys(names) | dict(zip(there, row, strict=True)) for row in rows]
    for run in runs:
        for name in ("tables", "errors", "drift"):
            value: Any = run[name]
            run[name] = json.loads(value) if isinstance(value, str) else value or {}
        run |= {name: _utc(run[name]) for name in ("started_at", "ended_at", "oldest_read_at")}
    return [run for run in runs if run["started_at"] is not None]  # else it was not written by a sync


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
