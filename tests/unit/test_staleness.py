"""How old the users are, what is lost of them, and when no sync succeeded for too long."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_authsignal.pipeline.monitor.staleness import gaps, staleness
from dlt_authsignal.source.incremental.state.last_read import DAY, LastRead, after, milliseconds, moment

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def read_days_ago(days: float, **more: Any) -> LastRead:
    return LastRead(first_seen=1, user_actions=milliseconds(NOW - timedelta(days=days)), **more)


def done(*days_ago: float) -> list[dict[str, Any]]:
    return [{"outcome": "done", "started_at": NOW - timedelta(days=days)} for days in days_ago]


def test_users_are_grouped_by_the_age_of_their_last_read() -> None:
    found = staleness([read_days_ago(days) for days in (0, 0.5, 3, 26, 29, 31, 90)], NOW)
    assert found.ages == {"0-1": 2, "1-7": 1, "7-14": 0, "14-25": 0, "25-30": 2, "30+": 2}
    assert (found.near_horizon, found.past_horizon) == (4, 2)
    assert found.oldest_read == NOW - timedelta(days=90)


def test_unknown_and_never_read_users_are_not_counted() -> None:
    found = staleness([read_days_ago(90, is_known=False), LastRead(first_seen=1)], NOW)
    assert (sum(found.ages.values()), found.oldest_read, found.with_hole) == (0, None, 0)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8))
def test_a_user_has_missing_actions_only_if_two_reads_were_over_thirty_days_apart(pauses: list[int]) -> None:
    at, last, lacking = milliseconds(NOW), None, False
    for place, pause in enumerate(pauses):
        at += pause * DAY
        lacking = lacking or (place > 0 and pause > 30)
        last = after(last, {"user_actions"}, at, 0, [], True)
    assert last is not None
    assert last.has_hole is lacking


def test_actions_are_complete_from_thirty_days_before_a_late_read() -> None:
    first = after(None, {"user_actions"}, milliseconds(NOW), 0, [], True)
    late = after(first, {"user_actions"}, milliseconds(NOW) + 50 * DAY, 0, [], True)
    assert moment(late.actions_complete_from) == NOW + timedelta(days=20)
    later = after(late, {"user_actions"}, milliseconds(NOW) + 55 * DAY, 0, [], True)
    assert later.actions_complete_from == late.actions_complete_from


@pytest.mark.parametrize(
    ("days_ago", "expected"),
    [
        ((), []),
        ((1,), []),
        ((30, 10, 1), []),
        ((30, 3, 1), [(30, 3, None)]),
        ((90, 50, 1), [(50, 1, 31), (90, 50, 80)]),
        ((26,), [(26, None, None)]),
        ((40,), [(40, None, 30)]),
    ],
)
def test_a_time_without_a_sync_is_a_gap_if_actions_can_be_lost(
    days_ago: tuple[int, ...], expected: list[tuple[int, int | None, int | None]]
) -> None:
    failed = [{"outcome": "failed", "started_at": NOW - timedelta(days=20)}]
    found = [
        tuple(None if at is None else (NOW - at).days for at in (gap.begins, gap.ends, gap.lost_until))
        for gap in gaps([*done(*days_ago), *failed], NOW)
    ]
    assert found == expected
