"""The expected effect of a configuration change on an action code, counted in Python over the store.

It is independent of the SQL that computes the same from the tables. The store is read user by user, and twice, so that
memory does not grow with the tenant.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from dlt_authsignal.api.endpoints import ACTION_WINDOW_DAYS
from dlt_authsignal.sandbox.core.clock import in_utc, to_the_millisecond
from dlt_authsignal.sandbox.tenant.entities import Action
from dlt_authsignal.sandbox.tenant.expected.attempts import SETTLED_AFTER
from dlt_authsignal.sandbox.tenant.store import Store, window_start


@dataclass(kw_only=True, slots=True)
class Window:
    """Counts of the attempts of one action code that were created from `start` until before `end`.

    Attributes:
        attempts: All attempts.
        challenged: Attempts whose state starts with CHALLENGE.
        blocked: Attempts in state BLOCK.
        settled: Challenged attempts that were at least ten minutes old when they were read.
        succeeded: Settled attempts in state CHALLENGE_SUCCEEDED.
        dropped_off: Settled attempts in state CHALLENGE_REQUIRED.
    """

    start: datetime
    end: datetime
    attempts: int = 0
    challenged: int = 0
    blocked: int = 0
    settled: int = 0
    succeeded: int = 0
    dropped_off: int = 0

    def count(self, action: Action, read_at: datetime) -> None:
        """Count an attempt, if it was created in the window."""
        created, state = to_the_millisecond(action.created_at), action.state
        if not self.start <= created < self.end:
            return
        challenged = state.startswith("CHALLENGE")
        settled = challenged and created <= read_at - SETTLED_AFTER
        self.attempts += 1
        self.challenged += challenged
        self.blocked += state == "BLOCK"
        self.settled += settled
        self.succeeded += settled and state == "CHALLENGE_SUCCEEDED"
        self.dropped_off += settled and state == "CHALLENGE_REQUIRED"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeEffect:
    """The attempts of an action code before and after a change, over windows of the same length.

    Attributes:
        action_code: The action code.
        data_from: Time of the oldest action of any code that a sync reads. None: there are no actions.
        data_until: Time of the newest one.
        before: The window that ends when the change had not been seen yet. None: there is too little data.
        after: The window that starts when the change was seen.
    """

    action_code: str
    data_from: datetime | None
    data_until: datetime | None
    before: Window | None
    after: Window | None


def change_effect(
    store: Store,
    now: datetime,
    *,
    seen_before: datetime,
    seen_at: datetime,
    action_code: str,
    days: float = 7,
    read_at: datetime | None = None,
) -> ChangeEffect:
    """Count the attempts of an action code before and after a change, over the actions that a sync at `now` reads.

    Both windows have the same length: `days`, or less where the data begins later or ends earlier. Times are those
    that the API shows, in milliseconds. Times without an offset are in UTC.

    Args:
        store: The users of the tenant.
        now: Time of the sandbox's clock. The actions of the `ACTION_WINDOW_DAYS` days before it are read.
        seen_before: Time of the last read without the change.
        seen_at: Time of the first read with the change.
        action_code: The action code.
        days: Length of the windows in days.
        read_at: Time of the sync by its own clock, up to which ages are counted. Default: `now`.
    """
    seen_before, seen_at, read_at = in_utc(seen_before), in_utc(seen_at), in_utc(read_at or now)
    since = window_start(now, ACTION_WINDOW_DAYS)
    created = [to_the_millisecond(moment) for moment in _ends(store, since)]
    if not created:
        return ChangeEffect(action_code=action_code, data_from=None, data_until=None, before=None, after=None)
    data_from, data_until = created
    length = min(timedelta(days=days), seen_before - data_from, data_until - seen_at)
    before = after = None
    if length > timedelta():
        before, after = Window(start=seen_before - length, end=seen_before), Window(start=seen_at, end=seen_at + length)
        for action in _actions(store, since):
            if action.action_code == action_code:
                before.count(action, read_at)
                after.count(action, read_at)
    return ChangeEffect(action_code=action_code, data_from=data_from, data_until=data_until, before=before, after=after)


def _actions(store: Store, since: datetime) -> Iterator[Action]:
    return (action for user in store.users() for action in store.actions(user.user_id, since))


def _ends(store: Store, since: datetime) -> tuple[datetime, datetime] | tuple[()]:
    """Return the times of the oldest and the newest action, nothing if there are no actions."""
    oldest = newest = None
    for action in _actions(store, since):
        created = action.created_at
        oldest = created if oldest is None else min(oldest, created)
        newest = created if newest is None else max(newest, created)
    return () if oldest is None or newest is None else (oldest, newest)
