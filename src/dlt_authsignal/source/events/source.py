"""`authsignal_events`: the events in a spool as a dlt source."""

from typing import Any, Final

import dlt

from dlt_authsignal.destination.dlt_patches import end_with_message, offer_defaults
from dlt_authsignal.project.pipelines import check_active_pipeline
from dlt_authsignal.source.config.event_settings import DEFAULT_TENANT, EventTenant, resolved_event_settings
from dlt_authsignal.source.config.resolve import resolved_settings
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.events.counts import EventCounts
from dlt_authsignal.source.events.resources import EventReading, event_resources
from dlt_authsignal.source.tenant.check import Evidence
from dlt_authsignal.spool import open_spool

NAME: Final = "authsignal_source"
"""Name of the schema. Events are in the schema of the other tables, so that one pipeline loads both."""


@dlt.source(name=NAME, section=NAME, max_table_nesting=0)
def authsignal_events(
    spool: str | None = None,
    *,
    tenant: str = DEFAULT_TENANT,
    most_rows: int | None = None,
    counts: EventCounts | None = None,
) -> Any:
    """Read the events in a spool that the active pipeline's dataset does not have yet.

    `pipeline.run(authsignal_events())` only loads them. `dlt-authsignal events load` also finishes interrupted loads,
    takes locks, recreates missing tables, and deletes old files.

    Args:
        spool: Folder or URL of the spool. Default: `spool` under `[sources.authsignal_events]`.
        tenant: Name of the tenant in the settings.
        most_rows: Stop reading files after this many events. The next run reads the others.
        counts: Counters to fill.

    Raises:
        ConfigurationError: A setting is wrong, or the active pipeline belongs to another project.
    """
    check_active_pipeline()
    source = resolved_settings()
    settings = resolved_event_settings(source=source, **({"spool": spool} if spool else {}))
    offer_defaults()
    return event_resources(
        EventReading(
            spool=open_spool(settings.spool),
            tenant=tenant,
            evidence=evidence_of_events(source, settings.tenant(tenant)),
            most_rows=most_rows,
            counts=counts or EventCounts(),
        )
    )


end_with_message(authsignal_events)


@dlt.source(name=NAME, section=NAME, max_table_nesting=0)
def events_of(reading: EventReading) -> Any:
    """Return the same source for one reading."""
    return event_resources(reading)


def evidence_of_events(source: SourceSettings, tenant: EventTenant) -> Evidence:
    """Return what the settings say about the tenant of events. The key that signs them is the Server API's."""
    return Evidence(
        base=source.base,
        key=next(iter(tenant.keys), None),
        named=tenant.tenant_id,
        accept_new_key=source.accept_new_key,
    )
