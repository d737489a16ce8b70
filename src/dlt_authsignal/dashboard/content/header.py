"""The top of each page: how recent each source is, and the result of the last check."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from dlt_authsignal.dashboard.content.data.facts import Facts
from dlt_authsignal.dashboard.content.text.subjects import CONFIGURATION_NEEDS, EVENTS_NEED
from dlt_authsignal.dashboard.page import SourceTime, State
from dlt_authsignal.models.events.reconciliation import COMPARISONS
from dlt_authsignal.pipeline.monitor.status import Status
from dlt_authsignal.pipeline.wording import counted

LATE: Final = timedelta(days=1)
"""Data that is older than this is late."""

NO_SYNC: Final = "Nothing is loaded. Run: dlt-authsignal sync"


def sources(facts: Facts) -> tuple[SourceTime, ...]:
    """Return how recent the API's data, the events and the configuration are."""
    return (_api(facts.status), _events(facts.status), _configuration(facts.status))


def _api(found: Status | None) -> SourceTime:
    if found is None or found.last_done is None:
        return SourceTime(name="API", at=None, state="missing", detail=NO_SYNC)
    detail = f"Last successful sync {ago(found.now - found.last_done)} ago."
    if found.users.near_horizon:
        them = counted(found.users.near_horizon, "user")
        detail += f" {them} last read more than 25 days ago: Authsignal returns actions for 30 days only. Sync now."
    elif found.users_due:
        detail += f" {counted(found.users_due, 'user')} due to be read again."
    state: State = "failed" if found.failures or found.users.past_horizon else _state(found.now, found.last_done)
    return SourceTime(name="API", at=found.last_done, state=state, detail=detail)


def _events(found: Status | None) -> SourceTime:
    events = found.events if found else None
    if found is None or events is None:
        return SourceTime(name="Events", at=None, state="missing", detail=EVENTS_NEED)
    at = events.last_received
    if at is None:
        newest = [table.newest_read for table in found.tables.values() if table.newest_read]
        at = max(newest, default=None)
    if events.may_be_off:
        return SourceTime(name="Events", at=at, state="late", detail="A delivery is overdue: the webhook may be off.")
    said = f"Last event received {ago(found.now - at)} ago." if at else ""
    return SourceTime(name="Events", at=at, state=_state(found.now, at) if at else "missing", detail=said)


def _configuration(found: Status | None) -> SourceTime:
    if found is None or found.configuration_read is None:
        return SourceTime(name="Configuration", at=None, state="missing", detail=CONFIGURATION_NEEDS)
    at = found.configuration_read
    return SourceTime(
        name="Configuration", at=at, state=_state(found.now, at), detail=f"Last read {ago(found.now - at)} ago."
    )


def _state(now: datetime, at: datetime) -> State:
    return "late" if now - at > LATE else "ok"


def ago(span: timedelta) -> str:
    """Format an age: `3 hours`."""
    seconds = max(int(span.total_seconds()), 0)
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            return counted(seconds // length, unit)
    return "less than a minute"


def check(facts: Facts, attempts: Mapping[str, int]) -> tuple[str, State]:
    """Say how the last sync ended and whether API and events agree, and return whether both are well.

    Args:
        facts: What is known beside the KPIs.
        attempts: Attempts by the result of the comparison.
    """
    found = facts.status
    if found is None or not found.runs:
        return ("No sync is recorded in this dataset.", "missing")
    last = found.runs[0]
    began = f"{last['started_at']:%Y-%m-%d %H:%M} UTC"
    said = f"The last sync ({began}) succeeded." if last["outcome"] == "done" else f"The last sync ({began}) failed."
    state: State = "ok" if last["outcome"] == "done" else "failed"
    compared = sum(attempts.get(name, 0) for name in COMPARISONS)
    if compared:
        equal = attempts.get("equal", 0)
        said += f" API and events agree in {equal:,} of {compared:,} attempts that both cover."
        if equal < compared and state == "ok":
            state = "late" if equal >= _AGREEMENT * compared else "failed"
    return said, state


_AGREEMENT: Final = 0.99
"""Share of attempts that may differ because of timing, before the check fails."""
