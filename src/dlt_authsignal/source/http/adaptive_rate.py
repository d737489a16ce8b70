"""Adaptive request rate, computed from served and refused requests. Pure: times and responses are plain numbers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import exp2, inf, sqrt
from typing import Final

USUAL_BURST: Final = 1.0
"""Assumed burst of a server's limit, in seconds of its rate; used for the first refusal."""

MARGIN: Final = 0.98
SAME: Final = 0.8
"""Two refusals count as the same limit if their estimates differ by no more than this factor."""

FIRST_REST: Final = 2.0
LONGEST_REST: Final = 600.0
MOST_DOUBT: Final = 1.0
GROWTH_IN_DOUBT: Final = 0.2
SLOWEST_GROWTH: Final = 0.01
DOUBLES_EVERY: Final = 2.0
FASTEST_GROWTH: Final = 0.7
"""Growth per second, as a share of the rate."""

SLOWEST: Final = 1.0
SAMPLE: Final = 0.1
REMEMBERED: Final = 1.0
ANSWERS_JUDGED: Final = 50
LATE: Final = 3.0
LATE_BY: Final = 0.25
LATE_FOR: Final = 1.0
"""Responses are slow if they take this many times as long as usual, and this many seconds more. It must happen more
than once, because a pause of this process delays all requests in flight."""

FORGETTING: Final = 1.02
RELIEF: Final = 5.0
EASING: Final = 0.7


@dataclass(kw_only=True)
class AdaptiveRate:
    """Finds the highest rate without refusals, and stays slightly below it.

    There is no limit until the first refusal. Each refusal gives two bounds for the server's limit, modelled as a token
    bucket. Between two refusals the bucket handed out at most its refill, and the requests served in the last second
    were not below the limit. The rate is set between these bounds, stays there, and then grows again. The more often a
    ceiling refused, the longer the rate stays below it.

    Attributes:
        ceiling: Maximum requests per second; None for no limit.
        began: Time of the first request.
        rate: Requests per second that may be sent now; None for no limit.
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
        """Record a response and its duration in seconds."""
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
        """Record a 429 response, after which no request is sent for `pause` seconds.

        Refusals of requests that were sent before the end of the last pause are ignored.
        """
        if sent_at < self._resumed_at:
            return
        if self._served == self._served_before:  # no response since the last refusal, so nothing to measure
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
        """Return the recent responses per second."""
        since, before = self._samples[0]
        return (self._served - before) / max(now - since, SAMPLE)

    def _judge(self, now: float) -> None:
        """Reduce the rate if responses take clearly longer than before, because the server seems overloaded."""
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
        if self.recent(now) < self.rate / 2:  # the run does not use a higher rate
            return
        growth = self._growth * exp2(resting / max(DOUBLES_EVERY, self._rest / 4))
        self._set(self.rate * (1 + step * min(FASTEST_GROWTH, growth)))

    def _set(self, rate: float) -> None:
        self.rate = min(self.ceiling or inf, max(SLOWEST, rate))
