"""Adaptive request rate, computed from served and refused requests. Pure: times and responses are plain numbers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import exp2, inf, sqrt
from statistics import median
from typing import Final

from dlt_authsignal.source.http.rate.lone_refusals import SLOWER, LoneRefusals, Trial

USUAL_BURST: Final = 1.0
"""Assumed burst of a server's limit, in seconds of its rate; used for the first refusal."""

MARGIN: Final = 0.98
SAME: Final = 0.8
"""Two refusals count as the same limit if their estimates differ by no more than this factor."""

FIRST_REST: Final = 2.0
LONGEST_REST: Final = 600.0
MOST_DOUBT: Final = 1.0
ROUGH: Final = 0.1
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
"""Responses are slow if half of them take this many times as long as usual, and this many seconds more. It must happen
more than once, because a pause of this process delays all requests in flight."""

FORGETTING: Final = 1.02
RELIEF: Final = 5.0
EASING: Final = 0.7


@dataclass(kw_only=True)
class AdaptiveRate:
    """Finds the highest rate without refusals, and stays slightly below it.

    There is no limit until refusals show one; lone refusals do not change the rate. Each refusal by a limit gives two
    bounds for it, modelled as a token bucket. Between two refusals the bucket handed out at most its refill, and the
    requests served in the last second were not below the limit. The rate is set between these bounds, stays there, and
    then grows again. The more often a ceiling refused, the longer the rate stays below it.

    Attributes:
        ceiling: Maximum requests per second; None for no limit.
        began: Time of the first request.
        rate: Requests per second that may be sent now; None for no limit.
        lag: Seconds until requests are sent at a new rate.
    """

    ceiling: float | None
    began: float
    rate: float | None = None
    lag: float = 0.0
    _served: int = 0
    _samples: deque[tuple[float, int]] = field(default_factory=deque)
    _decided_at: float = 0.0
    _served_before: int = 0
    _resumed_at: float = 0.0
    _resting_until: float = 0.0
    _rest: float = FIRST_REST
    _limit: float | None = None
    _doubt: float = 0.0
    _times: int = 0
    _growth: float = GROWTH_IN_DOUBT
    _grown_at: float = 0.0
    _seconds: list[float] = field(default_factory=list)
    _lone: LoneRefusals = field(default_factory=LoneRefusals)
    _trial: Trial | None = None
    _usual: float = inf
    _late_since: float = inf

    def __post_init__(self) -> None:
        if self._samples:  # read from a store
            return
        self.rate = self.ceiling
        self._decided_at = self.began - USUAL_BURST
        self._samples.append((self.began, 0))

    def allow(self, ceiling: float) -> None:
        """Raise the ceiling; a rate that no limit has lowered follows it."""
        if self.ceiling is None or ceiling <= self.ceiling:
            return
        if self.rate == self.ceiling:
            self.rate = ceiling
        self.ceiling = ceiling

    def served(self, now: float, seconds: float) -> None:
        """Record a response and its duration in seconds."""
        self._served += 1
        self._lone.served()
        if self._trial and self._trial.served():
            self._lone.explain_all()
            self._found(now, 0.0, self._trial.limit, doubt=1 - SLOWER)
        self._seconds.append(seconds)
        if len(self._seconds) >= ANSWERS_JUDGED:
            self._judge(now)
        if now - self._samples[-1][0] >= SAMPLE:
            self._samples.append((now, self._served))
            while now - self._samples[0][0] > REMEMBERED and len(self._samples) > 2:
                self._samples.popleft()
            self._grow(now)

    def refused(self, now: float, sent_at: float, pause: float) -> float:
        """Record a 429 response that asks to wait for `pause` seconds.

        Returns:
            Seconds for which no request may be sent; 0 if only the refused request has to wait.
        """
        if sent_at < self._resumed_at:  # sent before the end of the last pause, so it shows nothing new
            return pause
        is_probing = self._lone.is_quiet and self._is_probing(now)
        is_limit = self._lone.refused(now)
        if not (is_limit or is_probing):
            self._try_slower(now, sent_at)
            return 0.0
        if is_limit or now > self._resting_until:  # a refusal during the rest may be a lone one
            self._lone.explain()
        if self._served == self._served_before:  # no response since the last refusal, so nothing to measure
            self._resumed_at = now + pause
            return pause
        low = (self._served - self._served_before) / max(now - self._decided_at, SAMPLE)
        high = self.recent(now)
        limit, doubt = (low, MOST_DOUBT) if self.rate is None else (sqrt(low * high), high / max(low, SLOWEST) - 1)
        self._found(now, pause, limit, doubt)
        return pause

    def _found(self, now: float, pause: float, limit: float, doubt: float) -> None:
        """Set the rate below a limit that refused, and rest there after the pause."""
        is_same = self._limit is not None and SAME < limit / self._limit < 1 / SAME
        self._times = self._times + 1 if is_same else 0
        self._limit, self._doubt = limit, doubt
        self._rest = min(LONGEST_REST, FIRST_REST * 2**self._times)
        self._growth = max(SLOWEST_GROWTH, GROWTH_IN_DOUBT * min(doubt, MOST_DOUBT) / 2**self._times)
        self._resumed_at, self._resting_until = now + pause, now + pause + self._rest
        before = self._trial.rate if self._trial else self.rate
        self._trial = None
        self._set(MARGIN * min(limit, before or limit))
        self._decided_at, self._served_before = now, self._served
        self._samples = deque([(now + pause, self._served)])

    def _is_probing(self, now: float) -> bool:
        """Return whether the rate may be above a known limit: it grows, or the limit was estimated roughly."""
        return self._limit is not None and (now > self._resting_until or self._doubt > ROUGH)

    def _try_slower(self, now: float, sent_at: float) -> None:
        """Start a trial if there were too many lone refusals, or end it if they continue at the lower rate."""
        if self._trial is None and self._lone.is_trial_due(now):
            self._trial = self._lone.trial(now, self.rate, self.lag)
            self._set(SLOWER * self._trial.limit)
        elif self._trial and self._trial.refused(sent_at):
            self.rate, self._trial = self._trial.rate, None
            self._lone.accept()

    def recent(self, now: float) -> float:
        """Return the recent responses per second."""
        since, before = self._samples[0]
        return (self._served - before) / max(now - since, SAMPLE)

    def _judge(self, now: float) -> None:
        """Reduce the rate if responses take clearly longer than before, because the server seems overloaded."""
        late = median(self._seconds)
        self._seconds.clear()
        is_late = late > LATE * self._usual + LATE_BY
        self._late_since = min(self._late_since, now) if is_late else inf
        if now - self._late_since >= LATE_FOR and now >= self._resting_until:
            self._resting_until, self._growth = now + RELIEF, GROWTH_IN_DOUBT / 4
            self._trial = None
            self._set(EASING * self.recent(now))
        self._usual = min(late, FORGETTING * self._usual)

    def _grow(self, now: float) -> None:
        step, self._grown_at = now - self._grown_at, now
        resting = now - self._resting_until
        if self.rate is None or self._trial or resting <= 0 or self.rate == self.ceiling:
            return
        if self.recent(now) < self.rate / 2:  # the run does not use a higher rate
            return
        growth = self._growth * exp2(resting / max(DOUBLES_EVERY, self._rest / 4))
        self._set(self.rate * (1 + step * min(FASTEST_GROWTH, growth)))

    def _set(self, rate: float) -> None:
        self.rate = min(self.ceiling or inf, max(SLOWEST, rate))
