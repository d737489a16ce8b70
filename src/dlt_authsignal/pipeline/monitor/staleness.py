"""The age of each user's last read, and the actions that were lost because of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise, zip_longest
from typing import Any, Final

from dlt_authsignal.api.endpoints import ACTION_WINDOW_DAYS
from dlt_authsignal.source.incremental.state.last_read import LastRead, milliseconds, moment

WINDOW: Final = timedelta(days=ACTION_WINDOW_DAYS)
NEAR_HORIZON: Final = timedelta(days=ACTION_WINDOW_DAYS - 5)
"""Users who were last read longer ago are about to lose actions, because the API no longer returns them."""

AGES: Final = (1, 7, 14, NEAR_HORIZON.days, ACTION_WINDOW_DAYS)
"""Days that separate the age groups of last reads."""


@dataclass(frozen=True, kw_only=True)
class Staleness:
    """The age of the last reads of known users.

    Attributes:
        ages: Number of users by days since the last read of their actions: `0-1`, `1-7`, …, `30+`.
        oldest_read: Oldest last-read time; None if no user was read.
        near_horizon: Users who are about to lose actions: last read more than 25 days ago.
        past_horizon: Users among them who are losing actions: last read more than 30 days ago.
        with_hole: Users whose actions may be partly lost permanently, because they were once read too late.
        complete_from: Time since when the actions of those users are complete.
    """

    ages: Mapping[str, int]
    oldest_read: datetime | None
    near_horizon: int
    past_horizon: int
    with_hole: int
    complete_from: datetime | None


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A period without a successful sync that was long enough to lose actions.

    Attributes:
        begins: Start of the last sync before it.
        ends: Start of the first sync after it; None if there is none yet.
        lost_until: Actions from `begins` until then are permanently lost; None if none are lost yet.
    """

    begins: datetime
    ends: datetime | None
    lost_until: datetime | None


def staleness(reads: Iterable[LastRead], now: datetime) -> Staleness:
    """Compute the staleness from the state of reads.

    Args:
        reads: State of each user's last read.
        now: Current time.
    """
    read = [last for last in reads if last.is_known and last.user_actions]
    ages = [timedelta(milliseconds=milliseconds(now) - last.user_actions) for last in read]
    holes = [last.actions_complete_from for last in read if last.has_hole]
    return Staleness(
        ages=_by_age(ages),
        oldest_read=moment(min((last.user_actions for last in read), default=0)),
        near_horizon=sum(age > NEAR_HORIZON for age in ages),
        past_horizon=sum(age > WINDOW for age in ages),
        with_hole=len(holes),
        complete_from=moment(max(holes, default=0)),
    )


def _by_age(ages: Sequence[timedelta]) -> dict[str, int]:
    bounds = [timedelta(days=days) for days in AGES]
    places = [sum(age >= bound for bound in bounds) for age in ages]
    names = [*(f"{low}-{high}" for low, high in pairwise((0, *AGES))), f"{AGES[-1]}+"]
    return {name: places.count(place) for place, name in enumerate(names)}


def gaps(runs: Iterable[Mapping[str, Any]], now: datetime) -> list[Gap]:
    """Return periods of more than 25 days without a successful sync, latest first, including a current one.

    Args:
        runs: Rows of `sync_runs`.
        now: Current time.
    """
    begins = sorted(run["started_at"] for run in runs if run["outcome"] == "done" and reads_users(run))
    found = [_gap(begin, end, now) for begin, end in zip_longest(begins, begins[1:])]
    return [gap for gap in reversed(found) if (gap.ends or now) - gap.begins > NEAR_HORIZON]


def reads_users(run: Mapping[str, Any]) -> bool:
    """Return whether a sync read more than the configuration, which has no users and no actions."""
    return run.get("apis") != "management"


def _gap(begins: datetime, ends: datetime | None, now: datetime) -> Gap:
    forgotten = (ends or now) - WINDOW
    return Gap(begins=begins, ends=ends, lost_until=forgotten if forgotten > begins else None)
