"""One sync: finish what an earlier run left, read, load, and say what changed."""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import dlt
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.configuration.providers.toml import TomlProviderReadException
from dlt.common.destination.exceptions import DestinationUndefinedEntity, UnknownDestinationModule
from dlt.common.exceptions import DltException, MissingDependencyException
from dlt.common.runtime.collector import NullCollector
from dlt.pipeline.exceptions import InvalidPipelineName, PipelineStepFailed
from dlt.pipeline.pipeline import Pipeline
from filelock import FileLock, Timeout

from dlt_authsignal.api.tables import TABLES
from dlt_authsignal.errors import AuthsignalError, ConfigurationError, PipelineBusy, RunFailed
from dlt_authsignal.source.discretion import QUOTING_ERRORS, discreet, unreadable, why
from dlt_authsignal.source.lanes import authsignal_source
from dlt_authsignal.source.meter import Meter
from dlt_authsignal.source.rows import fingerprint

PIPELINE_NAME: Final = "authsignal_pipeline"
DATASET_NAME: Final = "authsignal_data"
MAX_PENDING_RUNS: Final = 10


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """What one run did to one table.

    Attributes:
        read: Rows read from Authsignal.
        new: Rows the table did not have before.
        changed: Rows that Authsignal now describes otherwise.
        total: Rows in the table after the run.
    """

    read: int
    new: int
    changed: int
    total: int


@dataclass(frozen=True, kw_only=True)
class SyncReport:
    """One finished run.

    Attributes:
        pipeline: dlt pipeline name.
        destination: Destination type.
        location: Where the data is, without credentials.
        dataset: Dataset (schema) name.
        tables: Report per table, in the registry's order.
        users_read: Users read completely.
        unknown_users: Ids of the roster that Authsignal does not know.
        unknown_positions: Where the first of those stand in the file of ids.
        requests: HTTP requests, retries included.
        retries: Of those, repeated ones.
        throttled: Answers with status 429.
        seconds: Duration.
        finished_pending: True when an earlier run's unfinished load was completed first.
        elsewhere: True when dlt keeps this pipeline's DuckDB file in the folder where the pipeline was begun.
    """

    pipeline: str
    destination: str
    location: str
    dataset: str
    tables: Mapping[str, TableReport]
    users_read: int
    unknown_users: int
    unknown_positions: list[int]
    requests: int
    retries: int
    throttled: int
    seconds: float
    finished_pending: bool
    elsewhere: bool


def sync(
    *,
    destination: str = "duckdb",
    dataset: str = DATASET_NAME,
    pipeline_name: str = PIPELINE_NAME,
    resources: list[str] | None = None,
    meter: Meter | None = None,
    **source: Any,
) -> SyncReport:
    """Brings the destination up to date with Authsignal.

    Args:
        destination: dlt destination name; its credentials are resolved by dlt.
        dataset: Dataset (schema) to load into.
        pipeline_name: Names dlt's working folder and state.
        resources: Tables to load; default all of the unlocked lanes but the opt-in ones.
        meter: Counters to fill, for a progress display.
        **source: Arguments of `authsignal_source`.

    Raises:
        AuthsignalError: The subclass that says what to do. Nothing of a failed run's reading is loaded.
    """
    meter = meter or Meter()
    started = time.monotonic()
    with _plain_errors():
        pipeline = dlt.pipeline(
            pipeline_name, destination=destination, dataset_name=dataset, progress=_StageCollector(meter)
        )
        with _only_run(pipeline), discreet(pipeline):
            reading = authsignal_source(meter=meter, **source)
            if resources:
                reading = reading.with_resources(*resources)
            finished_pending = _finish_pending(pipeline)
            pipeline.sync_destination()
            tally = Tally(known_hashes(pipeline, list(reading.selected_resources)))
            if "users" in reading.selected_resources:
                reading.resources["users"].add_map(_keeper(_listed_facts(pipeline)))
            for name, resource in reading.selected_resources.items():
                resource.add_map(tally.counter(name))
            before = row_counts(pipeline, tally.tables)
            load = pipeline.run(reading)
            after = row_counts(pipeline, tally.tables)
    meter.stage = "done"
    return SyncReport(
        pipeline=pipeline_name,
        destination=pipeline.destination.destination_name,
        location=load.destination_displayable_credentials or "",
        dataset=pipeline.dataset_name,
        tables={name: tally.report(name, before[name], after[name]) for name in tally.tables},
        users_read=meter.users_read,
        unknown_users=meter.unknown_users,
        unknown_positions=sorted(meter.unknown_positions),
        requests=meter.requests,
        retries=meter.retries,
        throttled=meter.throttled,
        seconds=round(time.monotonic() - started, 2),
        finished_pending=finished_pending,
        elsewhere=_is_elsewhere(pipeline, load.destination_displayable_credentials or ""),
    )


def _is_elsewhere(pipeline: Pipeline, location: str) -> bool:
    """dlt remembers the folder a pipeline was begun in, and puts the default DuckDB file there."""
    begun_in = Path(pipeline.get_local_state_val("initial_cwd"))
    default = begun_in / f"{pipeline.pipeline_name}.duckdb"
    return location == f"duckdb:///{default}" and begun_in != Path.cwd()


