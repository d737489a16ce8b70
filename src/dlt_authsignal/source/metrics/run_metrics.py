"""Counters of a run, for the progress display and the report."""

from collections import Counter
from dataclasses import dataclass, field

from dlt_authsignal.schema.run_counters import RunCounters
from dlt_authsignal.source.metrics.schema_drift import Drift


@dataclass(kw_only=True)
class RunMetrics(RunCounters):
    """Counters of one run, updated while it runs. Each field has one writer at a time.

    Attributes:
        stage: Current step: starting, reading, preparing, loading, done.
        waiting: Requests that wait because a response asked for a pause.
        requests_due: Maximum requests needed to read the users who are due, without retries and details.
        user_ids_complete: True once all user id sources have been read.
        unknown_positions: Lines or rows of the first unknown ids, in files and queries.
        errors: Failed requests by kind, including those that a retry fixed.
        drift: Schema drift found in the responses.
        refused: Why Authsignal refused to answer for tables of the configuration, by table.
    """

    stage: str = "starting"
    waiting: int = 0
    requests_due: int = 0
    user_ids_complete: bool = False
    unknown_positions: list[int] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    drift: Drift = field(default_factory=Drift, repr=False)
    refused: dict[str, str] = field(default_factory=dict)

    def counters(self) -> dict[str, int]:
        """Return every counter by name."""
        self.values_withheld = self.drift.withheld
        return super().counters()
