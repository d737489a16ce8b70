"""One sync: finish what an earlier run left, read, load, and say what changed."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import dlt
from dlt.common.pipeline import get_dlt_pipelines_dir
from dlt.common.runtime.collector import NullCollector
from dlt.extract import DltSource
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.duckdb_file import kept_open
from dlt_authsignal.destination.errors import check_ready, database_file, plain_errors
from dlt_authsignal.destination.locks import only_here, only_there
from dlt_authsignal.destination.redaction import discreet
from dlt_authsignal.destination.stores.queries import created_at, known_hashes, row_counts
from dlt_authsignal.destination.tombstones import tombstones
from dlt_authsignal.errors import NothingSynced
from dlt_authsignal.pipeline.erase.local_files import abort_packages_before
from dlt_authsignal.pipeline.history.update import settle
from dlt_authsignal.pipeline.load_packages import Pending, finish_pending
from dlt_authsignal.pipeline.repair import make_again
from dlt_authsignal.pipeline.run_log import Run, recorded
from dlt_authsignal.pipeline.sync.changes import TableReport, Tally
from dlt_authsignal.pipeline.sync.created_at import carrier
from dlt_authsignal.schema.bookkeeping_tables import COMPLETE_READS
from dlt_authsignal.schema.tables import TABLES
from dlt_authsignal.source.garbage import seldom_collected
from dlt_authsignal.source.incremental.dataset_check import file_elsewhere
from dlt_authsignal.source.incremental.due import parts_of
from dlt_authsignal.source.incremental.state_table import USER_READS, KnownReads, oldest_read
from dlt_authsignal.source.metrics.run_metrics import Meter
from dlt_authsignal.source.source import authsignal_source

PIPELINE_NAME: Final = "authsignal_pipeline"
DATASET_NAME: Final = "authsignal_data"


@dataclass(frozen=True, kw_only=True)
class SyncReport:
    """One finished run.

    Attributes:
        pipeline: dlt pipeline name.
        destination: Destination type.
        location: Where the data is, without credentials.
        dataset: Dataset (schema) name.
        table_format: Format of tables made of files; None in a database.
        tables: Report per table, in the registry's order.
        users_found: Users that the roster named.
        users_due: Of those, the ones who were due.
        users_read: Users read completely.
        users_left: Users due whom the budget left to the next run.
        unknown_users: Ids of the roster that Authsignal does not know.
        unknown_positions: Lines or rows in which the first of those stand, in files and queries.
        requests: HTTP requests, retries included.
        retries: Of those, repeated ones.
        throttled: Answers with status 429.
        seconds: Duration.
        finished_pending: True when an earlier run's unfinished load was completed first.
        dropped_pending: True when it was dropped, because another machine has loaded newer rows since.
        users_stored_otherwise: Of the users due, the ones whose rows were stored under other privacy settings.
        made_again: Tables that somebody had taken out of the database, or columns of.
        identifiers_left_out: True when there is no privacy_key to hash them with.
        errors: Requests that failed, by kind, also where a later try did not.
        drift: What answers held that the tables were not made for, by table: `source/metrics/schema_drift.py`.
        elsewhere: True when dlt keeps this pipeline's DuckDB file in the folder where the pipeline was begun.
    """

    pipeline: str
    destination: str
    location: str
    dataset: str
    table_format: str | None
    tables: Mapping[str, TableReport]
    users_found: int
    users_due: int
    users_read: int
    users_left: int
    unknown_users: int
    unknown_positions: list[int]
    requests: int
    retries: int
    throttled: int
    seconds: float
    finished_pending: bool
    dropped_pending: bool
    users_stored_otherwise: int
    made_again: list[str]
    identifiers_left_out: bool
    errors: Mapping[str, int]
    drift: Mapping[str, Any]
    elsewhere: bool


def sync(
    *,
    destination: str = "duckdb",
    staging: str | None = None,
    dataset: str = DATASET_NAME,
    pipeline_name: str = PIPELINE_NAME,
    resources: list[str] | None = None,
    meter: Meter | None = None,
    **source: Any,
) -> SyncReport:
    """Brings the destination up to date with Authsignal.

    Args:
        destination: dlt destination name; its credentials are resolved by dlt.
        staging: dlt destination to load by way of, a bucket; for Redshift.
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
    with plain_errors(destination):
        pipeline = dlt.pipeline(
            pipeline_name,
            destination=destination,
            staging=staging,
            dataset_name=dataset,
            progress=_StageCollector(meter),
        )
        table_format = check_ready(pipeline)
        alone = _alone(pipeline, destination)
        with (
            only_here(pipeline),
            recorded(pipeline, meter, alone) as run,
            plain_errors(destination),
            discreet(pipeline),
        ):
            reads = KnownReads()
            reading = authsignal_source(meter=meter, reads=reads, **source)
            if resources:
                reading = reading.with_resources(*resources, *_memory(resources) & reading.resources.keys())
            with kept_open(pipeline):
                pending, made_again = _catch_up(pipeline, run)
                reads.recall(pipeline, details="action_details" in reading.selected_resources)
                run.oldest_read_at = reads.oldest()
                tally = _counted(pipeline, reading)
                before = row_counts(pipeline, tally.tables)
            with seldom_collected():
                load = pipeline.run(reading)
            with kept_open(pipeline):
                deleted = settle(pipeline)
                run.oldest_read_at = oldest_read(pipeline)
                tables = tally.reports(before, row_counts(pipeline, tally.tables), deleted)
            run.tables = {name: asdict(report) for name, report in tables.items()}
    meter.stage = "done"
    return _report(
        pipeline,
        meter,
        tables=tables,
        location=load.destination_displayable_credentials or "",
        table_format=table_format,
        seconds=round(time.monotonic() - started, 2),
        finished_pending=pending is Pending.FINISHED,
        dropped_pending=pending is Pending.DROPPED,
        made_again=made_again,
    )


