"""Run a sync: finish an interrupted load, read, load, update history and report what changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any, Protocol

from dlt.extract import DltSource
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import shared_clients
from dlt_authsignal.destination.dlt_patches import (
    adapt_dlt,
    already_synced,
    before_loading,
    make_private_bucket,
    rare_garbage_collection,
    resolved_once,
)
from dlt_authsignal.destination.duckdb_file import check_still_there, database_file, keep_open
from dlt_authsignal.destination.errors import translate_errors
from dlt_authsignal.destination.load_hints import check_ready
from dlt_authsignal.destination.locks import dataset_lock, pipeline_lock
from dlt_authsignal.destination.redaction import redacted
from dlt_authsignal.destination.stores.queries import row_counts
from dlt_authsignal.errors import ConfigurationError, OtherTenant
from dlt_authsignal.pipeline.catch_up import catch_up
from dlt_authsignal.pipeline.history.update import update_after
from dlt_authsignal.pipeline.load_packages import Pending
from dlt_authsignal.pipeline.run_log import recorded
from dlt_authsignal.pipeline.run_table import add_run_table
from dlt_authsignal.pipeline.sync.changes import KnownHashes, Tally
from dlt_authsignal.pipeline.sync.created_at import carrier, created_at
from dlt_authsignal.pipeline.sync.report import SyncReport
from dlt_authsignal.project.pipelines import check_pipeline
from dlt_authsignal.project.waiting import seconds_of, waiting_for
from dlt_authsignal.schema.tables.bookkeeping import CONFIGURATION_READS, DATASET_TENANT, TABLE_READS, USER_READS
from dlt_authsignal.schema.tables.configuration import CONFIGURATION
from dlt_authsignal.schema.tables.server import TABLES
from dlt_authsignal.source.build import OnPlanned, apis_of, evidence_of
from dlt_authsignal.source.config.resolve import check_names, nearest, resolved_settings
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.incremental.due import parts_of
from dlt_authsignal.source.incremental.state.known_reads import KnownReads, oldest_read
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.privacy.settings import privacy_from
from dlt_authsignal.source.shards.round import Round
from dlt_authsignal.source.source import source_of
from dlt_authsignal.source.tenant.check import check_tenant
from dlt_authsignal.source.tenant.key import check_key


def sync(
    pipeline: Pipeline,
    *,
    tables: Sequence[str] | None = None,
    metrics: RunMetrics | None = None,
    on_planned: OnPlanned | None = None,
    wait: str | float | None = None,
    **settings: Any,
) -> SyncReport:
    """Bring the pipeline's dataset up to date with Authsignal, as `dlt-authsignal sync` does.

    Finishes the load of an interrupted run, reads the users who are due, loads what was read, marks deleted rows,
    writes history, and records the run in `sync_runs`. A second run of the same pipeline, or into the same dataset, is
    refused while the first one runs.

    Args:
        pipeline: Any `dlt.pipeline(…)` with a destination. It becomes dlt's active pipeline.
        tables: Tables to load. Default: all that the credentials give access to, except `action_details` and the
            passkey ceremonies.
        metrics: Counters to fill, for a progress display.
        on_planned: Called once all users who are due are known, with the limit on requests a second.
        wait: Maximum time to wait for other programs that have the DuckDB file open, such as `"60s"`, each time
            that the file is opened. Default: the command's `--wait`, otherwise no wait.
        **settings: Settings of `authsignal_source`. They win over those that dlt finds.

    Raises:
        ConfigurationError: A setting is missing or wrong. Nothing was loaded.
        RunFailed: The run did not complete. Nothing that it read was loaded.
    """
    return run_sync(pipeline, tables, metrics or RunMetrics(), on_planned, wait, settings)


class Shards(Protocol):
    """Shards to load instead of reading users."""

    @property
    def round(self) -> Round:
        """Return the round that these shards belong to."""

    def check(
        self, pipeline: Pipeline, settings: SourceSettings, selected: Collection[str], metrics: RunMetrics
    ) -> None:
        """Check that the shards fit the dataset and this run, and add their counts to `metrics`.

        Raises:
            ShardsUnusable: They do not fit.
        """


def run_sync(
    pipeline: Pipeline,
    tables: Sequence[str] | None,
    metrics: RunMetrics,
    on_planned: OnPlanned | None,
    wait: str | float | None,
    settings: Mapping[str, Any],
    shards: Shards | None = None,
) -> SyncReport:
    """Do what `sync` does, with users from Authsignal or from shards."""
    check_arguments(pipeline, tables, settings)
    started, patience = time.monotonic(), seconds_of(wait)
    pipeline.activate()  # the source uses the active pipeline's destination, and another pipeline may be active
    destination = pipeline.destination.destination_name
    with translate_errors(destination):
        check_pipeline(pipeline)
        adapt_dlt(pipeline)
        table_format = check_ready(pipeline)
        make_private_bucket(pipeline)
        alone = _alone(pipeline, destination)
        with (
            waiting_for(database_file(pipeline), patience),
            pipeline_lock(pipeline),
            resolved_once(pipeline.destination),
            shared_clients(pipeline),
            ExitStack() as open_file,
            recorded(pipeline, metrics, alone) as run,
            translate_errors(destination),
            redacted(pipeline),
        ):
            found = resolved_settings(pipeline.pipeline_name, **settings)
            run.apis = ", ".join(apis_of(found))
            reads = KnownReads()
            reading = _selected(source_of(found, reads, metrics, on_planned, shards.round if shards else None), tables)
            with keep_open(pipeline):
                _check_tenant(pipeline, found, metrics)
                pending, recreated = catch_up(pipeline, run.reach)
                reads.recall(pipeline, details="action_details" in reading.selected_resources)
                run.oldest_read_at = reads.oldest()
                if shards is not None:
                    shards.check(pipeline, found, reading.selected_resources.keys(), metrics)
                before = row_counts(pipeline, [name for name in TABLES if name in reading.selected_resources])
                tally = _counted(pipeline, reading, before)
                add_run_table(pipeline, reading)
            keep = partial(open_file.enter_context, keep_open(pipeline))  # until the run is recorded
            location, deleted = _load(pipeline, reading, keep)
            run.oldest_read_at = oldest_read(pipeline)
            reports = tally.reports(before, row_counts(pipeline, tally.tables), deleted)
            run.tables = {name: asdict(report) for name, report in reports.items()}
    metrics.stage = "done"
    return SyncReport(
        pipeline=pipeline.pipeline_name,
        destination=destination,
        location=location,
        dataset=pipeline.dataset_name,
        table_format=table_format,
        tables=reports,
        seconds=round(time.monotonic() - started, 2),
        finished_pending=pending is Pending.FINISHED,
        dropped_pending=pending is Pending.DROPPED,
        recreated=recreated,
        identifiers_left_out=privacy_from(found).leaves_out,
        notes=[],
        **_counted_by(metrics),
    )


def _load(pipeline: Pipeline, reading: DltSource, keep: Callable[[], None]) -> tuple[str, dict[str, int]]:
    """Read, load and write history; return where the data is, and the rows marked as deleted by table."""
    with rare_garbage_collection(), already_synced(pipeline), before_loading(pipeline, keep):
        load = pipeline.run(reading)
    check_still_there(pipeline)
    return load.destination_displayable_credentials or "", update_after(load, pipeline)


def _counted_by(metrics: RunMetrics) -> dict[str, Any]:
    """Return what the run has counted, as arguments of the report."""
    return {
        "unknown_positions": sorted(metrics.unknown_positions),
        "errors": dict(metrics.errors),
        "drift": metrics.drift.report(),
        "refused": dict(metrics.refused),
        **metrics.counters(),
    }


def check_arguments(pipeline: Any, tables: Sequence[str] | None, settings: Mapping[str, Any]) -> None:
    """Refuse wrong arguments before anything is requested or changed."""
    if not isinstance(pipeline, Pipeline):
        raise ConfigurationError(
            f"sync needs a dlt pipeline, not {type(pipeline).__name__}: sync(dlt.pipeline(…)). Nothing was loaded."
        )
    if pipeline.destination is None:
        raise ConfigurationError(
            f'Pipeline "{pipeline.pipeline_name}" has no destination. Nothing was loaded. Set one:'
            ' dlt.pipeline(…, destination="duckdb").'
        )
    check_names(settings)
    if isinstance(tables, str):
        raise ConfigurationError(f'tables must be a list: tables=["{tables}"]. Nothing was loaded.')
    for name in tables or ():
        if name not in TABLES:
            raise ConfigurationError(
                f'There is no table "{name}".{nearest(name, TABLES)} All tables: {", ".join(TABLES)}.'
                " Nothing was loaded."
            )


def _selected(reading: DltSource, tables: Sequence[str] | None) -> DltSource:
    """Return the source with the selected tables, and with the tables that record what was read."""
    if not tables:
        return reading
    for name in tables:
        if name not in reading.resources:
            apis = " or ".join(f"{api.title()} API" for api in TABLES[name].apis)
            raise ConfigurationError(
                f'Table "{name}" is read from the {apis}, to which the credentials that were found give no access.'
                " Nothing was loaded."
            )
    return reading.with_resources(*tables, *memory_of(tables) & reading.resources.keys())


@contextmanager
def _alone(pipeline: Pipeline, destination: str) -> Iterator[None]:
    """Lock the dataset, with errors of the destination translated."""
    with translate_errors(destination), dataset_lock(pipeline):
        yield


def _check_tenant(pipeline: Pipeline, settings: SourceSettings, metrics: RunMetrics) -> None:
    """Refuse the key of another tenant; a key that does not work is reported as that."""
    try:
        check_tenant(pipeline, evidence_of(settings))
    except OtherTenant:
        if settings.api_secret_key:
            check_key(settings, metrics)
        raise


def memory_of(tables: Iterable[str]) -> set[str]:
    """Return the tables in which later runs find what this run has read."""
    wanted = parts_of(tables)
    reads = {USER_READS.name, *wanted} if wanted or "unknown_user_ids" in tables else set()
    reads.add(DATASET_TENANT.name)
    if any(TABLES[name] in CONFIGURATION for name in tables):
        reads.add(CONFIGURATION_READS.name)
    return reads | ({TABLE_READS.name} if {"tenant_authenticators", "user_authenticators"} & set(tables) else set())


def _counted(pipeline: Pipeline, reading: DltSource, before: Mapping[str, int]) -> Tally:
    """Add the counting steps to the source, and return their counts."""
    tally = Tally(list(before), KnownHashes(pipeline, before))
    if "users" in tally.tables:
        reading.resources["users"].add_map(carrier(partial(created_at, pipeline)))
    for name in tally.tables:
        reading.resources[name].add_map(tally.counter(name))
    return tally
