"""Decisions of the sweep: who is due, in which order, and what is asked of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.source.incremental.due import Policy, ask_of, ask_of_missing, fresh_until, parts_of, rank_of
from dlt_authsignal.source.incremental.queue import BoundedQueue, Budget
from dlt_authsignal.source.incremental.state.last_read import (
    ACTION_OVERLAP,
    DAY,
    KEPT,
    PARTS,
    LastRead,
    after,
    is_active,
    later,
    milliseconds,
    moment,
    wants_detail,
)
from dlt_authsignal.source.user_ids import Candidate
from tests.tiers import examples

NOW = milliseconds(datetime(2026, 11, 24, 9, tzinfo=UTC))
ALL = frozenset(PARTS)
WEEK = Policy()

times = st.integers(NOW - 60 * DAY, NOW)
parts = st.frozensets(st.sampled_from(PARTS), min_size=1)
staleness = st.integers(0, 25).map(lambda days: timedelta(days=days))
policies = st.builds(Policy, max_staleness=staleness)
hashes = st.integers(1, 3)
lasts = st.builds(
    LastRead,
    first_seen=times,
    users=times,
    user_authenticators=times,
    user_actions=times,
    user_devices=times,
    listed=hashes,
    newest_action=times,
    actions_from=times,
)


def action(created: int, state: str = "ALLOW", **more: Any) -> dict[str, Any]:
    moment_ = moment(created)
    assert moment_ is not None
    return {"createdAt": moment_.isoformat(), "state": state, **more}


@given(wanted=parts, policy=policies, listed=hashes)
def test_a_new_user_is_read_completely(wanted: frozenset[str], policy: Policy, listed: int) -> None:
    ask = ask_of("u", None, listed, wanted, NOW, policy)
    assert ask is not None
    assert (ask.reason, ask.parts, ask.actions_from) == ("new", wanted, 0)


@given(last=lasts, wanted=parts, policy=policies)
def test_an_unchanged_user_is_not_due(last: LastRead, wanted: frozenset[str], policy: Policy) -> None:
    ask = ask_of("u", last, last.listed, wanted, NOW, policy)
    stale = {part for part in wanted if NOW - last.at(part) >= policy.max_staleness // timedelta(milliseconds=1)}
    assert (ask.parts if ask else frozenset()) == stale


@given(last=lasts, wanted=parts, listed=hashes, policy=policies)
def test_a_user_who_was_just_read_is_not_due(
    last: LastRead, wanted: frozenset[str], listed: int, policy: Policy
) -> None:
    ask = ask_of("u", last, listed, wanted, NOW, policy)
    read = ask.parts if ask else frozenset()
    again = ask_of("u", after(last, read, NOW, listed, [], True), listed, wanted, NOW + 1, policy)
    assert policy.max_staleness == timedelta() or again is None


@given(last=lasts, wanted=parts)
def test_a_change_in_the_user_list_makes_each_affected_table_due_once(last: LastRead, wanted: frozenset[str]) -> None:
    other, policy = last.listed + 1, Policy(max_staleness=timedelta(days=25))
    fresh = msgspec.structs.replace(last, users=NOW, user_authenticators=NOW, user_actions=NOW, user_devices=NOW)
    first = ask_of("u", fresh, other, wanted, NOW, policy)
    touched = wanted - {"user_devices"}
    assert (first.parts if first else frozenset()) == touched
    if first is None:
        return
    known = after(fresh, first.parts, NOW, other, [], True)
    later = ask_of("u", known, other, ALL, NOW, policy)  # another run wants more tables
    assert (later.parts if later else frozenset()) == ALL - {"user_devices"} - touched


def test_an_unlisted_user_does_not_count_as_changed() -> None:
    last = LastRead(first_seen=NOW, users=NOW, user_authenticators=NOW, user_actions=NOW, user_devices=NOW, listed=5)
    assert ask_of("u", last, 0, ALL, NOW, WEEK) is None


def test_a_requested_user_is_always_due_and_a_full_sync_makes_all_users_due() -> None:
    last = after(None, ALL, NOW, 5, [action(NOW - 10 * DAY)], True)
    named = ask_of("u", last, 5, ALL, NOW, Policy(named=frozenset({"u"})))
    full = ask_of("u", last, 5, ALL, NOW, Policy(full=True))
    assert named is not None
    assert full is not None
    assert (named.parts, named.actions_from) == (ALL, NOW - 10 * DAY - ACTION_OVERLAP)
    assert (full.parts, full.actions_from) == (ALL, 0)


def test_a_user_missing_from_the_list_is_looked_up_once_and_again_in_a_full_run() -> None:
    listed = after(None, ALL, NOW - DAY, 5, [], True)
    since = msgspec.structs.replace(listed, listed=0)
    assert ask_of_missing(listed, ALL, NOW, WEEK) is not None
    assert ask_of_missing(since, ALL, NOW, WEEK) is None
    assert ask_of_missing(since, ALL, NOW, Policy(full=True)) is not None


def test_a_changed_user_costs_three_requests_and_a_fourth_only_for_new_actions() -> None:
    last = after(None, ALL, NOW - DAY, 5, [action(NOW - 2 * DAY)], True)
    ask = ask_of("u", last, 6, ALL, NOW, WEEK)
    assert ask is not None
    assert (len(ask.parts), ask.if_active, ask.most_requests) == (3, frozenset({"user_devices"}), 4)
    assert not is_active(last, [action(NOW - 2 * DAY)])
    assert is_active(last, [action(NOW - 2 * DAY, stateUpdatedAt=moment(NOW).isoformat())])  # type: ignore[union-attr]


def test_a_user_with_a_last_read_time_in_the_future_is_due() -> None:
    last = after(None, ALL, NOW + 300 * DAY, 5, [], True)
    ask = ask_of("u", last, 5, ALL, NOW, WEEK)
    assert ask is not None
    assert ask.parts == ALL


@pytest.mark.parametrize("days", [-1, 25.01, 30])
def test_a_max_staleness_that_would_lose_actions_is_refused(days: float) -> None:
    with pytest.raises(ConfigurationError, match="0 to 25 days"):
        Policy(max_staleness=timedelta(days=days))


@given(st.lists(st.tuples(times, st.sampled_from(["ALLOW", "REVIEW_REQUIRED", "CHALLENGE_REQUIRED", "NEW_ONE"]))))
def test_the_next_read_of_actions_starts_before_the_newest_and_before_any_open_action(
    found: list[tuple[int, str]],
) -> None:
    known = after(None, ALL, NOW, 1, [action(*pair) for pair in found], True)
    newest = max((created for created, _ in found), default=0)
    assert known.newest_action == newest
    assert known.actions_from == 0 if not found else known.actions_from <= newest - ACTION_OVERLAP
    assert all(known.actions_from <= created for created, state in found if state in ("REVIEW_REQUIRED", "NEW_ONE"))


def test_a_later_read_keeps_the_newest_action_of_an_earlier_read() -> None:
    first = after(None, ALL, NOW, 1, [action(NOW - DAY)], True)
    assert after(first, ALL, NOW, 1, [], True).newest_action == first.newest_action
    assert after(first, {"users"}, NOW, 1, [], True).actions_from == first.actions_from


def test_actions_older_than_the_api_returns_are_requested_without_a_start_date() -> None:
    last = after(None, ALL, NOW - 26 * DAY, 1, [action(NOW - 28 * DAY)], True)
    ask = ask_of("u", last, 1, ALL, NOW, WEEK)
    assert ask is not None
    assert ask.actions_from == 0


def test_an_action_detail_is_requested_if_the_action_is_new_or_open_or_not_loaded() -> None:
    last = after(None, ALL, NOW, 1, [action(NOW - DAY)], True)
    assert not wants_detail(last, action(NOW - DAY), is_loaded=True)
    assert wants_detail(last, action(NOW - DAY), is_loaded=False)
    assert wants_detail(last, action(NOW - DAY, "REVIEW_REQUIRED"), is_loaded=True)
    assert wants_detail(last, action(NOW), is_loaded=True)


def test_action_details_selected_for_the_first_time_need_all_actions() -> None:
    last = after(None, ALL, NOW, 1, [action(NOW - DAY)], True)
    ask = ask_of("u", last, 1, parts_of(["users", "action_details"]), NOW, WEEK)
    assert ask is not None
    assert (ask.parts, ask.actions_from, ask.most_requests) == (frozenset({"user_actions", "action_details"}), 0, 1)


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 30))
def test_the_queue_returns_the_users_who_waited_longest_first(waiting: list[int], size: int) -> None:
    room = BoundedQueue(size=size)
    for number, rank in enumerate(waiting):
        room.enter(rank, candidate(number))
    everybody = sorted((rank, number) for number, rank in enumerate(waiting))
    assert list(room.leave()) == [candidate(number) for _, number in everybody[:size]]
    assert room.turned_away == max(0, len(waiting) - size)


@given(st.lists(parts), st.integers(1, 40))
def test_the_request_budget_is_never_exceeded(asks: list[frozenset[str]], most: int) -> None:
    budget, made = Budget(max_requests=most, clock=lambda: 0.0), 0
    begun = []
    for wanted in asks:
        ask = ask_of("u", None, 1, wanted, NOW, WEEK)
        assert ask is not None
        if not budget.begin(ask, made):
            assert made + budget.promised + ask.most_requests > most
            break
        begun.append(ask)
        if len(begun) == 2:  # two in flight
            done = begun.pop(0)
            made += done.most_requests
            budget.end(done)
    assert made + budget.promised <= most


def test_the_time_budget_starts_with_the_first_user() -> None:
    clock = iter([100.0, 109.9, 110.0])
    budget = Budget(max_seconds=10, clock=lambda: next(clock))
    ask = ask_of("u", None, 1, ALL, NOW, WEEK)
    assert ask is not None
    assert [budget.begin(ask, 0) for _ in range(3)] == [True, True, False]


@settings(deadline=None, max_examples=examples(50, quick=20))
@given(
    known=st.lists(st.integers(0, 40), min_size=1, max_size=12),
    newcomers=st.lists(st.integers(0, 3), min_size=30, max_size=30),
    a_day=st.integers(4, 8),
)
def test_no_user_waits_for_ever_while_the_budget_exceeds_arrivals(
    known: list[int], newcomers: list[int], a_day: int
) -> None:
    """Sixty days with room for some users a day: whoever waits is read before the last of those who came later."""
    policy = Policy(max_staleness=timedelta(days=1))
    seen = {f"old {place}": after(None, ALL, NOW - days * DAY, 1, [], True) for place, days in enumerate(known)}
    longest = 0
    for day, coming in enumerate([*newcomers, *[0] * 30]):
        now = NOW + day * DAY
        ids = [*seen, *(f"new {day}.{number}" for number in range(coming))]
        room = BoundedQueue()
        for user_id in ids:
            last = seen.get(user_id)
            ask = ask_of(user_id, last, 1, ALL, now, policy)
            if ask:
                room.enter(ask.rank, Candidate(user_id=user_id, id_source="listing"))
        for place, left in enumerate(room.leave()):
            last = seen.get(left.user_id)
            if place < a_day:
                seen[left.user_id] = after(last, ALL, now, 1, [], True)
            elif last is None:
                seen[left.user_id] = LastRead(first_seen=now)
        longest = max(longest, *(now - rank_of(last, ALL, now, policy) for last in seen.values()))
    assert longest <= (40 + len(seen) // a_day + 2) * DAY
    assert all(last.was_read for last in seen.values())


def candidate(number: int) -> Candidate:
    return Candidate(user_id=str(number), id_source="file", position=number, listed={"email": f"{number}@example.com"})


@pytest.mark.parametrize(
    ("set_back", "begins"),
    [(-1, 0), (0, 1), (60_000, 60_001), (5 * 60_000 - 1, 5 * 60_000), (5 * 60_000, 0), (DAY, 0)],
)
def test_a_read_starts_after_the_previous_one_unless_the_clock_was_set_back_far(set_back: int, begins: int) -> None:
    """Milliseconds after now."""
    now = datetime(2026, 11, 24, 9, tzinfo=UTC)
    last = LastRead(first_seen=NOW - DAY, users=NOW - DAY, user_authenticators=NOW + set_back)
    assert later(now, last) == now + timedelta(milliseconds=begins)
    assert later(now, None) == now


@given(last=lasts, wanted=parts, policy=policies, reported=times)
def test_an_event_makes_due_what_was_read_before_it_and_may_have_changed(
    last: LastRead, wanted: frozenset[str], policy: Policy, reported: int
) -> None:
    told = msgspec.structs.replace(last, reported=reported)
    before, ask = (ask_of("u", one, last.listed, wanted, NOW, policy) for one in (last, told))
    earlier = {part for part in wanted - {"user_devices"} if last.at(part) < reported}
    asked = ask.parts if ask else frozenset()
    assert asked == (before.parts if before else frozenset()) | earlier
    if ask and earlier:
        assert ask.reason == "reported"


any_time = st.sampled_from([0]) | st.integers(NOW - 60 * DAY, NOW + DAY)
any_lasts = st.builds(
    LastRead,
    **{
        **dict.fromkeys(LastRead.__struct_fields__, any_time),
        "listed": hashes,
        "privacy": st.integers(0, 2),
        "is_known": st.booleans(),
    },
)


@given(
    last=st.lists(any_lasts, max_size=5),
    tables=st.frozensets(st.sampled_from(KEPT)),
    policy=policies | st.just(Policy(full=True)),
    later=st.integers(0, 30 * DAY),
)
def test_the_users_who_are_fresh_are_the_same_for_all_at_once_and_one_by_one(
    last: list[LastRead], tables: frozenset[str], policy: Policy, later: int
) -> None:
    def are_due(now: int) -> list[bool]:
        return [
            one.privacy not in (0, 1) or ask_of("u", one, one.listed, tables, now, policy) is not None for one in last
        ]

    def column(field: str) -> np.ndarray[Any, Any]:
        kind = {"is_known": np.bool_, "privacy": np.uint64}.get(field, np.int64)
        return np.array([getattr(one, field) for one in last], kind)

    until = fresh_until(column, tables, NOW, policy, privacy=1)
    assert [moment <= NOW for moment in until] == are_due(NOW)
    assert not any(is_due and NOW + later < moment for is_due, moment in zip(are_due(NOW + later), until, strict=True))
