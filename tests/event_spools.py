"""Deliveries of events in a spool, and what a correct load makes of them."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dlt_authsignal.api.webhooks import ACTION_LOG, CHALLENGE_LOG, batch, envelope
from dlt_authsignal.pipeline.attach import make_pipeline
from dlt_authsignal.pipeline.events.load import load_events
from dlt_authsignal.pipeline.events.report import EventsReport
from dlt_authsignal.source.events.shaper import EventShaper
from dlt_authsignal.source.privacy.policy import KEEP, Privacy
from dlt_authsignal.spool import file_name, open_spool
from dlt_authsignal.spool.parquet import as_parquet

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
KINDS = (ACTION_LOG, ACTION_LOG, CHALLENGE_LOG, "authenticator.created", "session.revoked")


def event(number: int, state: str = "ALLOW", **more: Any) -> dict[str, Any]:
    """An event of some type, by its number."""
    kind = KINDS[number % len(KINDS)]
    payload = {"userId": f"user-{number % 7}", "state" if kind == ACTION_LOG else "note": state, **more}
    return envelope(kind, payload, id=f"event-{number}", time="2026-11-02T08:45:00.000Z", tenant_id="t1")


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def deliver(
    events: Sequence[dict[str, Any]], received_at: datetime, spool: str | Path = "spool", privacy: Privacy = KEEP
) -> list[str]:
    """Put one delivery into the spool, as a receiver that has just started does; return the names of its files."""
    body = json.dumps(batch(events)).encode()
    tables = EventShaper(privacy, tenant_id="t1")(events, received_at)
    digest = hashlib.sha256(body).hexdigest()
    files = {file_name("default", received_at, digest, name): as_parquet(rows) for name, rows in tables.items()}
    open_spool(str(spool)).put_all(files)
    return list(files)


def load(**arguments: Any) -> EventsReport:
    """Load the folder `spool` into the pipeline that some arguments describe, as the command makes it."""
    into = {name: arguments.pop(name) for name in ("destination", "dataset", "pipeline_name") if name in arguments}
    return load_events(make_pipeline(**into), **{"spool": "spool", **arguments})


def expected(deliveries: Iterable[tuple[Sequence[dict[str, Any]], datetime]]) -> dict[str, tuple[str, datetime]]:
    """What the tables must contain: for each event id the state of the copy that was received last, and when."""
    found: dict[str, tuple[str, datetime]] = {}
    for events, received_at in sorted(deliveries, key=lambda each: each[1]):
        for each in events:
            payload = each.get("record") or each["data"]
            found[each["id"]] = (payload.get("state") or payload["note"], received_at)
    return found
