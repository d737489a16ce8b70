"""Who is due, and what to ask of them: decisions only, from what is known of each user's last read.

Times are milliseconds since 1970, 0 for never: there is one set of them for each user.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, Literal

import msgspec

from dlt_authsignal.api.endpoints import ACTION_WINDOW_DAYS
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.source.config.durations import duration
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.incremental.read_state import CLOCK_SKEW, DAY, KEPT, PARTS, TOLD_BY_THE_LIST, LastRead

DEFAULT_STALENESS: Final = duration("max_staleness", SourceSettings.max_staleness)
LONGEST_STALENESS: Final = timedelta(days=ACTION_WINDOW_DAYS - 5)


Reason = Literal["new", "changed", "named", "missing", "stale", "full", "privacy"]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Who counts as due.

    Attributes:
        max_staleness: Longest time for which a user is not read again; at most 25 days, or actions would be lost.
        full: Whether everybody is, whatever is known.
        named: Users who are, whatever is known: somebody has heard that they changed.

    Raises:
        ConfigurationError: A staleness out of range.
    """

    max_staleness: timedelta = DEFAULT_STALENESS
    full: bool = False
    named: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not timedelta() <= self.max_staleness <= LONGEST_STALENESS:
            raise ConfigurationError(
                f"max_staleness is 0 to {LONGEST_STALENESS.days} days: Authsignal forgets actions after"
                f" {ACTION_WINDOW_DAYS} days, and whoever is read too late loses some for good."
            )


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What to ask of a user who is due.

    Attributes:
        reason: Why they are due; of several, the first of new, full, named, changed, stale. `missing`: the list
            no longer names them. `privacy`: their rows are stored otherwise than they are to be now.
        parts: What to read of them.
        if_active: What to read of them if there are new actions.
        actions_from: From when on actions are asked for; 0 for all there are.
        rank: When they became due, more or less: whoever has the smallest is read first; 0 for those named.
    """

    reason: Reason
    parts: frozenset[str]
    if_active: frozenset[str]
    actions_from: int
    rank: int

    @property
    def most_requests(self) -> int:
        """Requests that this can take, without retries and details; reading a user takes one at least."""
        return max(1, len((self.parts | self.if_active) & frozenset(PARTS)))


def parts_of(tables: Iterable[str]) -> frozenset[str]:
    """What has to be read of each user to fill those tables."""
    wanted = set(tables)
    return frozenset(KEPT) & (wanted | ({"user_actions"} if "action_details" in wanted else set()))


def ask_of(
    user_id: str, last: LastRead | None, listed: int, wanted: frozenset[str], now: int, policy: Policy
) -> ReadRequest | None:
    """What to ask of a user, or None for one who is not due.

    Args:
        user_id: The id.
        last: What is known of the last read; None for a user never seen.
        listed: Fingerprint of what the list says now; 0 if it does not say anything.
        wanted: Parts wanted, from `parts_of`.
        now: The present.
        policy: Who counts as due.
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
    if not (stale or changed):
        return None
    asked = stale | changed
    if "action_details" in asked:
        asked |= {"user_actions"}
    maybe = wanted - asked if "user_actions" in asked else frozenset()
    return ReadRequest("changed" if changed else "stale", asked, maybe & {"user_devices"}, since, rank)


def ask_of_missing(last: LastRead, wanted: frozenset[str], now: int, policy: Policy) -> ReadRequest | None:
    """What to ask of a user whom the list no longer names: whether there still is one. Who is there although no list
    says so is asked again when it has been too long."""
    is_fresh = not policy.full and all(_is_fresh(last.at(part), now, policy) for part in wanted)
    if not (last.is_known and last.was_read) or (is_fresh and not last.listed):
        return None
    parts = wanted | {"users", "user_authenticators"}
    return ReadRequest("missing", parts, frozenset(), _since(last, wanted, now), rank_of(last, wanted, now, policy))


def ask_again(
    user_id: str, last: LastRead, listed: int, wanted: frozenset[str], now: int, policy: Policy
) -> ReadRequest | None:
    """What to ask of a user whose rows were stored under other settings: all there is, as if nothing had been read."""
    never: dict[str, Any] = dict.fromkeys(KEPT, 0)
    ask = ask_of(user_id, msgspec.structs.replace(last, actions_from=0, **never), listed, wanted, now, policy)
    return ask and replace(ask, reason="privacy")


def _since(last: LastRead, wanted: frozenset[str], now: int) -> int:
    is_recent = now - last.actions_from < (ACTION_WINDOW_DAYS - 1) * DAY
    are_loaded = all(last.at(part) for part in wanted & {"user_actions", "action_details"})
    return last.actions_from if is_recent and are_loaded else 0


def _is_fresh(at: int, now: int, policy: Policy) -> bool:
    """A time in the future was written by a clock that was wrong."""
    return at > 0 and -CLOCK_SKEW <= now - at < policy.max_staleness // timedelta(milliseconds=1)


def rank_of(last: LastRead | None, wanted: Iterable[str], now: int, policy: Policy) -> int:
    """When a user became due, more or less.

    For one who was read, when that was. For one who was not, as if they had been read so long ago that they had just
    become stale when they were first seen: neither the new nor the old can be kept waiting for ever by the other.
    """
    if last is not None and last.was_read:
        return min((min(last.at(part), now + CLOCK_SKEW) for part in wanted), default=0)
    seen = last.first_seen if last else now
    return min(seen, now) - policy.max_staleness // timedelta(milliseconds=1)
