"""How old what is known of each user is, and what the API has forgotten meanwhile."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise, zip_longest
from typing import Any, Final

from dlt_authsignal.api.endpoints import ACTION_WINDOW_DAYS
from dlt_authsignal.source.incremental.read_state import LastRead, milliseconds, moment

WINDOW: Final = timedelta(days=ACTION_WINDOW_DAYS)
NEAR_HORIZON: Final = timedelta(days=ACTION_WINDOW_DAYS - 5)
"""Whoever was read longer ago is about to lose actions: the API forgets them."""

AGES: Final = (1, 7, 14, NEAR_HORIZON.days, ACTION_WINDOW_DAYS)
"""Days that part users by the age of what is known of them."""


@dataclass(frozen=True, kw_only=True)
class Staleness:
    """How old what is known of the users is whom Authsignal knows.

    Attributes:
        ages: Users by how many days ago their actions were last read: `0-1`, `1-7`, …, `30+`.
        oldest_read: When the one who has waited longest was read; None if nobody was.
        near_horizon: Users whose actions the API is about to forget: read more than 25 days ago.
        past_horizon: Of those, the ones whose actions it is forgetting: read more than 30 days ago.
        with_hole: Users of whom actions may be lost for good: they were read too late once.
        complete_from: From when on no actions are lost of any of those.
    """

    ages: Mapping[str, int]
    oldest_read: datetime | None
    near_horizon: int
    past_horizon: int
    with_hole: int
    complete_from: datetime | None


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A time in which no sync succeeded that was long enough to lose actions.

    Attributes:
        begins: When the sync before it began.
        ends: When the one after it began; None if there is none yet.
        lost_until: What happened from `begins` until then is lost for good; None if nothing is yet.
    """

    begins: datetime
    ends: datetime | None
    lost_until: datetime | None


def staleness(reads: Iterable[LastRead], now: datetime) -> Staleness:
    """What the memory of the reads says.

    Args:
        reads: What is known of each user's last read.
        now: The present.
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
    """Times of more than 25 days in which no sync succeeded, the last one first; one that has not ended is among them.

    Args:
        runs: Rows of `sync_runs`.
        now: The present.
    """
    begins = sorted(run["started_at"] for run in runs if run["outcome"] == "done")
    found = [_gap(begin, end, now) for begin, end in zip_longest(begins, begins[1:])]
    return [gap for gap in reversed(found) if (gap.ends or now) - gap.begins > NEAR_HORIZON]


def _gap(begins: datetime, ends: datetime | None, now: datetime) -> Gap:
    forgotten = (ends or now) - WINDOW
    return Gap(begins=begins, ends=ends, lost_until=forgotten if forgotten > begins else None)
