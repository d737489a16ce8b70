"""Decide which users are due and what to read of them, from the state of their last read. No I/O.

Times are milliseconds since 1970, 0 for never, to save memory per user.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, Literal

import msgspec

from dlt_authsignal.api.endpoints import ACTION_WINDOW_DAYS
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.source.config.defaults import MAX_STALENESS
from dlt_authsignal.source.config.durations import duration
from dlt_authsignal.source.incremental.state.last_read import (
    CLOCK_SKEW,
    DAY,
    KEPT,
    PARTS,
    TOLD_BY_EVENTS,
    TOLD_BY_THE_LIST,
    LastRead,
)

DEFAULT_STALENESS: Final = duration("max_staleness", MAX_STALENESS)
LONGEST_STALENESS: Final = timedelta(days=ACTION_WINDOW_DAYS - 5)

_FOREVER: Final = 2**63 - 1

Reason = Literal["new", "changed", "reported", "named", "missing", "stale", "full", "privacy"]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Rules that decide which users are due.

    Attributes:
        max_staleness: Longest time before a user is re-read; at most 25 days, or actions would be lost.
        full: Whether all users are due.
        named: Requested users, who are always due.

    Raises:
        ConfigurationError: `max_staleness` is out of range.
    """

    max_staleness: timedelta = DEFAULT_STALENESS
    full: bool = False
    named: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not timedelta() <= self.max_staleness <= LONGEST_STALENESS:
            raise ConfigurationError(
                f"max_staleness must be 0 to {LONGEST_STALENESS.days} days. Authsignal returns actions for"
                f" {ACTION_WINDOW_DAYS} days only, so actions of users who are read later would be lost permanently."
            )


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """The requests for a user who is due.

    Attributes:
        reason: Why the user is due; of several, the first of new, full, named, changed, reported (an event named the
            user), stale. `missing`: no longer in the user list. `privacy`: the rows were stored under other privacy
            settings.
        parts: Tables to read.
        if_active: Tables to read if there are new actions.
        actions_from: Start of the period of requested actions; 0 for all actions.
        rank: Approximate time when the user became due. The smallest is read first; 0 for requested users.
    """

    reason: Reason
    parts: frozenset[str]
    if_active: frozenset[str]
    actions_from: int
    rank: int

    @property
    def most_requests(self) -> int:
        """Return the maximum number of requests, at least one, without retries and details."""
        return max(1, len((self.parts | self.if_active) & frozenset(PARTS)))


def parts_of(tables: Iterable[str]) -> frozenset[str]:
    """Return the parts of each user that must be read to fill the tables."""
    wanted = set(tables)
    return frozenset(KEPT) & (wanted | ({"user_actions"} if "action_details" in wanted else set()))


def ask_of(
    user_id: str, last: LastRead | None, listed: int, wanted: frozenset[str], now: int, policy: Policy
) -> ReadRequest | None:
    """Return the requests for a user, or None if the user is not due.

    Args:
        user_id: The id.
        last: State of the last read; None for a new user.
        listed: Fingerprint of the user's present list entry; 0 if not listed.
        wanted: Parts to read, from `parts_of`.
        now: Current time.
        policy: Rules that decide which users are due.
    """
    rank = 0 if user_id in policy.named else rank_of(last, wanted, now, policy)
    if last is None or not last.was_read or (listed and not last.is_known):
        return ReadRequest("new", wanted, frozenset(), 0, rank)
    if policy.full or not wanted:
        return ReadRequest("full", wanted, frozenset(), 0, rank)
    since = _since(last, wanted, now)
    if user_id in policy.named:
        return ReadRequest("named", wanted, frozenset(), since, rank)
    stale = frozenset(part for part in wanted if not _is_fresh(last.at(part), now, policy))
    changed = wanted & TOLD_BY_THE_LIST if listed and listed != last.listed else frozenset()
    told = frozenset(part for part in wanted & TOLD_BY_EVENTS if last.is_outdated(part))
    if not (stale or changed or told):
        return None
    asked = stale | changed | told
    if "action_details" in asked:
        asked |= {"user_actions"}
    maybe = wanted - asked if "user_actions" in asked else frozenset()
    return ReadRequest(
        "changed" if changed else "reported" if told else "stale", asked, maybe & {"user_devices"}, since, rank
    )


