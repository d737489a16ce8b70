"""Which days of the spool a load has to list: those whose folder changed since a load that left nothing in it.

A file that appears late changes the folder of its day, so it is seen. This machine remembers the times of the folders.
It lists all days again if the destination has another number of loaded files, and once a day in any event.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.stores.queries import committed_count
from dlt_authsignal.destination.stores.store import is_made_of_files
from dlt_authsignal.schema.tables.events import EVENT_FILES
from dlt_authsignal.source.events.counts import EventCounts
from dlt_authsignal.spool import Spool

SETTLED_SECONDS: Final = 60
"""A folder that changed later may change again at the same time, as its disk tells the time."""

ALL_AGAIN_SECONDS: Final = 86_400

_STATE: Final = "_authsignal_listed_days"


@dataclass(frozen=True)
class Look:
    """The state of a spool before its files are listed.

    Attributes:
        began: When, in seconds since 1970.
        all_listed: When all days were last listed.
        changed: When the folder of each day last changed; None if the spool cannot tell.
        days: The days to list; None for all.
    """

    began: float
    all_listed: float
    changed: Mapping[str, int] | None
    days: frozenset[str] | None


def look(pipeline: Pipeline, spool: Spool, tenant: str) -> Look:
    """Find out which days have to be listed."""
    now = time.time()
    changed = None if is_made_of_files(pipeline) else spool.changed(tenant)
    before = _remembered(pipeline) if changed else {}
    if (
        not changed
        or not 0 <= now - before.get("all_listed", 0) < ALL_AGAIN_SECONDS
        or before["place"] != _place(pipeline, spool, tenant)
        or before["files"] != committed_count(pipeline, EVENT_FILES.name)
    ):
        return Look(now, now, changed, None)
    days = frozenset(day for day, moment in changed.items() if before["days"].get(day) != moment)
    return Look(now, before["all_listed"], changed, days)


def remember(pipeline: Pipeline, spool: Spool, tenant: str, looked: Look, counts: EventCounts) -> None:
    """Remember the days of which every file is loaded now."""
    if not looked.changed or counts.left:
        return
    left = {name.split("/")[1] for name in counts.refused}
    latest = (looked.began - SETTLED_SECONDS) * 1e9
    found = {
        "all_listed": looked.all_listed,
        "place": _place(pipeline, spool, tenant),
        "files": committed_count(pipeline, EVENT_FILES.name),
        "days": {day: moment for day, moment in looked.changed.items() if moment < latest and day not in left},
    }
    pipeline.set_local_state_val(_STATE, found)


def _remembered(pipeline: Pipeline) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = pipeline.get_local_state_val(_STATE)
    except KeyError:
        return {}
    return found


def _place(pipeline: Pipeline, spool: Spool, tenant: str) -> list[str]:
    return [str(pipeline.destination.destination_name), str(pipeline.dataset_name), spool.url, tenant]
