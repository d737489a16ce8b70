"""What a sync counts: the one list behind live metrics, report, `sync_runs` and Prometheus."""

from dataclasses import dataclass, field, fields
from typing import Any, Final


def _counter(meaning: str) -> Any:
    return field(default=0, metadata={"meaning": meaning})


@dataclass(kw_only=True)
class RunCounters:
    """Counters of one sync. A new one is added here, and appears everywhere."""

    users_found: int = _counter("User ids in the user id sources.")
    ids_with_blanks: int = _counter("User ids of files, queries and refresh_users with white space at an end.")
    users_due: int = _counter("Users who were due, among these ids.")
    users_reported: int = _counter("Users due because an event named them after their last read.")
    users_read: int = _counter("Users read completely.")
    users_remaining: int = _counter("Due users left for the next run, because this run reached its limit.")
    users_with_old_privacy: int = _counter("Users due because their rows were stored under other privacy settings.")
    unknown_users: int = _counter("User ids that Authsignal does not know.")
    values_withheld: int = _counter("Values that are never loaded: of secret fields, and icons.")
    requests: int = _counter("HTTP requests, retries included.")
    retries: int = _counter("Retries among these requests.")
    throttled: int = _counter("Responses with status 429.")

    def counters(self) -> dict[str, int]:
        """Return every counter by name."""
        return {name: getattr(self, name) for name in COUNTERS}


COUNTERS: Final[dict[str, str]] = {each.name: each.metadata["meaning"] for each in fields(RunCounters)}
"""Meaning of each counter, by name."""
