"""The common rate of several processes, and the requests that each of them may send. Pure: times are plain numbers.

`lease` changes what the processes have in common; a store keeps it. `Allowance` is what one process knows.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import inf
from types import GenericAlias
from typing import Any, Final, get_args

import msgspec

from dlt_authsignal.source.http.rate.adaptive_rate import AdaptiveRate
from dlt_authsignal.source.http.rate.lone_refusals import WINDOW

CHUNK: Final = 0.2
"""Seconds of the common rate that one lease may take."""

LAG: Final = 1.5 * CHUNK
"""Seconds until all processes follow a new rate."""

LATE: Final = 0.2
"""Seconds for which unused room is kept: it makes up for the time that a call to the store takes."""

MOST_REQUESTS: Final = 1_000_000
"""Requests that a process asks for at first. It gets one chunk, which is less."""

UNUSED_FOR: Final = 1.0
"""Seconds after which requests that were leased and not sent are given up."""

LOOK_AGAIN: Final = 1.0
"""Seconds after which a process looks at the store again, to learn of a pause."""

NEWS_FOR: Final = 0.05
"""Seconds for which a lease is trusted before its first request; after that, the store is asked for a pause first."""

FORGOTTEN_AFTER: Final = 600.0
"""Seconds without a lease after which the processes start again with the configured rate."""

BACKWARDS: Final = 1.0
"""If the store's clock goes back by more than these seconds, it was set back."""


@dataclass(frozen=True, kw_only=True)
class Response:
    """A response that no store knows of yet.

    Attributes:
        at: Time of the response, by the process's clock.
        seconds: Its duration.
        pause: Seconds that a 429 asks to wait; None for other responses.
    """

    at: float
    seconds: float
    pause: float | None = None


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a process asks the store.

    Attributes:
        at: Time by the process's clock.
        rate: Maximum requests per second that the process is configured with.
        requests: Requests that it wants to send.
        has_left: Whether it has requests left, and asks only to report and to learn of a pause.
        version: Version of the rate that it knows.
        responses: Responses since it asked last.
    """

    at: float
    rate: float
    requests: int
    has_left: bool = False
    version: int = 0
    responses: tuple[Response, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Lease:
    """What the store allows.

    Attributes:
        requests: Requests that may be sent; 0 if the process keeps those that it has.
        wait: Seconds until the first of them.
        interval: Seconds between two of them.
        hold: Seconds for which no request may be sent.
        version: Version of the rate.
    """

    requests: int
    wait: float
    interval: float
    hold: float
    version: int


@dataclass(kw_only=True)
class SharedRate:
    """What the processes have in common. Times are those of the store's clock.

    Attributes:
        governor: Decides about the rate. It sees the responses of all processes, as it would in one.
        next_at: When the next request may be sent that no process has leased.
        held_until: Time until which no request may be sent.
        asked_at: When a process asked last.
        version: Number of times the rate was lowered or a pause began.
    """

    governor: AdaptiveRate
    next_at: float
    held_until: float
    asked_at: float
    version: int = 1

    @classmethod
    def begin(cls, now: float, rate: float) -> SharedRate:
        """Return the state before the first lease."""
        return cls(governor=AdaptiveRate(ceiling=rate, began=now, lag=LAG), next_at=now, held_until=0.0, asked_at=now)

    @classmethod
    def from_bytes(cls, stored: bytes) -> SharedRate:
        """Read a stored state.

        Raises:
            ValueError: It was not written by this version.
        """
        return msgspec.msgpack.decode(stored, type=cls, dec_hook=_deque)

    def to_bytes(self) -> bytes:
        """Return the state as bytes. Their number does not depend on the number of requests sent."""
        return msgspec.msgpack.encode(self, enc_hook=list)

    def is_over(self, now: float) -> bool:
        """Return whether the state is outdated, or the store's clock was set back."""
        used_until = max(self.asked_at, self.next_at, self.held_until)
        return now < self.asked_at - BACKWARDS or now > used_until + FORGOTTEN_AFTER

    def take_over(self, now: float, ask: Ask) -> None:
        """Report the responses of a process to the governor.

        If it lowers the rate or lets no request be sent, the requests that are leased for later are leased again."""
        before, held_until = self.governor.rate or inf, max(now, self.held_until)
        for response in ask.responses:
            at = now - (ask.at - response.at)
            if response.pause is None:
                self.governor.served(at, response.seconds)
            elif pause := self.governor.refused(at, at - response.seconds, response.pause):
                self.held_until = max(self.held_until, at + pause)
        if self.held_until > held_until or (self.governor.rate or inf) < before:
            self.version += 1
            self.next_at = max(self.held_until, min(self.next_at, now + CHUNK))


