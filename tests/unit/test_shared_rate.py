"""One rate for several processes, decided by numbers: their clocks, requests and store are numbers too."""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from math import inf
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_authsignal.source.http.rate.shared_rate import (
    CHUNK,
    FORGOTTEN_AFTER,
    LATE,
    Allowance,
    Ask,
    Lease,
    Response,
    SharedRate,
    lease,
)
from tests.unit.test_rate_limiter import Server

RATE = 200.0
LATENCY = 0.03
CALL = 0.002
"""Seconds of a call to the store."""


@dataclass
class Process:
    """Sends requests as fast as it may.

    Attributes:
        clock: What its clock shows at second 0.
        starts: When it starts.
        dies: When it dies.
        in_flight: Most requests in flight.
    """

    clock: float
    starts: float = 0.0
    dies: float = inf
    in_flight: int = 64
    allowance: Allowance = field(default_factory=lambda: Allowance(rate=RATE))
    sent: list[float] = field(default_factory=list)
    served: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    open: int = 0
    sleep: object = None


@dataclass
class Together:
    """Processes with one store, which keeps bytes, and one server."""

    server: Server
    processes: list[Process]
    stored: bytes | None = None
    calls: int = 0
    now: float = 0.0
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0
    _random: Random = field(default_factory=lambda: Random(3))

    def until(self, end: float) -> "Together":
        for process in self.processes:
            self._wake(process, process.starts + self._random.random() / 100)
        while self._events and self._events[0][0] <= end:
            self.now, _, step = heapq.heappop(self._events)
            step()
        return self

    def _at(self, when: float, process: Process, step: Callable[[Process], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, lambda: None if when > process.dies else step(process)))

    def _wake(self, process: Process, when: float) -> None:
        """Let it try to send at this time, and not at one that was set before."""
        process.sleep = mine = object()
        self._at(when, process, lambda each: self._try(each) if each.sleep is mine else None)

    def _try(self, process: Process) -> None:
        now, allowance, process.sleep = self.now + process.clock, process.allowance, None
        if allowance.is_due(now):
            granted = self._ask(allowance.ask(now))
            self._at(self.now + CALL, process, lambda each: self._granted(each, granted))
        elif wait := allowance.held(now) or allowance.take(now):
            self._wake(process, self.now + max(wait, 0.001))
        else:
            self._send(process)

    def _ask(self, ask: Ask) -> Lease:
        self.calls += 1
        state = SharedRate.from_bytes(self.stored) if self.stored else None
        state, granted = lease(state, 1e9 + self.now + CALL / 2, ask)
        self.stored = state.to_bytes()
        return granted

    def _granted(self, process: Process, granted: Lease) -> None:
        process.allowance.grant(self.now + process.clock, granted)
        self._try(process)

    def _send(self, process: Process) -> None:
        sent_at, pause = self.now, self.server.ask(self.now)
        process.sent.append(sent_at)
        process.open += 1
        takes = LATENCY * (0.5 + self._random.random())
        self._at(self.now + takes, process, lambda each: self._answered(each, sent_at, pause))
        if process.open < process.in_flight:
            self._wake(process, self.now)

    def _answered(self, process: Process, sent_at: float, pause: float) -> None:
        now, was_full = self.now + process.clock, process.open == process.in_flight
        process.open -= 1
        if pause:
            process.refused.append(self.now)
            process.allowance.refused(now, sent_at + process.clock, pause)
        else:
            process.served.append(self.now)
            process.allowance.served(now, self.now - sent_at)
        if was_full or (pause and process.sleep):
            self._wake(process, self.now)


def processes(number: int, **given: Any) -> list[Process]:
    return [Process(clock=1000.0 * each, **given) for each in range(number)]


def count(times: Iterable[float], since: float, until: float = inf) -> int:
    return sum(since < each <= until for each in times)


def total(run: Together, name: str, since: float, until: float = inf) -> int:
    return sum(count(getattr(each, name), since, until) for each in run.processes)


@pytest.mark.parametrize("says_when", [True, False], ids=["Retry-After", "bare"])
@pytest.mark.parametrize("number", [1, 2, 4, 16])
def test_processes_find_the_limit_of_a_server_together_and_rarely_exceed_it(number: int, says_when: bool) -> None:
    run = Together(Server(50, 50, says_when), processes(number)).until(120)
    served, refused = total(run, "served", 1), total(run, "refused", 1)
    assert served >= 0.9 * 50 * 119
    assert refused < 0.005 * served
    each = [len(process.served) for process in run.processes]
    assert max(each) < 1.25 * min(each)