def attach(*, destination: str = "duckdb", dataset: str = DATASET_NAME, pipeline_name: str = PIPELINE_NAME) -> Pipeline:
    """The pipeline that loaded a dataset, for reading it."""
    with _plain_errors():
        return dlt.pipeline(pipeline_name, destination=destination, dataset_name=dataset)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Our own error instead of the pipeline steps it was wrapped in on the way up."""
    try:
        yield
    except AuthsignalError:
        raise
    except Exception as error:
        cause: BaseException | None = error
        while cause and not isinstance(cause, AuthsignalError | KeyboardInterrupt):
            cause = cause.__cause__ or cause.__context__
        if cause:
            raise cause from None
        raise _explained(error) from (None if isinstance(error, QUOTING_ERRORS) else error)


def _explained(error: Exception) -> Exception:
    """An error of dlt or the destination in one of our classes, as far as it can be told whose fault it is."""
    cause = error.exception if isinstance(error, PipelineStepFailed) else error
    text = str(cause)
    if "Could not set lock on file" in text:
        return RunFailed("The DuckDB file is open in another program. Close it there and run again.")
    if "Cannot open file" in text or "not a valid DuckDB database file" in text:
        reason = text.rsplit("IO Error: ", maxsplit=1)[-1].strip()
        return ConfigurationError(f"DuckDB cannot use the file it was given: {reason}")
    if isinstance(cause, UnknownDestinationModule):
        return ConfigurationError(f"dlt knows no such destination: {text.splitlines()[0]}")
    if isinstance(cause, TomlProviderReadException):
        return ConfigurationError(unreadable(cause))
    if isinstance(cause, ConfigurationException | MissingDependencyException | InvalidPipelineName):
        return ConfigurationError(text)
    if isinstance(error, PipelineStepFailed):
        return RunFailed(f"The {error.step} step failed: {why(error)}")
    return RunFailed(text) if isinstance(error, DltException | OSError) else error


@contextmanager
def _only_run(pipeline: Pipeline) -> Iterator[None]:
    """dlt has no lock of its own: two runs in one working folder lose or double rows."""
    folder = Path(pipeline.working_dir)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.parent / f"{pipeline.pipeline_name}.lock")
    try:
        with lock.acquire(timeout=0):
            yield
    except Timeout:
        raise PipelineBusy(
            f'Another sync of pipeline "{pipeline.pipeline_name}" is running on this machine.'
            " Wait for it to end, or give this one another --pipeline-name."
        ) from None


def _finish_pending(pipeline: Pipeline) -> bool:
    """Loads what an interrupted run left; `run` with new data would do only that, and not read anything."""
    for runs in range(MAX_PENDING_RUNS):
        if not pipeline.has_pending_data:
            return runs > 0
        pipeline.run()
    raise RunFailed(
        f'Pipeline "{pipeline.pipeline_name}" still has unfinished loads after {MAX_PENDING_RUNS} tries.'
        f" Look at them with: dlt pipeline {pipeline.pipeline_name} info"
    )


def known_hashes(pipeline: Pipeline, tables: list[str]) -> dict[str, array[int]]:
    """Sorted row fingerprints that each table holds: 8 bytes a row."""
    return {name: array("Q", sorted(_hashes(pipeline, name))) for name in TABLES if name in tables}


def _hashes(pipeline: Pipeline, table: str) -> Iterator[int]:
    for row in _query(pipeline, table, "_row_hash"):
        if row[0]:
            yield int(row[0], 16)


def _listed_facts(pipeline: Pipeline) -> dict[str, datetime]:
    """When each known user was created: only the listing says it, and users read from a file are not listed."""
    return {row[0]: row[1] for row in _query(pipeline, "users", "user_id, created_at") if row[1] is not None}


def _keeper(created: Mapping[str, datetime]) -> Callable[[Any], Any]:
    def keep(row: Any) -> Any:
        if isinstance(row, dict) and row.get("created_at") is None and row["user_id"] in created:
            row["created_at"] = created[row["user_id"]]
            row["_row_hash"] = fingerprint(row)
        return row

    return keep


def row_counts(pipeline: Pipeline, tables: list[str]) -> dict[str, int]:
    """Rows per table; 0 for tables that do not exist yet."""
    return {name: next((row[0] for row in _query(pipeline, name, "count(*)")), 0) for name in tables}


def _query(pipeline: Pipeline, table: str, what: str) -> Iterator[Any]:
    if not pipeline.default_schema_name or table not in pipeline.default_schema.tables:
        return
    with pipeline.sql_client() as client:
        try:
            with client.execute_query(f"SELECT {what} FROM {client.make_qualified_table_name(table)}") as cursor:
                while rows := cursor.fetchmany(10_000):
                    yield from rows
        except DestinationUndefinedEntity:
            return


@dataclass
class Tally:
    """Counts rows on their way to the destination against the fingerprints it holds already."""

    known: Mapping[str, array[int]]
    read: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)

    @property
    def tables(self) -> list[str]:
        return list(self.known)

    def counter(self, table: str) -> Any:
        """A dlt map step that counts and passes on the rows of one table."""
        known = self.known[table]

        def count(row: Any) -> Any:
            if isinstance(row, dict):
                self.read[table] += 1
                self.unchanged[table] += _holds(known, int(row["_row_hash"], 16))
            return row

        return count

    def report(self, table: str, before: int, after: int) -> TableReport:
        new = after - before
        changed = max(0, self.read[table] - self.unchanged[table] - new)
        return TableReport(read=self.read[table], new=new, changed=changed, total=after)


def _holds(values: array[int], value: int) -> bool:
    index = bisect_left(values, value)
    return index < len(values) and values[index] == value


class _StageCollector(NullCollector):
    """Tells the meter which of dlt's steps is running."""

    _STAGES: Final = {"extract": "reading", "normalize": "preparing", "load": "loading"}

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def _start(self, step: str) -> None:
        self._meter.stage = self._STAGES.get(step.split(maxsplit=1)[0].lower(), self._meter.stage)
