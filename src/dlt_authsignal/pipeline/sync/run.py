"""One sync: finish what an earlier run left, read, load, and say what changed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any, Final

import dlt
from dlt.common.runtime.collector import NullCollector
from dlt.extract import DltSource
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.dlt_patches import adapt_dlt, rare_garbage_collection
from dlt_authsignal.destination.duckdb_file import keep_open
from dlt_authsignal.destination.errors import translate_errors
from dlt_authsignal.destination.load_hints import check_ready
from dlt_authsignal.destination.locks import dataset_lock, pipeline_lock
from dlt_authsignal.destination.redaction import redacted
from dlt_authsignal.destination.stores.queries import row_counts
from dlt_authsignal.destination.tombstones import tombstones
from dlt_authsignal.pipeline.attach import DATASET_NAME, PIPELINE_NAME
from dlt_authsignal.pipeline.history.update import update_history
from dlt_authsignal.pipeline.load_packages import Pending, abort_packages_before, finish_pending
from dlt_authsignal.pipeline.repair import recreate
from dlt_authsignal.pipeline.run_log import Run, recorded
from dlt_authsignal.pipeline.sync.changes import Tally, known_hashes
from dlt_authsignal.pipeline.sync.created_at import carrier, created_at
from dlt_authsignal.pipeline.sync.report import SyncReport, _report
from dlt_authsignal.schema.bookkeeping_tables import COMPLETE_READS, USER_READS
from dlt_authsignal.schema.tables import TABLES
from dlt_authsignal.source.incremental.due import parts_of
from dlt_authsignal.source.incremental.state_table import KnownReads, oldest_read
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.source import authsignal_source


def sync(
    *,
    destination: str = "duckdb",
    staging: str | None = None,
    dataset: str = DATASET_NAME,
    pipeline_name: str = PIPELINE_NAME,
    resources: list[str] | None = None,
    meter: RunMetrics | None = None,
    **source: Any,
) -> SyncReport:
    """Brings the destination up to date with Authsignal.

    Args:
        destination: dlt destination name; its credentials are resolved by dlt.
        staging: dlt destination to load by way of, a bucket; for Redshift.
        dataset: Dataset (schema) to load into.
        pipeline_name: Names dlt's working folder and state.
        resources: Tables to load; default all of the accessible APIs but the opt-in ones.
        meter: Counters to fill, for a progress display.
        **source: Arguments of `authsignal_source`.

    Raises:
        AuthsignalError: The subclass that says what to do. Nothing of a failed run's reading is loaded.
    """
    meter = meter or RunMetrics()
    started = time.monotonic()
    with translate_errors(destination):
        pipeline = dlt.pipeline(
            pipeline_name,
            destination=destination,
            staging=staging,
            dataset_name=dataset,
            progress=_StageCollector(meter),
        )
        adapt_dlt(pipeline)
        table_format = check_ready(pipeline)
        alone = _alone(pipeline, destination)
        with (
            pipeline_lock(pipeline),
            recorded(pipeline, meter, alone) as run,
            translate_errors(destination),
            redacted(pipeline),
        ):
            reads = KnownReads()
            reading = authsignal_source(meter=meter, reads=reads, **source)
            if resources:
                reading = reading.with_resources(*resources, *_memory(resources) & reading.resources.keys())
            with keep_open(pipeline):
                pending, recreated = _catch_up(pipeline, run)
                reads.recall(pipeline, details="action_details" in reading.selected_resources)
                run.oldest_read_at = reads.oldest()
                tally = _counted(pipeline, reading)
                before = row_counts(pipeline, tally.tables)
            with rare_garbage_collection():
                load = pipeline.run(reading)
            with keep_open(pipeline):
                deleted = update_history(pipeline)
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
        recreated=recreated,
    )


@contextmanager
def _alone(pipeline: Pipeline, destination: str) -> Iterator[None]:
    """Holds the dataset; that the destination is down is said in our words."""
    with translate_errors(destination), dataset_lock(pipeline):
        yield


def _catch_up(pipeline: Pipeline, run: Run) -> tuple[Pending, list[str]]:
    """Does what earlier runs left to do, and makes again what somebody has taken away; says what there was of each."""
    abort_packages_before(pipeline, tombstones(pipeline).latest)
    recreated = recreate(pipeline) if pipeline.has_pending_data else []
    pending = finish_pending(pipeline)
    pipeline.sync_destination()
    run.reached_destination = True
    recreated += recreate(pipeline)
    update_history(pipeline)
    return pending, recreated


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


class _StageCollector(NullCollector):
    """Tells the meter which of dlt's steps is running."""

    _STAGES: Final = {"extract": "reading", "normalize": "preparing", "load": "loading"}

    def __init__(self, meter: RunMetrics) -> None:
        self._meter = meter

    def _start(self, step: str) -> None:
        self._meter.stage = self._STAGES.get(step.split(maxsplit=1)[0].lower(), self._meter.stage)
