"""How current the data is, told from the destination alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import dlt
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.api.endpoints import ACTION_WINDOW_DAYS
from dlt_authsignal.api.tables import TABLES
from dlt_authsignal.source.durations import duration
from dlt_authsignal.source.held import columns_of, freshness
from dlt_authsignal.source.reads import known_reads
from dlt_authsignal.source.runs import SYNC_RUNS
from dlt_authsignal.source.sweep import DEFAULT_STALENESS, PARTS, LastRead, milliseconds

NEAR_HORIZON: Final = timedelta(days=ACTION_WINDOW_DAYS - 5)
"""Whoever was read longer ago is about to lose actions: the API forgets them."""

RUNS_SHOWN: Final = 5
_SECTION: Final = "sources.authsignal_source"


@dataclass(frozen=True, kw_only=True)
class TableStatus:
    """One table.

    Attributes:
        rows: Rows in it.
        newest_read: When its newest row was read; None in an empty table.
        oldest_read: When its oldest row was read.
    """

    rows: int
    newest_read: datetime | None
    oldest_read: datetime | None


@dataclass(frozen=True, kw_only=True)
class Status:
    """How current the data is.

    Attributes:
        now: When this was found out.
        runs: The last syncs, newest first, as `sync_runs` holds them.
        last_done: When the last sync that succeeded ended; None if none has.
        failures: Syncs since then that did not.
        tables: By table.
        users_waiting: Users who were due, and whom the budget of each sync so far left to the next.
        users_due: Users whose longest wait is over: read longer ago than `max_staleness`, or never.
        near_horizon: Users whose actions the API is about to forget: read more than 25 days ago.
    """

    now: datetime
    runs: Sequence[Mapping[str, Any]]
    last_done: datetime | None
    failures: int
    tables: Mapping[str, TableStatus]
    users_waiting: int
    users_due: int
    near_horizon: int

    @property
    def age(self) -> timedelta | None:
        """Since the last sync that succeeded."""
        return self.now - self.last_done if self.last_done else None


def status(pipeline: Pipeline) -> Status:
    """Reads the status of a pipeline's dataset."""
    pipeline.sync_destination()
    now = datetime.now(UTC)
    runs = sorted(_runs(pipeline), key=lambda run: run["started_at"], reverse=True)
    done = next((index for index, run in enumerate(runs) if run["outcome"] == "done"), None)
    found = {name: freshness(pipeline, name) for name in TABLES}
    reads = list(known_reads(pipeline))
    staleness = duration("max_staleness", dlt.config.get(f"{_SECTION}.max_staleness", str) or DEFAULT_STALENESS)
    return Status(
        now=now,
        runs=runs[:RUNS_SHOWN],
        last_done=None if done is None else runs[done]["ended_at"],
        failures=len(runs) if done is None else done,
        tables={
            name: TableStatus(rows=rows, newest_read=_utc(newest), oldest_read=_utc(oldest))
            for name, (rows, newest, oldest) in found.items()
            if rows
        },
        users_waiting=sum(not read.was_read for read in reads),
        users_due=sum(_oldest(read) < milliseconds(now - staleness) for read in reads),
        near_horizon=sum(0 < read.user_actions < milliseconds(now - NEAR_HORIZON) for read in reads if read.is_known),
    )


def _oldest(read: LastRead) -> int:
    return min((read.at(part) for part in PARTS if read.at(part)), default=0)


def _runs(pipeline: Pipeline) -> list[dict[str, Any]]:
    names = [column.name for column in SYNC_RUNS.columns]
    runs = [dict(zip(names, row, strict=True)) for row in columns_of(pipeline, SYNC_RUNS.name, *names)]
    for run in runs:
        run["tables"] = json.loads(run["tables"]) if isinstance(run["tables"], str) else run["tables"] or {}
        run |= {name: _utc(run[name]) for name in ("started_at", "ended_at")}
    return runs


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
