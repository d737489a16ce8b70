"""Load files of the spool again, as if they had not been loaded."""

from datetime import datetime
from typing import Any

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.pipeline.events.load import load_events
from dlt_authsignal.pipeline.events.report import EventsReport
from dlt_authsignal.source.config.event_settings import DEFAULT_TENANT, resolved_event_settings
from dlt_authsignal.spool import SpoolFile, open_spool
from dlt_authsignal.spool.names import start_of


def replay_events(
    pipeline: Pipeline, start: datetime, end: datetime | None = None, *, tenant: str = DEFAULT_TENANT, **settings: Any
) -> EventsReport:
    """Load the files again that were received in a period. Stored events do not change.

    Args:
        pipeline: Any `dlt.pipeline(…)` with a destination.
        start: Files received at this time or later.
        end: Only files received before this time.
        tenant: Name of the tenant in the settings.
        **settings: Further arguments of `load_events`.
    """
    if end is not None and end <= start:
        raise ConfigurationError(
            "The period ends before it starts, or is empty. Nothing was loaded. Choose a later end."
        )
    of_events = {name: value for name, value in settings.items() if name == "spool"}
    found = resolved_event_settings(pipeline.pipeline_name, **of_events)
    files = files_between(found.spool, found.tenant(tenant).name, start, end)
    return load_events(pipeline, tenant=tenant, files=files, **settings)


def files_between(spool: str, tenant: str, start: datetime, end: datetime | None) -> list[SpoolFile]:
    """Return the files of a tenant that were received in a period."""
    before = start_of(tenant, end) if end else None
    return list(open_spool(spool).files(tenant, after=start_of(tenant, start), before=before))