def ask_of_missing(last: LastRead, wanted: frozenset[str], now: int, policy: Policy) -> ReadRequest | None:
    """Return the requests for a user who is no longer in the user list, to find out whether the user still exists.

    A user who exists but is not listed is re-read when stale, or after an event."""
    is_fresh = not policy.full and all(
        _is_fresh(last.at(part), now, policy) and not (part in TOLD_BY_EVENTS and last.is_outdated(part))
        for part in wanted
    )
    if not (last.is_known and last.was_read) or (is_fresh and not last.listed):
        return None
    parts = wanted | {"users", "user_authenticators"}
    return ReadRequest("missing", parts, frozenset(), _since(last, wanted, now), rank_of(last, wanted, now, policy))


def ask_again(
    user_id: str, last: LastRead, listed: int, wanted: frozenset[str], now: int, policy: Policy
) -> ReadRequest | None:
    """Return the requests for a user whose rows were stored under other settings: everything, as for a new user."""
    never: dict[str, Any] = dict.fromkeys(KEPT, 0)
    ask = ask_of(user_id, msgspec.structs.replace(last, actions_from=0, **never), listed, wanted, now, policy)
    return ask and replace(ask, reason="privacy")


def _since(last: LastRead, wanted: frozenset[str], now: int) -> int:
    is_recent = now - last.actions_from < (ACTION_WINDOW_DAYS - 1) * DAY
    are_loaded = all(last.at(part) for part in wanted & {"user_actions", "action_details"})
    return last.actions_from if is_recent and are_loaded else 0


def fresh_until(column: Callable[[str], Any], wanted: frozenset[str], now: int, policy: Policy, privacy: int) -> Any:
    """Return the times until which known users are not due, as long as their list entries stay the same: a NumPy array.

    A time of 0 means that `ask_of` has to decide about the user. In most runs, the list shows most users as before. To
    decide about all of them at once takes a fraction of the time of one `ask_of` per user.

    Args:
        column: Returns a field of these users' `LastRead` as a NumPy array.
        wanted: Parts to read, from `parts_of`.
        now: Current time.
        policy: Rules that decide which users are due.
        privacy: Fingerprint of the present privacy settings.
    """
    import numpy as np

    if policy.full or not wanted:
        return np.zeros(len(column("is_known")), np.int64)
    stored_under = column("privacy")
    is_settled = column("is_known") & ((stored_under == 0) | (stored_under == privacy))
    until = np.where(is_settled, _FOREVER, 0)
    for part in wanted:
        at = column(part)
        is_read = (at > 0) & (at <= now + CLOCK_SKEW)
        if part in TOLD_BY_EVENTS:
            is_read &= at >= column("reported")
        np.minimum(until, np.where(is_read, at + _longest(policy), 0), out=until)
    return until


def _longest(policy: Policy) -> int:
    return policy.max_staleness // timedelta(milliseconds=1)


def _is_fresh(at: int, now: int, policy: Policy) -> bool:
    """Return whether a read is recent enough. A time in the future is not: it comes from a wrong clock."""
    return at > 0 and -CLOCK_SKEW <= now - at < _longest(policy)


def rank_of(last: LastRead | None, wanted: Iterable[str], now: int, policy: Policy) -> int:
    """Return the approximate time when a user became due.

    For a user who was read, this is the time of the read. New users rank as if they had just become stale when first
    seen, so that neither new nor known users can block the others.
    """
    if last is not None and last.was_read:
        return min((min(last.at(part), now + CLOCK_SKEW) for part in wanted), default=0)
    seen = last.first_seen if last else now
    return min(seen, now) - _longest(policy)
