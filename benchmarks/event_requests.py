"""Requests a day of a tenant's syncs, with and without events: a simulation with the sandbox's invented users.

The habits are the sandbox's: daily, weekly and occasional users, and users who never return. Whether a user is due, and
with how many requests, is decided by the same function as in a sync. An event is in the tables a minute after it was
received, and is received one token lifetime after the attempt (15 minutes, typical for Authsignal).
"""

import argparse
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from msgspec.structs import replace

from dlt_authsignal.sandbox.tenant.invented.people import Seeding, belongings_of
from dlt_authsignal.source.incremental.due import Policy, ask_of
from dlt_authsignal.source.incremental.state.last_read import DAY, PARTS, LastRead, milliseconds

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
DAYS = 60
MEASURED = 30
"""The last days of the simulation are counted: before, the state settles."""

TOKEN = 15 * 60_000
LOADED = 60_000
PAGE = 100
ALL = frozenset(PARTS)


@dataclass(frozen=True)
class Case:
    """How a tenant is synced.

    Attributes:
        name: For the table.
        every: Minutes between two syncs.
        max_staleness: The setting, in days.
        lists_a_day: How often the user list is read in a day.
        with_events: Whether events are loaded.
    """

    name: str
    every: float
    max_staleness: float
    lists_a_day: float
    with_events: bool = False


CASES = (
    Case("no events, a sync a day", 1440, 7, 1),
    Case("no events, a sync a day, `max_staleness` 1d", 1440, 1, 1),
    Case("no events, a sync an hour, `max_staleness` 1h", 60, 1 / 24, 24),
    Case("events, a sync a day, `max_staleness` 25d", 1440, 25, 1, True),
    Case("events, a sync of `known` an hour, `max_staleness` 25d", 60, 25, 1, True),
    Case("events, a sync of `known` every 5 minutes, `max_staleness` 25d", 5, 25, 1, True),
    Case("events, a sync of `known` a minute, `max_staleness` 25d", 1, 25, 1, True),
)


@dataclass(frozen=True)
class Life:
    """What happens to one user, in milliseconds since the start: attempts, and changes that the user list shows."""

    attempts: list[int]
    listed: list[int]


def lives(users: int) -> Iterator[Life]:
    start = milliseconds(NOW) - DAYS * DAY
    for number in range(users):
        found = belongings_of(Seeding(7, DAYS, NOW), number)
        attempts = sorted(milliseconds(action.created_at) - start for action in found.actions.values())
        listed = sorted(
            at for value in found.authenticators.values() if (at := milliseconds(value.created_at) - start) >= 0
        )
        yield Life(attempts, listed)


def next_tick(at: float, every: float) -> int:
    """The first sync after a time."""
    return int((at // every + 1) * every)


def reads(life: Life, case: Case, rng: Random) -> Iterator[tuple[int, int]]:
    """Times of a user's reads, and the requests of each, as `ask_of` decides."""
    every = case.every * 60_000
    policy = Policy(max_staleness=timedelta(days=case.max_staleness))
    told = sorted([at + TOKEN for at in life.attempts] + life.listed) if case.with_events else life.listed
    last = -rng.randrange(int(case.max_staleness * DAY))
    while last < DAYS * DAY:
        place = bisect_right(told, last)
        stale = next_tick(last + case.max_staleness * DAY - 1, every)
        event = next_tick(told[place] + (LOADED if case.with_events else 0), every) if place < len(told) else stale + 1
        tick = min(stale, event)
        read_at = last + 2 * 365 * DAY
        state = replace(LastRead(first_seen=1, listed=1), **dict.fromkeys(PARTS, read_at))
        if event <= stale:
            state = replace(state, reported=told[place] + 2 * 365 * DAY) if case.with_events else state
        listed = 1 if case.with_events or event > stale else 2
        ask = ask_of("u", state, listed, ALL, tick + 2 * 365 * DAY, policy)
        if ask is None:
            raise AssertionError(f"not due: {case}, {last}, {tick}")
        is_active = bisect_right(life.attempts, tick) > bisect_right(life.attempts, last)
        yield tick, len(ask.parts) + (len(ask.if_active) if is_active else 0)
        last = tick


def measured(case: Case, users: list[Life], scale: float) -> str:
    rng, begin = Random(7), (DAYS - MEASURED) * DAY
    requests, late = 0, list[float]()
    for life in users:
        read = list(reads(life, case, rng))
        requests += sum(count for at, count in read if at >= begin)
        times = [at for at, _ in read]
        for attempt in life.attempts:
            place = bisect_right(times, attempt)
            if attempt >= begin and place < len(times):
                late.append(times[place] - attempt)
    late.sort()
    each = requests * scale / MEASURED
    pages = case.lists_a_day * len(users) * scale / PAGE
    median, most = late[len(late) // 2], late[int(len(late) * 0.99)]
    return f"| {case.name} | {each + pages:,.0f} | {each:,.0f} | {pages:,.0f} | {_span(median)} | {_span(most)} |"


def _span(milliseconds: float) -> str:
    minutes = milliseconds / 60_000
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 2_880 else f"{minutes / 1_440:.1f} days"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=100_000, help="Users of the tenant.")
    parser.add_argument("--sample", type=int, default=2_000, help="Users to simulate; the figures are scaled.")
    arguments = parser.parse_args()
    users = list(lives(min(arguments.sample, arguments.users)))
    attempts = sum(at >= (DAYS - MEASURED) * DAY for life in users for at in life.attempts)
    scale = arguments.users / len(users)
    print(f"{arguments.users:,} users, {attempts * scale / MEASURED:,.0f} attempts a day, {len(users):,} simulated\n")
    print("| syncs | requests a day | for users | for the list | a sign-in is late by (median) | p99 |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for case in CASES:
        print(measured(case, users, scale))


if __name__ == "__main__":
    main()
