"""Faults on request: what a network or a tired server does to an answer. When they strike; not what they then do."""

import random
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import exp
from typing import Any, Final

import msgspec

ANSWERS: Final = ("status", "html", "body", "reset")
"""Kinds that take the place of the answer: the request changes nothing."""

KINDS: Final = (
    *ANSWERS,
    "cut",
    "content_type",
    "delay",
    "latency",
    "slow",
    "repeat_cursor",
    "skip_cursor",
    "drop_user",
    "clock_skew",
    "unknown_fields",
    "changed_types",
)

LISTING: Final = "GET /users"
MAX_SECONDS: Final = 3600.0
MAX_SKEW_SECONDS: Final = 366 * 86_400.0
FRAMING: Final = ("content-length", "transfer-encoding", "connection")
NO_BODY: Final = (204, 205, 304)
SPENT_SHOWN: Final = 100

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault on one route.

    Attributes:
        route: Method and path template, such as `GET /users/{userId}/actions`; `*` for every route.
        kind: `status` an error body with that status; `html` a page with status 200; `body` the given text with
            status 200; `reset` the connection breaks without an answer; `cut` it ends in mid-body; `content_type` the
            right answer, called a web page; `delay` and `latency` the right answer, late; `slow` its body trickles;
            `repeat_cursor` the page's cursor is the one asked with; `skip_cursor` it jumps over a page; `drop_user`
            the user of the path is deleted before the answer; `clock_skew` another time in the Date header;
            `unknown_fields` more fields in every object; `changed_types` other JSON types in some fields.
        times: How often it strikes; None for always.
        after: So many calls of the route pass first.
        probability: Chance that it strikes a call, above 0 and up to 1.
        seed: Of chance; the sandbox's own by default. The same seed strikes the same calls.
        status: Status for kind `status`.
        body: Text for kind `body`.
        seconds: Delay for `delay` and `latency`, length of a `slow` body, difference for `clock_skew`.
        low: Shortest `latency` in seconds, where it is uniform.
        high: Longest one.
        median: Middle `latency` in seconds, where it is lognormal.
        sigma: Its spread: the standard deviation of the logarithm.
        fields: Names that `changed_types` changes; empty for about half of them, chosen by the seed.
        headers: Extra response headers of `status`, `html` and `body`, such as `Retry-After`.

    Raises:
        ValueError: A value that no answer can have.
    """

    route: str
    kind: str
    times: int | None = 1
    after: int = 0
    probability: float = 1.0
    seed: int | None = None
    status: int = 503
    body: str = ""
    seconds: float = 0.0
    low: float | None = None
    high: float | None = None
    median: float | None = None
    sigma: float | None = None
    fields: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f'Unknown kind of fault "{self.kind}". Known: {", ".join(KINDS)}.')
        _check(self.times is None or self.times >= 1, "times is a whole number above 0, or null for always")
        _check(self.after >= 0, "after is a whole number, 0 or more")
        _check(0 < self.probability <= 1, "probability is above 0 and at most 1")
        _check(200 <= self.status <= 599 and self.status not in NO_BODY, "status is one of 200 to 599 that has a body")
        _check(self.kind == "clock_skew" or 0 <= self.seconds <= MAX_SECONDS, f"seconds is 0 to {MAX_SECONDS:.0f}")
        _check(abs(self.seconds) <= MAX_SKEW_SECONDS, "a clock is at most a year off")
        _check(not self.kind.endswith("_cursor") or self.route == LISTING, f"{self.kind} is for {LISTING}")
        _check(self.kind != "drop_user" or "{userId}" in self.route, "drop_user is for routes with {userId}")
        _check(_is_utf8(self.body), "body is text that UTF-8 can write")
        self._check_latency()
        for name, value in self.headers.items():
            fits = _HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)
            _check(
                bool(fits) and name.lower() not in FRAMING, "headers are printable ASCII, and none that frame a body"
            )

    def _check_latency(self) -> None:
        uniform, lognormal = (self.low, self.high), (self.median, self.sigma)
        for name, pair in (("low and high", uniform), ("median and sigma", lognormal)):
            _check((pair[0] is None) == (pair[1] is None), f"{name} go together")
        _check(self.low is None or self.median is None, "a latency is uniform or lognormal, not both")
        if self.low is not None and self.high is not None:
            _check(0 <= self.low <= self.high <= MAX_SECONDS, f"0 <= low <= high <= {MAX_SECONDS:.0f}")
        if self.median is not None and self.sigma is not None:
            _check(0 < self.median <= MAX_SECONDS and 0 <= self.sigma <= 10, "median is above 0, sigma 0 to 10")

    def wait(self, rng: random.Random) -> float:
        """Seconds by which this fault holds the answer back."""
        if self.kind == "latency" and self.low is not None and self.high is not None:
            return rng.uniform(self.low, self.high)
        if self.kind == "latency" and self.median is not None and self.sigma is not None:
            return min(MAX_SECONDS, self.median * exp(self.sigma * rng.gauss(0, 1)))
        return self.seconds if self.kind in ("delay", "latency") else 0.0


def _check(fits: bool, rule: str) -> None:
    if not fits:
        raise ValueError(f"A fault does not fit: {rule}.")


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


@dataclass(kw_only=True)
class Waiting:
    """A fault that was added: how many calls it has seen, and how many it applied."""

    fault: Fault
    rng: random.Random
    calls: int = 0
    applied: int = 0

    @property
    def is_spent(self) -> bool:
        return self.fault.times is not None and self.applied >= self.fault.times

    def applies(self) -> bool:
        """Whether it strikes this call, which is counted."""
        self.calls += 1
        if self.is_spent or self.calls <= self.fault.after:
            return False
        if self.fault.probability < 1 and self.rng.random() >= self.fault.probability:
            return False
        self.applied += 1
        return True

    def shown(self) -> dict[str, Any]:
        """What `GET /_sandbox/faults` says of it: what it was asked to be, and its counts."""
        values = [(item, getattr(self.fault, item.name)) for item in fields(Fault)]
        asked = {item.name: value for item, value in values if item.name == "times" or value not in (item.default, {})}
        return {**asked, "calls": self.calls, "applied": self.applied, "waits": not self.is_spent}


class Faults:
    """Faults that wait for their route to be called, in the order they were added.

    Args:
        seed: Of chance, for faults without a seed of their own; None for another one each time.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._seed = seed
        self._added = 0
        self._spent: deque[Waiting] = deque(maxlen=SPENT_SHOWN)
        self.waiting: list[Waiting] = []

    def add(self, fault: Fault) -> None:
        seed = self._seed if fault.seed is None else fault.seed
        rng = random.Random() if seed is None else random.Random(f"{seed}:fault:{self._added}")
        self._added += 1
        self.waiting.append(Waiting(fault=fault, rng=rng))

    def clear(self) -> None:
        self.waiting.clear()
        self._spent.clear()
        self._added = 0

    def apply(self, route: str, *, paged: bool = False) -> Waiting | None:
        """The first fault that strikes this call; the ones after it do not see the call.

        Args:
            route: Method and path template.
            paged: Whether the call asks with a cursor: there is none to repeat without.
        """
        for waiting in tuple(self.waiting):
            fault = waiting.fault
            if fault.route not in ("*", route) or (fault.kind == "repeat_cursor" and not paged):
                continue
            if waiting.applies():
                if waiting.is_spent and waiting in self.waiting:
                    self.waiting.remove(waiting)
                    self._spent.append(waiting)
                return waiting
        return None

    def shown(self) -> list[dict[str, Any]]:
        """The last ones that applied as often as they should, then those that wait."""
        return [value.shown() for value in (*self._spent, *self.waiting)]


def fault_from_json(value: Any) -> Fault:
    """A fault as the control route takes it.

    Raises:
        ValueError: Not an object, an unknown field or kind, or a value that does not fit.
    """
    if not isinstance(value, dict) or not isinstance(value.get("route"), str):
        raise ValueError("A fault is an object with at least route and kind.")
    if unknown := sorted(set(value) - {item.name for item in fields(Fault)}):
        raise ValueError(f'A fault has no field "{unknown[0]}".')
    try:
        return msgspec.convert(value, Fault)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
