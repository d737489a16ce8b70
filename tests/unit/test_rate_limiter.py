"""How fast to ask, decided by numbers: against a bucket of tokens made of numbers too."""

import itertools
import random
from dataclasses import dataclass, field
from math import ceil, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_authsignal.source.http.rate.adaptive_rate import LONGEST_REST, SLOWEST, AdaptiveRate

LATENCY = 0.005


@dataclass
class Server:
    """Serves so many requests a second, and so many at once after a rest."""

    limit: float
    burst: float
    says_when: bool = True
    tokens: float = inf
    seen: float = 0.0
    lone: float = 0.0
    rng: random.Random = field(default_factory=lambda: random.Random(7))

    def ask(self, now: float) -> float:
        """0 if the request is served, else the seconds to wait. A share of requests is refused for no reason."""
        if self.lone and self.rng.random() < self.lone:
            return 1.0 if self.says_when else 0.5
        self.tokens = min(self.burst, self.tokens + (now - self.seen) * self.limit)
        self.seen = now
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return float(ceil((1 - self.tokens) / self.limit)) if self.says_when else 0.5


@dataclass
class Run:
    """One request after the other, each at the moment that the governor allows."""

    governor: AdaptiveRate
    now: float = 0.0
    served: int = 0
    refused: int = 0

    def until(self, end: float, server: Server) -> "Run":
        while self.now < end:
            self.now += max(LATENCY, 1 / (self.governor.rate or inf)) if self.governor.rate else LATENCY
            if pause := server.ask(self.now):
                self.refused += 1
                self.now += self.governor.refused(self.now, self.now, pause)
            else:
                self.served += 1
                self.governor.served(self.now, LATENCY)
        return self


def run(ceiling: float | None = None) -> Run:
    return Run(AdaptiveRate(ceiling=ceiling, began=0.0))


@pytest.mark.parametrize("says_when", [True, False], ids=["Retry-After", "bare"])
@pytest.mark.parametrize("ceiling", ["max", "given"])
@pytest.mark.parametrize("limit", [10, 50, 120])
def test_the_rate_limit_is_nearly_used_and_rarely_exceeded(limit: int, ceiling: str, says_when: bool) -> None:
    asked = run(None if ceiling == "max" else 2.0 * limit).until(300, Server(limit, limit, says_when))
    assert asked.served >= 0.95 * limit * 300
    assert asked.refused < 0.005 * asked.served


@pytest.mark.parametrize("ceiling", [None, 20.0])
@pytest.mark.parametrize("share", [0.01, 0.03, 0.05])
def test_lone_refusals_do_not_lower_the_rate(share: float, ceiling: float | None) -> None:
    without, asked = run(ceiling).until(60, Server(inf, inf)), run(ceiling).until(60, Server(inf, inf, lone=share))
    assert asked.refused > 0
    assert asked.served >= (0.95 - share) * without.served


@pytest.mark.parametrize("share", [0.01, 0.03, 0.05])
def test_a_limit_is_found_among_lone_refusals(share: float) -> None:
    asked = run(100.0).until(300, Server(50, 50, lone=share))
    assert asked.served >= 0.8 * 50 * 300
    assert asked.refused <= (share + 0.05) * (asked.served + asked.refused)


@pytest.mark.parametrize(("limit", "ceiling"), [(18, 20), (19, 20), (48, 50), (195, 200)])
def test_a_limit_slightly_below_the_rate_is_found(limit: int, ceiling: int) -> None:
    asked = run(float(ceiling)).until(300, Server(limit, limit))
    assert asked.served >= 0.95 * limit * 300
    assert asked.refused < 0.005 * asked.served


@pytest.mark.parametrize(("before", "after"), [(20, 100), (100, 20)])
def test_a_changed_rate_limit_is_found_again(before: int, after: int) -> None:
    first = run().until(60, Server(before, before))
    then = first.until(180, Server(after, after, seen=first.now))
    settled = then.served, then.refused
    last = then.until(300, Server(after, after, seen=then.now))
    assert last.served - settled[0] >= 0.9 * after * 120
    assert last.refused - settled[1] <= 6


def test_the_rate_is_unlimited_before_the_first_refusal() -> None:
    assert run().until(10, Server(inf, inf)).governor.rate is None


@given(
    st.floats(0.01, 1000),
    st.lists(st.tuples(st.sampled_from("sr"), st.floats(0.001, 5), st.floats(0, 60)), max_size=80),
)
def test_the_configured_rate_is_never_exceeded(ceiling: float, events: list[tuple[str, float, float]]) -> None:
    governor, now = AdaptiveRate(ceiling=ceiling, began=0.0), 0.0
    for kind, step, seconds in events:
        now += step
        governor.served(now, seconds) if kind == "s" else governor.refused(now, now, seconds)
        assert governor.rate is not None
        assert min(SLOWEST, ceiling) <= governor.rate <= ceiling


@given(st.floats(5, 500), st.floats(0.2, 3), st.integers(20, 200))
def test_four_refusals_in_a_row_slow_down_immediately_and_others_of_the_same_burst_change_nothing(
    limit: float, seconds: float, sent: int
) -> None:
    governor = AdaptiveRate(ceiling=limit, began=0.0)
    for number in range(sent):
        governor.served(seconds * number / sent, LATENCY)
    pauses = [governor.refused(seconds, seconds - LATENCY, 1.0) for _ in range(4)]
    assert pauses == [0.0, 0.0, 0.0, 1.0]
    slowed = governor.rate
    assert slowed is not None
    assert slowed <= max(SLOWEST, 0.98 * limit)
    for _ in range(7):
        governor.refused(seconds + 0.01, seconds - 0.001, 1.0)
    assert governor.rate == slowed


def test_refusals_before_any_served_request_do_not_change_the_rate() -> None:
    governor = AdaptiveRate(ceiling=20.0, began=0.0)
    for second in range(1, 100):
        governor.refused(float(second), float(second), 0.5)
    assert governor.rate == 20.0


def test_the_same_limit_is_probed_less_often_each_time() -> None:
    asked, server, met = run(100.0), Server(50, 50), [0.0]
    while asked.now < 3600:
        before = asked.refused
        asked.until(asked.now + 1, server)
        met += [asked.now] * (asked.refused > before)
    gaps = [after - before for before, after in itertools.pairwise(met)]
    assert gaps[-1] > 4 * gaps[2]
    assert gaps[-1] < 2 * LONGEST_REST


def test_a_pause_of_this_process_does_not_reduce_the_rate() -> None:
    governor = AdaptiveRate(ceiling=None, began=0.0)
    for number in range(5000):
        governor.served(number / 5000, 0.6 if 2000 <= number < 2256 else 0.002)
    assert governor.rate is None


def test_lone_slow_responses_do_not_reduce_the_rate() -> None:
    governor = AdaptiveRate(ceiling=None, began=0.0)
    for number in range(5000):
        governor.served(number / 500, 30.0 if number > 500 and number % 20 == 0 else 0.02)
    assert governor.rate is None


def test_rising_latency_reduces_the_rate_and_constant_latency_does_not() -> None:
    for usual, late, slows in ((0.05, 1.0, True), (0.05, 0.15, False), (0.5, 0.9, False)):
        governor = AdaptiveRate(ceiling=100.0, began=0.0)
        for number in range(600):
            governor.served(number / 90, usual if number < 300 else late)
        assert (governor.rate is not None and governor.rate < 90) == slows
