"""How fast to ask: decided by what was served and what was refused. Pure: times and answers come in as numbers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import exp2, inf, sqrt
from typing import Final

USUAL_BURST: Final = 1.0
"""Seconds' worth of requests that a limit usually lets through at once: what the first refusal is judged by."""

MARGIN: Final = 0.98
SAME: Final = 0.8
"""Two refusals come from the same limit if they put it no further apart."""

FIRST_REST: Final = 2.0
LONGEST_REST: Final = 600.0
MOST_DOUBT: Final = 1.0
GROWTH_IN_DOUBT: Final = 0.2
SLOWEST_GROWTH: Final = 0.01
DOUBLES_EVERY: Final = 2.0
FASTEST_GROWTH: Final = 0.7
"""Growth a second, as a share of the rate."""

SLOWEST: Final = 1.0
SAMPLE: Final = 0.1
REMEMBERED: Final = 1.0
ANSWERS_JUDGED: Final = 50
LATE: Final = 3.0
LATE_BY: Final = 0.25
LATE_FOR: Final = 1.0
"""Answers come late when they take so many times as long as usual, and so many seconds more. Once may be our own doing:
a pause of this process makes all that are in flight late."""

FORGETTING: Final = 1.02
RELIEF: Final = 5.0
EASING: Final = 0.7


@dataclass(kw_only=True)
class AdaptiveRate:
    """Finds the highest rate that is served without refusals, and stays a little below it.

    No limit until the first sign of one. Each refusal bounds the server's limit: a bucket that was empty then and is
    empty now has handed out what it was refilled with, or less if it overflowed in between; and what was served in the
    last second cannot have been below the limit, or the bucket would not have been emptied. The rate goes between the
    two, rests, and grows again: the more often one ceiling has refused, the longer it rests below it.

    Attributes:
        ceiling: Most requests a second; None for any number.
        began: When the first request was sent.
        rate: Requests a second that may be sent now; None for any number.
    """

    ceiling: float | None
    began: float
    rate: float | None = None
    _served: int = 0
    _samples: deque[tuple[float, int]] = field(default_factory=deque)
    _decided_at: float = 0.0
    _served_before: int = 0
    _resumed_at: float = 0.0
    _resting_until: float = 0.0
    _rest: float = FIRST_REST
    _limit: float | None = None
    _times: int = 0
    _growth: float = GROWTH_IN_DOUBT
    _grown_at: float = 0.0
    _seconds: float = 0.0
    _judged: int = 0
    _usual: float = inf
    _late_since: float = inf

    def __post_init__(self) -> None:
        self.rate = self.ceiling
        self._decided_at = self.began - USUAL_BURST
        self._samples.append((self.began, 0))

    def served(self, now: float, seconds: float) -> None:
        """An answer has come, so long after it was asked for."""
        self._served += 1
        self._seconds, self._judged = self._seconds + seconds, self._judged + 1
        if self._judged >= ANSWERS_JUDGED:
            self._judge(now)
        if now - self._samples[-1][0] >= SAMPLE:
            self._samples.append((now, self._served))
            while now - self._samples[0][0] > REMEMBERED and len(self._samples) > 2:
                self._samples.popleft()
            self._grow(now)

    def refused(self, now: float, sent_at: float, pause: float) -> None:
        """A request was answered with 429, after which nothing is sent for that many seconds.

        Refusals of what was sent before the last pause ended say nothing new.
        """
        if sent_at < self._resumed_at:
            return
        if self._served == self._served_before:  # not one since the last time: no measure of anything
            self._resumed_at = now + pause
            return
        low = (self._served - self._served_before) / max(now - self._decided_at, SAMPLE)
        high = self.recent(now)
        limit, doubt = (low, MOST_DOUBT) if self.rate is None else (sqrt(low * high), high / max(low, SLOWEST) - 1)
        is_same = self._limit is not None and SAME < limit / self._limit < 1 / SAME
        self._times = self._times + 1 if is_same else 0
        self._limit = limit
        self._rest = min(LONGEST_REST, FIRST_REST * 2**self._times)
        self._growth = max(SLOWEST_GROWTH, GROWTH_IN_DOUBT * min(doubt, MOST_DOUBT) / 2**self._times)
        self._resumed_at, self._resting_until = now + pause, now + pause + self._rest
        self._set(MARGIN * min(limit, self.rate or limit))
        self._decided_at, self._served_before = now, self._served
        self._samples = deque([(now + pause, self._served)])

    def recent(self, now: float) -> float:
        """Answers a second, lately."""
        since, before = self._samples[0]
        return (self._served - before) / max(now - since, SAMPLE)

    def _judge(self, now: float) -> None:
        """Asks for less when answers take clearly longer than they did: somebody there has too much to do."""
        late = self._seconds / self._judged
        self._seconds, self._judged = 0.0, 0
        is_late = late > LATE * self._usual + LATE_BY
        self._late_since = min(self._late_since, now) if is_late else inf
        if now - self._late_since >= LATE_FOR and now >= self._resting_until:
            self._resting_until, self._growth = now + RELIEF, GROWTH_IN_DOUBT / 4
            self._set(EASING * self.recent(now))
        self._usual = min(late, FORGETTING * self._usual)

    def _grow(self, now: float) -> None:
        step, self._grown_at = now - self._grown_at, now
        resting = now - self._resting_until
        if self.rate is None or resting <= 0 or self.rate == self.ceiling:
            return
        if self.recent(now) < self.rate / 2:  # nobody asks for more
            return
        growth = self._growth * exp2(resting / max(DOUBLES_EVERY, self._rest / 4))
        self._set(self.rate * (1 + step * min(FASTEST_GROWTH, growth)))

    def _set(self, rate: float) -> None:
        self.rate = min(self.ceiling or inf, max(SLOWEST, rate))
