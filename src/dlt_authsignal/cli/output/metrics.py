"""The status as Prometheus metrics."""

from typing import TYPE_CHECKING, Final

from dlt_authsignal.errors import ExtraMissing
from dlt_authsignal.schema.tables.bookkeeping import SYNC_RUNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

    from dlt_authsignal.models.events.reconciliation import Reconciliation
    from dlt_authsignal.pipeline.monitor.status import DetectionCounts, Status

_OF_RUN: Final = {
    "seconds": ("authsignal_sync_duration_seconds", "Duration."),
    **{
        column.name: (f"authsignal_sync_{column.name}", column.meaning)
        for column in SYNC_RUNS.columns
        if column.type == "bigint"
    },
}
"""Name and meaning of the metric for each number that `sync_runs` holds of a run."""


def _add_events(registry: "CollectorRegistry", found: "Reconciliation") -> None:
    from prometheus_client import Gauge

    attempts = Gauge(
        "authsignal_events_attempts", "Attempts by what API and events say of them.", ["comparison"], registry=registry
    )
    for comparison, count in found.attempts.items():
        attempts.labels(comparison.replace(" ", "_")).set(count)
    lag = Gauge(
        "authsignal_events_lag_seconds",
        "How long after its time an event was received, over 7 days.",
        ["table", "quantile"],
        registry=registry,
    )
    for table, late in found.lag.items():
        for quantile, value in (("0.5", late.p50), ("0.95", late.p95), ("0.99", late.p99)):
            lag.labels(table, quantile).set(value)
    duplicates = Gauge("authsignal_events_duplicates", "Events that were received again.", ["table"], registry=registry)
    for table, count in found.duplicates.items():
        duplicates.labels(table).set(count)
    off = Gauge("authsignal_events_may_be_off", "1 if a delivery is overdue, otherwise 0.", registry=registry)
    off.set(found.may_be_off)
    if found.last_received:
        last = Gauge(
            "authsignal_events_last_received_timestamp_seconds",
            "When the last delivery was received.",
            registry=registry,
        )
        last.set(found.last_received.timestamp())


def _add_detections(registry: "CollectorRegistry", found: "Mapping[str, DetectionCounts]") -> None:
    from prometheus_client import Gauge

    rows = Gauge("authsignal_detections", "Attack signals that were found.", ["rule"], registry=registry)
    waiting = Gauge(
        "authsignal_detections_not_sent", "Attack signals that no alert was sent for.", ["rule"], registry=registry
    )
    for rule, counts in found.items():
        rows.labels(rule).set(counts.found)
        waiting.labels(rule).set(counts.not_sent)


def exposition(found: "Status") -> str:
    """Return metrics in Prometheus's text format, for example for node_exporter's textfile collector."""
    try:
        from prometheus_client import CollectorRegistry, Gauge, generate_latest
    except ModuleNotFoundError as missing:
        raise ExtraMissing("Prometheus metrics", "metrics") from missing

    registry = CollectorRegistry()

    def gauge(name: str, meaning: str, value: float) -> None:
        Gauge(name, meaning, registry=registry).set(value)

    gauge(
        "authsignal_sync_last_success_timestamp_seconds",
        "End of the last successful sync; 0 if there is none.",
        found.last_done.timestamp() if found.last_done else 0.0,
    )
    gauge("authsignal_sync_failures", "Failed syncs since the last successful one.", found.failures)
    gauge("authsignal_users_due", "Users last read longer ago than max_staleness, or never.", found.users_due)
    gauge("authsignal_users_near_horizon", "Users last read more than 25 days ago.", found.users.near_horizon)
    gauge("authsignal_users_with_hole", "Users with actions that may be lost permanently.", found.users.with_hole)
    if found.users.oldest_read:
        gauge(
            "authsignal_users_oldest_read_timestamp_seconds",
            "Oldest last-read time of any user.",
            found.users.oldest_read.timestamp(),
        )
    for run in found.runs[:1]:
        for name, (metric, meaning) in _OF_RUN.items():
            gauge(metric, f"Last sync: {meaning}", run[name] or 0.0)
    errors = Gauge("authsignal_sync_errors", "Requests of the last sync that failed.", ["kind"], registry=registry)
    for kind, times in (found.runs[0]["errors"] if found.runs else {}).items():
        errors.labels(kind).set(times)
    rows = Gauge("authsignal_table_rows", "Rows in a table.", ["table"], registry=registry)
    oldest = Gauge(
        "authsignal_table_oldest_read_timestamp_seconds",
        "Oldest read time of any row in a table.",
        ["table"],
        registry=registry,
    )
    if found.events:
        _add_events(registry, found.events)
    if found.detections:
        _add_detections(registry, found.detections)
    for name, table in found.tables.items():
        rows.labels(name).set(table.rows)
        if table.oldest_read:
            oldest.labels(name).set(table.oldest_read.timestamp())
    return generate_latest(registry).decode()
