"""What a run has done so far, for the progress display and the closing summary."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from dlt_authsignal.source.metrics.schema_drift import Drift


@dataclass(kw_only=True)
class RunMetrics:
    """Counters of one run. One writer at a time changes each field; readers only look.

    Attributes:
        stage: What the run is doing: starting, reading, preparing, loading, done.
        requests: HTTP requests sent, retries included.
        retries: Requests sent again after a fault.
        throttled: Answers with status 429.
        waiting: Requests that stand still because an answer asked for a pause.
        users_found: User ids the roster has named so far.
        users_due: Of those, the ones who are to be read.
        users_read: Users read completely so far.
        users_remaining: Users due whom the budget of this run leaves to the next.
        users_with_old_privacy: Of those due, the ones whose rows were stored under other privacy settings.
        requests_due: Requests that reading those who are due takes at most, without retries and details.
        rate: Ceiling on the requests a second; None for none.
        leaves_out: Whether identifiers are left out, for want of a key.
        when_listed: Called once it is known who is due, before the first of them is read, if the list is read first.
        user_ids_complete: True once the roster has named everybody.
        rows: Rows read, by table.
        unknown_users: Ids that Authsignal does not know.
        unknown_positions: Lines or rows in which the first of those stand, in files and queries.
        errors: Requests that failed, by kind, also where a later try did not.
        apis: APIs that are read.
        drift: What answers held that the tables were not made for.
    """

    stage: str = "starting"
    requests: int = 0
    retries: int = 0
    throttled: int = 0
    waiting: int = 0
    users_found: int = 0
    users_due: int = 0
    users_read: int = 0
    users_remaining: int = 0
    users_with_old_privacy: int = 0
    requests_due: int = 0
    rate: float | None = None
    leaves_out: bool = False
    when_listed: Callable[[], None] = field(default=lambda: None, repr=False)
    user_ids_complete: bool = False
    rows: Counter[str] = field(default_factory=Counter)
    unknown_users: int = 0
    unknown_positions: list[int] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    apis: list[str] = field(default_factory=list)
    drift: Drift = field(default_factory=Drift, repr=False)