@contextmanager
def _alone(pipeline: Pipeline, destination: str) -> Iterator[None]:
    """Holds the dataset; that the destination is down is said in our words."""
    with plain_errors(destination), only_there(pipeline):
        yield


def _catch_up(pipeline: Pipeline, run: Run) -> tuple[Pending, list[str]]:
    """Does what earlier runs left to do, and makes again what somebody has taken away; says what there was of each."""
    abort_packages_before(pipeline, tombstones(pipeline).latest)
    made_again = make_again(pipeline) if pipeline.has_pending_data else []
    pending = finish_pending(pipeline)
    pipeline.sync_destination()
    run.reached_destination = True
    made_again += make_again(pipeline)
    settle(pipeline)
    return pending, made_again


def _report(pipeline: Pipeline, meter: Meter, **known: Any) -> SyncReport:
    return SyncReport(
        pipeline=pipeline.pipeline_name,
        destination=pipeline.destination.destination_name,
        dataset=pipeline.dataset_name,
        users_found=meter.users_found,
        users_due=meter.users_due,
        users_read=meter.users_read,
        users_left=meter.users_left,
        unknown_users=meter.unknown_users,
        unknown_positions=sorted(meter.unknown_positions),
        requests=meter.requests,
        retries=meter.retries,
        throttled=meter.throttled,
        users_stored_otherwise=meter.users_stored_otherwise,
        identifiers_left_out=meter.leaves_out,
        errors=dict(meter.errors),
        drift=meter.drift.report(),
        elsewhere=file_elsewhere(pipeline) is not None,
        **known,
    )


def _memory(tables: Iterable[str]) -> set[str]:
    """What has to be loaded along for a later run to know what this one read."""
    wanted = parts_of(tables)
    reads = {USER_READS.name, *wanted} if wanted or "unknown_user_ids" in tables else set()
    return reads | ({COMPLETE_READS.name} if {"tenant_authenticators", "user_authenticators"} & set(tables) else set())


def _counted(pipeline: Pipeline, reading: DltSource) -> Tally:
    """Counts what will be read against what the destination holds."""
    tally = Tally([name for name in TABLES if name in reading.selected_resources], partial(known_hashes, pipeline))
    if "users" in tally.tables:
        reading.resources["users"].add_map(carrier(partial(created_at, pipeline)))
    for name in tally.tables:
        reading.resources[name].add_map(tally.counter(name))
    return tally


def is_begun(pipeline_name: str) -> bool:
    """Whether dlt keeps a folder for the pipeline on this machine."""
    return Path(get_dlt_pipelines_dir(), pipeline_name).is_dir()


def begun_elsewhere(pipeline_name: str = PIPELINE_NAME) -> Path | None:
    """The other folder in which a pipeline was begun, and where it keeps its DuckDB file; None if it is this one."""
    if not is_begun(pipeline_name):
        return None
    begun_in = Path(dlt.attach(pipeline_name).get_local_state_val("initial_cwd"))
    return None if begun_in == Path.cwd() else begun_in


def _passing_folder() -> str:
    folder = tempfile.mkdtemp(prefix="authsignal-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def attach(*, destination: str = "duckdb", dataset: str = DATASET_NAME, pipeline_name: str = PIPELINE_NAME) -> Pipeline:
    """The pipeline that loaded a dataset, for reading it. Nothing is made: no file, and no folder of dlt's.

    Raises:
        NothingSynced: There is no such DuckDB file.
    """
    with plain_errors(destination):
        pipeline = dlt.pipeline(
            pipeline_name,
            pipelines_dir=get_dlt_pipelines_dir() if is_begun(pipeline_name) else _passing_folder(),
            destination=destination,
            dataset_name=dataset,
        )
        check_ready(pipeline)
        file = database_file(pipeline)
        if file and not file.exists():
            raise NothingSynced(pipeline_name, str(file))
        if not pipeline.default_schema_name:
            pipeline.sync_destination()  # on a new disk, what dlt knows of the dataset is in the destination only
        return pipeline


class _StageCollector(NullCollector):
    """Tells the meter which of dlt's steps is running."""

    _STAGES: Final = {"extract": "reading", "normalize": "preparing", "load": "loading"}

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def _start(self, step: str) -> None:
        self._meter.stage = self._STAGES.get(step.split(maxsplit=1)[0].lower(), self._meter.stage)