def lease(state: SharedRate | None, now: float, ask: Ask) -> tuple[SharedRate, Lease]:
    """Take over the responses of a process, and grant it its next requests.

    Requests are granted in the order of asking, one chunk after the other: each chunk has its own time. A process that
    waits, starts late or dies therefore takes no more than one chunk from the others.

    Args:
        state: What the processes have in common; None if none has asked yet.
        now: Time by the store's clock.
        ask: What the process asks.
    """
    if state is None or state.is_over(now):
        state = SharedRate.begin(now, ask.rate)
    state.governor.allow(ask.rate)
    state.asked_at = now
    state.take_over(now, ask)
    rate = min(ask.rate, state.governor.rate or inf)
    keeps = ask.has_left and state.version == ask.version
    requests = 0 if keeps else min(ask.requests, max(1, int(rate * CHUNK)))
    starts = max(state.next_at, now - LATE)
    if requests:
        state.next_at = starts + requests / rate
    return state, Lease(
        requests=requests,
        wait=starts - now,
        interval=1 / rate,
        hold=max(0.0, state.held_until - now),
        version=state.version,
    )


@dataclass(kw_only=True)
class Allowance:
    """The requests that one process may send, and what it has to report.

    Attributes:
        rate: Maximum requests per second of all processes together.
    """

    rate: float
    _left: int = 0
    _used: int = 0
    _wanted: int = MOST_REQUESTS
    _next_at: float = 0.0
    _interval: float = 0.0
    _unused_at: float = 0.0
    _asked_at: float = -inf
    _version: int = 0
    _hold: float = 0.0
    _responses: list[Response] = field(default_factory=list)
    _is_urgent: bool = False

    def is_due(self, now: float) -> bool:
        """Return whether the store has to be asked before the next request."""
        is_first = not self._used and now >= self._next_at
        look_again = NEWS_FOR if is_first else LOOK_AGAIN
        return self._is_urgent or not self._has_left(now) or now - self._asked_at >= look_again

    def held(self, now: float) -> float:
        """Return the seconds for which all requests wait after a 429."""
        return max(0.0, self._hold - now)

    def take(self, now: float) -> float:
        """Take one request: return 0 if allowed now, else the seconds to wait."""
        if now < self._next_at:
            return min(LOOK_AGAIN, self._next_at - now)
        self._left, self._used = self._left - 1, self._used + 1
        self._next_at += self._interval
        return 0.0

    def served(self, now: float, seconds: float) -> None:
        """Record a response and its duration in seconds."""
        self._responses.append(Response(at=now, seconds=seconds))

    def refused(self, now: float, sent_at: float, pause: float) -> None:
        """Record a 429 response. The store is asked before the next request, whether a limit caused it."""
        self._responses.append(Response(at=now, seconds=now - sent_at, pause=pause))
        self._is_urgent = True

    def ask(self, now: float) -> Ask:
        """Return what to ask the store now.

        A process asks for at most twice as many requests as it needed last, so that a slow one leaves the rest to the
        others."""
        has_left = self._has_left(now)
        if not has_left and self._asked_at > -inf:
            self._wanted = min(MOST_REQUESTS, max(1, self._used if self._left else 2 * self._used))
        responses, self._responses = tuple(self._responses), []
        self._is_urgent = False
        return Ask(
            at=now, rate=self.rate, requests=self._wanted, has_left=has_left, version=self._version, responses=responses
        )

    def grant(self, now: float, granted: Lease) -> None:
        """Take over what the store allows."""
        self._asked_at = now
        self._version, self._hold = granted.version, now + granted.hold
        if granted.requests:
            self._left, self._used, self._interval = granted.requests, 0, granted.interval
            self._next_at = now + granted.wait
            self._unused_at = max(now, self._next_at + granted.requests * granted.interval) + UNUSED_FOR

    def _has_left(self, now: float) -> bool:
        return self._left > 0 and now < self._unused_at


def _deque(kind: Any, stored: Any) -> Any:
    return deque(msgspec.convert(stored, GenericAlias(list, get_args(kind))), WINDOW)
