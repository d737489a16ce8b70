"""What a sync counts: the one list behind live metrics, report, `sync_runs` and Prometheus."""

from dataclasses import dataclass, field, fields
from typing import Any, Final


def _counter(meaning: str) -> Any:
    return field(default=0, metadata={"meaning": meaning})


@dataclass(kw_only=True)
class RunCounters:
    """Counters of one sync. A new one is added here, and appears everywhere."""

    users_found: int = _counter("User ids in the user id sources.")
    users_due: int = _counter("Of those, the users who were due.")
    users_read: int = _counter("Users read completely.")
    users_remaining: int = _counter("Due users that the run's budget left for the next run.")
    users_with_old_privacy: int = _counter("Of the users due, those whose rows had other privacy settings.")
    unknown_users: int = _counter("User ids that Authsignal does not know.")
    requests: int = _counter("HTTP requests, retries included.")
    retries: int = _counter("Of the requests, those that repeated another.")
    throttled: int = _counter("Responses with status 429.")

    def counters(self) -> dict[str, int]:
        """Return every counter by name."""
        return {name: getattr(self, name) for name in COUNTERS}


COUNTERS: Final[dict[str, str]] = {each.name: each.metadata["meaning"] for each in fields(RunCounters)}
"""Meaning of each counter, by name."""
