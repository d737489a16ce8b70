"""Load the events in a spool into the pipeline's dataset."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Final

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.dlt_patches import (
    already_synced,
    before_loading,
    rare_garbage_collection,
)
from dlt_authsignal.destination.duckdb_file import check_still_there, keep_open
from dlt_authsignal.destination.stores.queries import are_there, row_counts
from dlt_authsignal.pipeline.catch_up import catch_up
from dlt_authsignal.pipeline.events.listed_days import look, remember
from dlt_authsignal.pipeline.events.report import EventsReport
from dlt_authsignal.pipeline.events.retention import delete_old
from dlt_authsignal.pipeline.history.update import note_other_load
from dlt_authsignal.pipeline.load_packages import Pending
from dlt_authsignal.pipeline.prepared import prepared
from dlt_authsignal.schema.tables.events import EVENT_FILES, EVENT_TABLES
from dlt_authsignal.source.config.event_settings import (
    DEFAULT_TENANT,
    EventTenant,
    resolved_event_settings,
)
from dlt_authsignal.source.config.resolve import resolved_settings
from dlt_authsignal.source.events.counts import EventCounts
from dlt_authsignal.source.events.pending import pending_files
from dlt_authsignal.source.events.resources import EventReading
from dlt_authsignal.source.events.source import events_of, evidence_of_events
from dlt_authsignal.source.tenant.check import Evidence, check_tenant, is_known_key
from dlt_authsignal.spool import SpoolFile, open_spool

ROWS_PER_RUN: Final = 1_000_000
"""Events of one dlt run: neither memory nor dlt's working folder grows with the number of pending files. In few large
transactions, DuckDB compresses fewer rows twice."""

_TABLES: Final = frozenset({*EVENT_TABLES, EVENT_FILES.name})


def load_events(
    pipeline: Pipeline,
    *,
    tenant: str = DEFAULT_TENANT,
    files: Sequence[SpoolFile] | None = None,
    wait: str | float | None = None,
    rows_per_run: int | None = None,
    accept_new_key: bool = False,
    **settings: Any,
) -> EventsReport:
    """Load the events in the spool that the dataset does not have yet, as `dlt-authsignal events load` does.

    Finishes the load of an interrupted run first. A second run of the same pipeline, or into the same dataset, is
    refused while the first one runs.

    Args:
        pipeline: Any `dlt.pipeline(…)` with a destination. It becomes dlt's active pipeline.
        tenant: Name of the tenant in the settings.
        files: Load these files, whether or not they are loaded already.
        wait: Maximum time to wait for other programs that have the DuckDB file open, such as `"60s"`.
        rows_per_run: Events of one dlt run; more events are loaded in several. Default: 1,000,000.
        accept_new_key: Confirm that the key is a new key of the same tenant.
        **settings: Settings of events. They win over those that dlt finds.

    Raises:
        ConfigurationError: A setting is missing or wrong. Nothing was loaded.
        RunFailed: The run did not complete. Repeat it: files that were not loaded are read again.
    """
    started = time.monotonic()
    pipeline.activate()
    source = resolved_settings(pipeline.pipeline_name)
    found = resolved_event_settings(pipeline.pipeline_name, source, **settings)
    reading = EventReading(
        spool=open_spool(found.spool),
        tenant=found.tenant(tenant).name,
        evidence=evidence_of_events(source, found.tenant(tenant)),
        files=files,
        most_rows=rows_per_run or ROWS_PER_RUN,
    )
    with prepared(pipeline, wait), ExitStack() as held:
        held.enter_context(keep_open(pipeline))
        evidence = _with_known_key(pipeline, reading.evidence, found.tenant(tenant), accept_new_key)
        reading = replace(reading, evidence=evidence)
        check_tenant(pipeline, evidence)
        pending, recreated = catch_up(pipeline)
        before = row_counts(pipeline, EVENT_TABLES)
        looked = look(pipeline, reading.spool, reading.tenant) if files is None else None
        if looked:
            found_files = pending_files(pipeline, reading.spool, reading.tenant, looked.days)
            reading = replace(reading, files=found_files)
        counts, location = _load(pipeline, reading, lambda: held.enter_context(keep_open(pipeline)))
        after = row_counts(pipeline, EVENT_TABLES)
        if looked:
            remember(pipeline, reading.spool, reading.tenant, looked, counts)
        deleted = delete_old(pipeline, reading.spool, reading.tenant, found.retention)
    return EventsReport(
        pipeline=pipeline.pipeline_name,
        destination=pipeline.destination.destination_name,
        location=location,
        dataset=pipeline.dataset_name,
        spool=reading.spool.url,
        tenant=reading.tenant,
        files=counts.files,
        events=counts.events,
        copies=counts.copies,
        erased=counts.erased,
        tables=after,
        new={name: after[name] - before[name] for name in after},
        refused=counts.refused,
        deleted_files=deleted,
        finished_pending=pending is Pending.FINISHED,
        dropped_pending=pending is Pending.DROPPED,
        recreated=recreated,
        seconds=round(time.monotonic() - started, 2),
        drift=counts.drift.report(),
    )


def _with_known_key(pipeline: Pipeline, evidence: Evidence, tenant: EventTenant, accept_new_key: bool) -> Evidence:
    """Return the evidence with the key that the dataset knows, while several keys of the tenant are accepted."""
    found = replace(evidence, accept_new_key=accept_new_key or evidence.accept_new_key)
    if len(tenant.keys) < 2:
        return found
    each = (replace(found, key=key) for key in tenant.keys)
    return next((known for known in each if is_known_key(pipeline, known)), found)


def _load(pipeline: Pipeline, reading: EventReading, keep: Callable[[], None]) -> tuple[EventCounts, str]:
    """Load in runs of bounded size, until no file is left; return what was read, and where the data is."""
    location = ""
    if not reading.files and are_there(pipeline, _TABLES) == _TABLES:
        return reading.counts, location
    while True:
        before = len(reading.counts.seen)
        with rare_garbage_collection(), already_synced(pipeline), before_loading(pipeline, keep):
            load = pipeline.run(events_of(reading))
        check_still_there(pipeline)
        note_other_load(load, pipeline)
        location = load.destination_displayable_credentials or location
        if not reading.counts.left or len(reading.counts.seen) == before:
            return reading.counts, location