@pytest.mark.parametrize("number", [1, 2, 4, 16])
def test_processes_use_the_whole_configured_rate_and_no_more(number: int) -> None:
    run = Together(Server(inf, inf), processes(number)).until(30)
    sent = sorted(each for process in run.processes for each in process.sent)
    assert len(sent) >= 0.98 * RATE * 30
    for first in range(0, len(sent), 50):
        assert count(sent, sent[first], sent[first] + 1) <= (1 + LATE + CHUNK) * RATE


@pytest.mark.parametrize("rate", [20.0, 200.0, 5000.0])
def test_calls_to_the_store_do_not_grow_with_the_rate_nor_its_value_with_the_requests(rate: float) -> None:
    many = [replace(each, allowance=Allowance(rate=rate), in_flight=1000) for each in processes(4)]
    run = Together(Server(inf, inf), many).until(20)
    assert total(run, "sent", 0) >= 0.95 * rate * 20
    assert run.calls <= 20 * (2 / CHUNK + len(many))
    assert run.stored is not None
    assert len(run.stored) < 2000


def test_a_process_that_starts_later_gets_its_part_within_seconds() -> None:
    late = Process(clock=7.0, starts=10.0)
    run = Together(Server(inf, inf), [*processes(3), late]).until(20)
    assert count(late.sent, 12, 20) >= 0.9 * 8 * RATE / 4
    assert total(run, "sent", 12, 20) >= 0.95 * 8 * RATE


@pytest.mark.parametrize("dies", [10.0, 10.03, 10.11])
def test_the_part_of_a_process_that_dies_goes_to_the_others(dies: float) -> None:
    run = Together(Server(inf, inf), [*processes(3), Process(clock=7.0, dies=dies)]).until(20)
    assert total(run, "sent", 10, 11) >= (1 - 2 * CHUNK) * RATE
    assert total(run, "sent", 11, 20) >= 0.95 * 9 * RATE


def test_a_slow_process_leaves_the_rest_to_the_others() -> None:
    slow = Process(clock=7.0, in_flight=1)
    slow_rate = 1 / LATENCY
    alone, run = (Together(Server(inf, inf), each).until(20) for each in (processes(1), [*processes(1), slow]))
    assert count(slow.sent, 2, 20) >= 0.5 * 18 * slow_rate
    assert total(run, "sent", 2, 20) >= 0.9 * total(alone, "sent", 2, 20)


def test_a_pause_holds_all_processes() -> None:
    run = Together(Server(50, 50), processes(4)).until(30)
    assert run.stored
    pauses = [each for process in run.processes for each in process.refused]
    first = min(pauses)
    assert total(run, "sent", first + 2 * LATENCY + 2 * CHUNK, first + 1) == 0


def asked(at: float = 0.0, **given: Any) -> Ask:
    return Ask(**{"at": at, "rate": RATE, "requests": 10, **given})


def test_lone_refusals_hold_no_process() -> None:
    responses = tuple(Response(at=i / 100, seconds=0.01, pause=1.0 if i in (20, 60) else None) for i in range(100))
    state, _ = lease(None, 50.0, asked())
    state, granted = lease(state, 51.0, asked(1.0, responses=responses))
    assert (granted.hold, granted.interval) == (0.0, 1 / RATE)


def test_a_clock_that_is_set_back_and_an_old_value_start_again() -> None:
    state, _ = lease(None, 1e6, asked())
    state.held_until = state.next_at = 1e6 + 60
    for now in (1e6 - 3600, 1e6 + 60 + FORGOTTEN_AFTER + 1):
        again, granted = lease(replace(state), now, asked())
        assert (granted.wait, granted.hold, again.asked_at) == (0.0, 0.0, now)
    assert lease(state, 1e6 + 1, asked())[1].hold == 59


def test_each_process_keeps_to_its_own_rate_and_a_higher_one_counts_from_its_first_lease() -> None:
    state, low = lease(None, 10.0, asked(rate=20.0, requests=50))
    state, high = lease(state, 11.0, asked(rate=100.0, requests=50))
    state, again = lease(state, 12.0, asked(rate=20.0, requests=50))
    assert [(each.requests, each.interval) for each in (low, high, again)] == [(4, 0.05), (20, 0.01), (4, 0.05)]


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 60), st.floats(0.01, 500)), min_size=1, max_size=60))
def test_leases_never_overlap(asks: list[tuple[float, int, float]]) -> None:
    state, now, free_at = None, 100.0, 0.0
    for step, requests, rate in asks:
        now += step
        state, granted = lease(state, now, asked(rate=rate, requests=requests, version=1))
        starts = now + granted.wait
        assert starts >= free_at - 1e-6
        if granted.requests:
            free_at = starts + granted.requests * granted.interval
        state = SharedRate.from_bytes(state.to_bytes())
