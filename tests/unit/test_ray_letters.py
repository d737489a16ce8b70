"""Messages between a sync and a worker on another machine: encryption, order and clocks. Without Ray."""

import time
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from dlt_authsignal.source.workers.messages import End, Pace, Progress, Question, Refused, Reply
from dlt_authsignal.source.workers.on_ray.letters import SyncLetters, WorkerLetters
from dlt_authsignal.source.workers.on_ray.sealing import Sealer

AHEAD = 5000.0
"""Seconds by which the clock of the other machine is ahead."""


class Machine:
    """A machine's clock, while the block runs."""

    def __init__(self, patch: pytest.MonkeyPatch, ahead: float) -> None:
        self._patch, self._ahead = patch, ahead

    def __enter__(self) -> None:
        real = time.monotonic
        self._patch.setattr(time, "monotonic", lambda: real() + self._ahead)

    def __exit__(self, *_: object) -> None:
        self._patch.undo()


@pytest.fixture
def ends() -> tuple[SyncLetters, WorkerLetters]:
    sync, worker = Sealer(is_sync=True), Sealer(is_sync=False)
    sync.meet(worker.public)
    worker.meet(sync.public)
    return SyncLetters(sync), WorkerLetters(worker)


def test_times_are_converted_to_the_receivers_clock(
    ends: tuple[SyncLetters, WorkerLetters], monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, worker = ends
    now = time.monotonic()
    letter = sync.written(Pace(rate=10.0, held_until=now + 3))
    with Machine(monkeypatch, AHEAD):
        pace: Any = worker.read(letter)
        there = now + AHEAD
        progress = Progress(served=[(there - 1, 0.2)], counters={}, errors={}, waiting=0)
        said = worker.written([progress, Refused(now=there, sent_at=there - 0.5, pause=2.0)])
    assert pace.held_until == pytest.approx(now + AHEAD + 3, abs=1)
    served, refused = sync.read(said)
    assert isinstance(served, Progress)
    assert isinstance(refused, Refused)
    ((at, seconds),) = served.served
    assert at == pytest.approx(now - 1, abs=1)
    assert seconds == 0.2
    assert refused.now == pytest.approx(now, abs=1)
    assert refused.now - refused.sent_at == pytest.approx(0.5)
    assert refused.pause == 2.0


def test_an_older_rate_that_arrives_later_is_dropped(ends: tuple[SyncLetters, WorkerLetters]) -> None:
    sync, worker = ends
    old, reply, new = (
        sync.written(each) for each in (Pace(rate=1.0, held_until=0.0), Reply(7), Pace(rate=2.0, held_until=0.0))
    )
    pace: Any = worker.read(new)
    assert pace.rate == 2.0
    assert worker.read(old) is None
    assert worker.read(reply) == Reply(7)


def test_letters_hide_what_they_say_and_cannot_be_changed_or_sent_back(
    ends: tuple[SyncLetters, WorkerLetters],
) -> None:
    sync, worker = ends
    question = Question("column", ["users", "ann@example.com"])
    letter = worker.written([question, End()])
    assert b"ann@example.com" not in letter
    assert worker.written([question, End()]) != letter
    assert sync.read(letter) == [question, End()]
    for wrong in (letter[:-1] + bytes([letter[-1] ^ 1]), sync.written(End())):
        with pytest.raises(InvalidTag):
            sync.read(wrong)


def test_another_worker_cannot_read_a_letter(ends: tuple[SyncLetters, WorkerLetters]) -> None:
    other = Sealer(is_sync=False)
    other.meet(Sealer(is_sync=True).public)
    with pytest.raises(InvalidTag):
        WorkerLetters(other).read(ends[0].written(End()))
