"""Record every run in the dataset, including runs that failed or were killed."""

import json
import logging
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.duckdb_file import keep_open
from dlt_authsignal.errors import AuthsignalError
from dlt_authsignal.pipeline.run_table import write_records
from dlt_authsignal.project.private_files import replace_text
from dlt_authsignal.schema.run_counters import RunCounters
from dlt_authsignal.source.metrics.run_metrics import RunMetrics

MAX_TEXT: Final = 500
MAX_KEPT: Final = 1000
"""Number of run records kept on this machine while the destination cannot be reached."""

logger = logging.getLogger(__name__)


_NEEDED: Final = frozenset({"run_id", "started_at", "ended_at", "outcome"})
_TIMES: Final = ("started_at", "ended_at", "oldest_read_at")


@dataclass(kw_only=True)
class Run(RunCounters):
    """One run: the values of its row in `sync_runs`.

    Attributes:
        apis: APIs that were read.
        errors: Requests that failed, by kind.
        oldest_read_at: Last read of the user who has waited longest.
        tables: By table: rows read, new, changed, deleted, total.
        drift: Schema drift by table.
        reached_destination: Whether the record can be written to the destination.
    """

    run_id: str = field(default_factory=lambda: str(uuid4()))
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended_at: datetime | None = None
    outcome: str = "killed"
    error: str | None = None
    error_message: str | None = None
    apis: str | None = None
    seconds: float | None = None
    errors: dict[str, int] | None = None
    rows_new: int = 0
    rows_changed: int = 0
    rows_deleted: int = 0
    oldest_read_at: datetime | None = None
    tables: dict[str, Any] = field(default_factory=dict)
    drift: dict[str, Any] | None = None
    version: str = field(default_factory=lambda: version("dlt-authsignal"))
    reached_destination: bool = field(default=False, repr=False)

    def reach(self) -> None:
        """Note that the destination has answered."""
        self.reached_destination = True

    def end(self, outcome: str, meter: RunMetrics, error: BaseException | None = None) -> None:
        """Fill in the values that are known at the end."""
        self.ended_at = datetime.now(UTC)
        self.outcome = outcome
        self.seconds = round((self.ended_at - self.started_at).total_seconds(), 2)
        for name, count in meter.counters().items():
            setattr(self, name, count)
        for name in ("new", "changed", "deleted"):
            setattr(self, f"rows_{name}", sum(table.get(name, 0) for table in self.tables.values()))
        self.errors = dict(meter.errors) or None
        self.drift = meter.drift.report() or None
        if meter.refused:
            self.error, self.error_message = "TablesRefused", " ".join(meter.refused.values())[:MAX_TEXT]
        if error is not None:
            self.error = type(error).__name__
            # other errors may quote values
            self.error_message = str(error)[:MAX_TEXT] if isinstance(error, AuthsignalError) else None

    def row(self) -> dict[str, Any]:
        values = asdict(self)
        del values["reached_destination"]
        return values


@contextmanager
def recorded(pipeline: Pipeline, meter: RunMetrics, alone: AbstractContextManager[None]) -> Iterator[Run]:
    """Record a run, however it ends. A failure to record never fails the run.

    Args:
        pipeline: Pipeline of the run.
        meter: Counters of the run.
        alone: Locks the destination until the record is written.
    """
    with ExitStack() as held:
        yield from _recorded(pipeline, meter, held, alone)


def _recorded(
    pipeline: Pipeline, meter: RunMetrics, held: ExitStack, alone: AbstractContextManager[None]
) -> Iterator[Run]:
    run, journal = Run(), journal_of(pipeline)
    _keep(pipeline, journal, run)
    try:
        held.enter_context(alone)
        yield run
    except Exception as error:
        run.end("failed", meter, error)
        _keep(pipeline, journal, run)
        raise
    except BaseException:
        run.end("stopped", meter)
        run.reached_destination = False  # ends quickly when stopped: the next run loads the record
        _keep(pipeline, journal, run)
        raise
    run.end("done", meter)
    _keep(pipeline, journal, run)


class Journal:
    """File of the run records that are not in the destination yet, one JSON object per line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def path(self) -> Path:
        return self._path

    def put(self, run: Run) -> None:
        """Add the record of a run, or replace it."""
        others = [row for row in self.rows() if row["run_id"] != run.run_id][-MAX_KEPT:]
        self._write([*others, run.row()])

    def redact(self, texts: Collection[str]) -> int:
        """Remove error messages that contain one of the texts, and return their number."""
        rows = self.rows()
        found = [row for row in rows if any(text in (row["error_message"] or "") for text in texts)]
        for row in found:
            row["error_message"] = None
        if found:
            self._write(rows)
        return len(found)

    def _write(self, rows: list[dict[str, Any]]) -> None:
        lines = [json.dumps(row, default=str) for row in rows]
        replace_text(self._path, "".join(f"{line}\n" for line in lines))

    def rows(self) -> list[dict[str, Any]]:
        """Return the records; none if the file cannot be read or has other content."""
        try:
            found = [json.loads(line) for line in self._path.read_text("utf-8").splitlines()]
        except (OSError, ValueError):
            return []
        return found if all(isinstance(row, dict) and row.keys() >= _NEEDED for row in found) else []

    def clear(self) -> None:
        """Remove all records."""
        self._path.unlink(missing_ok=True)


def journal_of(pipeline: Pipeline) -> Journal:
    """Return a pipeline's journal on this machine."""
    return Journal(Path(pipeline.pipelines_dir) / f"{pipeline.pipeline_name}.runs.jsonl")


def _keep(pipeline: Pipeline, journal: Journal, run: Run) -> None:
    try:
        journal.put(run)
        if run.reached_destination and not pipeline.has_pending_data:
            with keep_open(pipeline):
                write_records(pipeline, journal.rows())
            journal.clear()
    except Exception as error:  # recording must not fail the run
        logger.warning("The record of this run could not be saved or loaded (%s).", type(error).__name__)
