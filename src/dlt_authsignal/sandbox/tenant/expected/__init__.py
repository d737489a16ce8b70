"""The expected result of every KPI for a store, counted in Python, independently of the KPIs' SQL.

A sync that loses, duplicates or changes a row gives other numbers. The store is read user by user, and little is kept
of each.
"""

from datetime import datetime, timedelta

from dlt_authsignal.api.endpoints import ACTION_WINDOW_DAYS
from dlt_authsignal.sandbox.core.clock import to_the_millisecond
from dlt_authsignal.sandbox.tenant.expected.attempts import AttemptTallies
from dlt_authsignal.sandbox.tenant.expected.holdings import HoldingTallies
from dlt_authsignal.sandbox.tenant.expected.tally import Answers
from dlt_authsignal.sandbox.tenant.expected.use import UseTallies
from dlt_authsignal.sandbox.tenant.store import Store, window_start

LATE: timedelta = timedelta(minutes=15)
"""A day counts as completely read when it was over this long before the read."""

__all__ = ["Answers", "truth"]


def truth(store: Store, now: datetime, *, read_at: datetime | None = None) -> Answers:
    """Return numerator and denominator of every KPI by name and slice, over the data that a sync at `now` reads.

    These are the users who exist, all their authenticators, and their actions of the last `ACTION_WINDOW_DAYS` days.

    Args:
        store: The users of the tenant.
        now: Time of the sandbox's clock. The window of actions ends there.
        read_at: Time of the sync by its own clock, up to which ages are counted. Default: `now`. They differ where
            the sandbox's clock does not show the present.

    Returns:
        `{"drop_off_rate": {"abandoned / action_code signIn": {"numerator": 12, "denominator": 900}}, …}`: a slice is a
        measure and `all`, or a dimension and its value. Durations have their percentile in seconds as numerator, and
        counts have no denominator. Slices without a case are missing.
    """
    at, since = read_at or now, window_start(now, ACTION_WINDOW_DAYS)
    until = (at - LATE).date()
    attempts, holdings, use = AttemptTallies(at), HoldingTallies(at), UseTallies(until)
    for user in store.users():
        passkeys = [value for value in store.authenticators(user.user_id) if value.verified_at is not None]
        holdings.add(passkeys)
        actions = list(store.actions(user.user_id, since))
        for action in actions:
            attempts.add(action)
        use.add(user, passkeys, [(to_the_millisecond(action.created_at), action) for action in actions])
    return {**attempts.answers(), **holdings.answers(), **use.answers(), "users_not_read": holdings.all_read()}
