"""Faults that a test can add, and the decision to which calls they apply. `http.fault_answers` applies them."""

import random
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import exp
from typing import Any, Final

import msgspec

ANSWERS: Final = ("status", "html", "body", "reset")
"""Kinds that replace the response: the request changes nothing."""

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
        kind: `status` an error body with that status; `html` a web page with status 200; `body` the given text with
            status 200; `reset` the connection breaks without a response; `cut` a truncated body; `content_type` the
            right response with `text/html`; `delay` and `latency` the right response, late; `slow` its body arrives in
            parts; `repeat_cursor` the cursor is that of the request; `skip_cursor` the cursor skips a page;
            `drop_user` the user of the path is deleted first; `clock_skew` another time in the Date header;
            `unknown_fields` more fields in every object; `changed_types` other JSON types in some fields.
        times: How often it is applied. None: always.
        after: Number of calls of the route that pass first.
        probability: Probability that it is applied to a call, above 0 and up to 1.
        seed: Seed of the probability. Default: the sandbox's. The same seed chooses the same calls.
        status: Status for kind `status`.
        body: Text for kind `body`.
        seconds: Delay for `delay` and `latency`, duration of a `slow` body, difference for `clock_skew`.
        low: Shortest uniform `latency` in seconds.
        high: Longest uniform `latency` in seconds.
        median: Median of a lognormal `latency` in seconds.
        sigma: Standard deviation of the logarithm of that latency.
        fields: Names that `changed_types` changes. Empty: about half of them, chosen by the seed.
        headers: Extra response headers of `status`, `html` and `body`, such as `Retry-After`.

    Raises:
        ValueError: A value is out of range, or does not fit the kind.
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
        _check(self.times is None or self.times >= 1, "times must be a whole number above 0, or null for always")
        _check(self.after >= 0, "after must be a whole number, 0 or more")
        _check(0 < self.probability <= 1, "probability must be above 0 and at most 1")
        _check(
            200 <= self.status <= 599 and self.status not in NO_BODY,
            "status must be 200 to 599, and one that has a body",
        )
        _check(self.kind == "clock_skew" or 0 <= self.seconds <= MAX_SECONDS, f"seconds must be 0 to {MAX_SECONDS:.0f}")
        _check(abs(self.seconds) <= MAX_SKEW_SECONDS, "seconds must be at most a year for clock_skew")
        _check(not self.kind.endswith("_cursor") or self.route == LISTING, f"{self.kind} needs the route {LISTING}")
        _check(self.kind != "drop_user" or "{userId}" in self.route, "drop_user needs a route with {userId}")
        _check(_is_utf8(self.body), "body must be text that UTF-8 can encode")
        self._check_latency()
        for name, value in self.headers.items():
            fits = _HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)
            _check(
                bool(fits) and name.lower() not in FRAMING,
                f"headers must be printable ASCII, and none of {', '.join(FRAMING)}",
            )

    def _check_latency(self) -> None:
        uniform, lognormal = (self.low, self.high), (self.median, self.sigma)
        for name, pair in (("low and high", uniform), ("median and sigma", lognormal)):
            _check((pair[0] is None) == (pair[1] is None), f"{name} must be given together")
        _check(self.low is None or self.median is None, "a latency must be uniform or lognormal, not both")
        if self.low is not None and self.high is not None:
            _check(0 <= self.low <= self.high <= MAX_SECONDS, f"0 <= low <= high <= {MAX_SECONDS:.0f}")
        if self.median is not None and self.sigma is not None:
            _check(
                0 < self.median <= MAX_SECONDS and 0 <= self.sigma <= 10, "median must be above 0, and sigma 0 to 10"
            )

    def wait(self, rng: random.Random) -> float:
        """Return by how many seconds the response is delayed."""
        if self.kind == "latency" and self.low is not None and self.high is not None:
            return rng.uniform(self.low, self.high)
        if self.kind == "latency" and self.median is not None and self.sigma is not None:
            return min(MAX_SECONDS, self.median * exp(self.sigma * rng.gauss(0, 1)))
        return self.seconds if self.kind in ("delay", "latency") else 0.0


def _check(fits: bool, rule: str) -> None:
    if not fits:
        raise ValueError(f"Invalid fault: {rule}. It was not added.")


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


@dataclass(kw_only=True)
class Waiting:
    """A fault that was added, with how many calls it has counted and how often it was applied."""

    fault: Fault
    rng: random.Random
    calls: int = 0
    applied: int = 0

    @property
    def is_spent(self) -> bool:
        return self.fault.times is not None and self.applied >= self.fault.times

    def applies(self) -> bool:
        """Count this call, and decide whether the fault applies to it."""
        self.calls += 1
        if self.is_spent or self.calls <= self.fault.after:
            return False
        if self.fault.probability < 1 and self.rng.random() >= self.fault.probability:
            return False
        self.applied += 1
        return True

    def shown(self) -> dict[str, Any]:
        """Its entry in `GET /_sandbox/faults`: the settings and the counts."""
        values = [(item, getattr(self.fault, item.name)) for item in fields(Fault)]
        asked = {item.name: value for item, value in values if item.name == "times" or value not in (item.default, {})}
        return {**asked, "calls": self.calls, "applied": self.applied, "waits": not self.is_spent}


class Faults:
    """The active faults, in the order they were added.

    Args:
        seed: Seed for faults without their own. None: a different one each time.
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
        """Return the first fault that applies to this call. The faults after it do not count the call.

        Args:
            route: Method and path template.
            paged: Whether the request has a cursor. `repeat_cursor` needs one.
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
        """The last faults that are used up, then the active ones."""
        return [value.shown() for value in (*self._spent, *self.waiting)]


def fault_from_json(value: Any) -> Fault:
    """Parse the body of `POST /_sandbox/faults`.

    Raises:
        ValueError: Not an object, an unknown field or kind, or an invalid value.
    """
    if not isinstance(value, dict) or not isinstance(value.get("route"), str):
        raise ValueError("A fault must be an object with at least route and kind.")
    if unknown := sorted(set(value) - {item.name for item in fields(Fault)}):
        raise ValueError(f'Unknown field "{unknown[0]}" of a fault.')
    try:
        return msgspec.convert(value, Fault)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
