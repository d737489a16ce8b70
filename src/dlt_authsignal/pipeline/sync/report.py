"""What a sync did, as typed fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.duckdb_file import file_elsewhere
from dlt_authsignal.pipeline.sync.changes import TableReport
from dlt_authsignal.source.metrics.run_metrics import RunMetrics


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
        users_remaining: Users due whom the budget left to the next run.
        unknown_users: Ids of the roster that Authsignal does not know.
        unknown_positions: Lines or rows in which the first of those stand, in files and queries.
        requests: HTTP requests, retries included.
        retries: Of those, repeated ones.
        throttled: Answers with status 429.
        seconds: Duration.
        finished_pending: True when an earlier run's unfinished load was completed first.
        dropped_pending: True when it was dropped, because another machine has loaded newer rows since.
        users_with_old_privacy: Of the users due, the ones whose rows were stored under other privacy settings.
        recreated: Tables that somebody had taken out of the database, or columns of.
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
    users_remaining: int
    unknown_users: int
    unknown_positions: list[int]
    requests: int
    retries: int
    throttled: int
    seconds: float
    finished_pending: bool
    dropped_pending: bool
    users_with_old_privacy: int
    recreated: list[str]
    identifiers_left_out: bool
    errors: Mapping[str, int]
    drift: Mapping[str, Any]
    elsewhere: bool


def _report(pipeline: Pipeline, meter: RunMetrics, **known: Any) -> SyncReport:
    return SyncReport(
        pipeline=pipeline.pipeline_name,
        destination=pipeline.destination.destination_name,
        dataset=pipeline.dataset_name,
        users_found=meter.users_found,
        users_due=meter.users_due,
        users_read=meter.users_read,
        users_remaining=meter.users_remaining,
        unknown_users=meter.unknown_users,
        unknown_positions=sorted(meter.unknown_positions),
        requests=meter.requests,
        retries=meter.retries,
        throttled=meter.throttled,
        users_with_old_privacy=meter.users_with_old_privacy,
        identifiers_left_out=meter.leaves_out,
        errors=dict(meter.errors),
        drift=meter.drift.report(),
        elsewhere=file_elsewhere(pipeline) is not None,
        **known,
    )
