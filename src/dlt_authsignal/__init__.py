"""Authsignal in your own database. Names load on first use: dlt alone takes about a second to import."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dlt_authsignal.errors import (
        AlertsNotSent,
        AuthsignalError,
        ConfigurationError,
        CredentialsMissing,
        ExtraMissing,
        ListingRefused,
        PipelineBusy,
        RateLimited,
        RunFailed,
        ShardsMissing,
        ShardsUnusable,
        TooManyDeletes,
        Unauthorized,
        Unreachable,
    )
    from dlt_authsignal.pipeline.alerts.detect import DetectionReport, detect
    from dlt_authsignal.pipeline.alerts.send import AlertReport, send_alerts
    from dlt_authsignal.pipeline.alerts.table import Detection
    from dlt_authsignal.pipeline.events.load import load_events
    from dlt_authsignal.pipeline.events.replay import replay_events
    from dlt_authsignal.pipeline.events.report import EventsReport
    from dlt_authsignal.pipeline.history.update import update_history
    from dlt_authsignal.pipeline.shards.load import load_shards
    from dlt_authsignal.pipeline.shards.read import read_shard
    from dlt_authsignal.pipeline.shards.report import ShardReport
    from dlt_authsignal.pipeline.sync.changes import TableReport
    from dlt_authsignal.pipeline.sync.report import SyncReport
    from dlt_authsignal.pipeline.sync.run import sync
    from dlt_authsignal.source.events.source import authsignal_events
    from dlt_authsignal.source.incremental.state.known_reads import known_reads
    from dlt_authsignal.source.metrics.run_metrics import RunMetrics
    from dlt_authsignal.source.source import authsignal_source

__all__ = [
    "sync",
    "SyncReport",
    "TableReport",
    "read_shard",
    "load_shards",
    "ShardReport",
    "authsignal_source",
    "known_reads",
    "update_history",
    "load_events",
    "replay_events",
    "EventsReport",
    "authsignal_events",
    "detect",
    "DetectionReport",
    "Detection",
    "send_alerts",
    "AlertReport",
    "RunMetrics",
    "AuthsignalError",
    "ConfigurationError",
    "CredentialsMissing",
    "Unauthorized",
    "ListingRefused",
    "ExtraMissing",
    "RunFailed",
    "Unreachable",
    "RateLimited",
    "PipelineBusy",
    "AlertsNotSent",
    "ShardsMissing",
    "ShardsUnusable",
    "TooManyDeletes",
]

_WHERE: Final = {
    "sync": "pipeline.sync.run",
    "SyncReport": "pipeline.sync.report",
    "TableReport": "pipeline.sync.changes",
    "read_shard": "pipeline.shards.read",
    "load_shards": "pipeline.shards.load",
    "ShardReport": "pipeline.shards.report",
    "authsignal_source": "source.source",
    "known_reads": "source.incremental.state.known_reads",
    "update_history": "pipeline.history.update",
    "load_events": "pipeline.events.load",
    "replay_events": "pipeline.events.replay",
    "EventsReport": "pipeline.events.report",
    "authsignal_events": "source.events.source",
    "detect": "pipeline.alerts.detect",
    "DetectionReport": "pipeline.alerts.detect",
    "Detection": "pipeline.alerts.table",
    "send_alerts": "pipeline.alerts.send",
    "AlertReport": "pipeline.alerts.send",
    "RunMetrics": "source.metrics.run_metrics",
}
"""Module of each public name; the others are in `errors`."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("dlt-authsignal")
    if name in __all__:
        return getattr(import_module(f"dlt_authsignal.{_WHERE.get(name, 'errors')}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
