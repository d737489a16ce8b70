"""When an event counts as received, if clocks differ or an event is loaded long afterwards."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from dlt_authsignal.source.incremental.state.reported import counted_as

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def counted(received: datetime, loaded: datetime) -> datetime:
    times = pa.chunked_array([pa.array([received], pa.timestamp("us", "UTC"))])
    (at,) = counted_as(times, pa.chunked_array([[str(loaded.timestamp())]]))
    return datetime.fromtimestamp(int(at) / 1000, UTC)


def test_an_event_counts_as_received_when_it_was_loaded_so_that_a_receiver_with_a_late_clock_loses_none() -> None:
    assert counted(NOON - 10 * MINUTE, NOON) == NOON


def test_a_replay_of_an_old_event_counts_as_old() -> None:
    assert counted(NOON - timedelta(days=8), NOON) == NOON - timedelta(days=8) + 15 * MINUTE


def test_an_event_counts_a_little_later_than_it_was_received_because_clocks_differ_a_little() -> None:
    assert counted(NOON, NOON - MINUTE) == NOON + timedelta(seconds=10)
