"""What all workers of a sync have in common: the rate, the counters, and the decisions about undeclared columns."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.workers.agreement import Decisions
from dlt_authsignal.source.workers.messages import Pace, Progress, Question, Refused, Shaped, drift_of

MOST_POSITIONS: Final = 20
LISTING: Final = 0.1
"""Part of the rate for reading the user list meanwhile, compared with the part of a worker. A page of the list names
enough users for hundreds of requests."""

_QUESTIONS: Final = frozenset({"column", "kind", "hash_from_now", "words_with", "news"})


@dataclass(kw_only=True)
class Common:
    """One object for all workers. Its methods are called in one thread.

    Attributes:
        throttle: The rate limiter of the key. It sees the responses of all processes, as it would in one.
        meter: Counters of the run.
        decisions: Decisions about undeclared columns.
    """

    throttle: RateLimiter
    meter: RunMetrics
    decisions: Decisions
    _told: Pace | None = None
    _working: dict[object, Callable[[Pace], None]] = field(default_factory=dict)
    _waiting: dict[object, int] = field(default_factory=dict)

    def join(self, worker: object, tell: Callable[[Pace], None]) -> None:
        """Give a worker a part of the rate; `tell` sends it each change."""
        if worker not in self._working:
            self._working[worker] = tell
            self._told = None
            self.share()

    def leave(self, worker: object) -> None:
        """Give the part of a worker without work to the others."""
        self._working.pop(worker, None)
        self.waits(worker, 0)
        self.share()

    def share(self) -> None:
        """Tell each worker its part of the rate, if it has changed.

        Workers with something to read have equal parts. While this process reads the user list, it has a small one.
        """
        parts = len(self._working) + (0.0 if self.meter.user_ids_complete else LISTING)
        self.throttle.share = (parts - len(self._working)) / parts if self._working else 1.0
        rate = self.throttle.whole_rate
        pace = Pace(rate=None if rate is None else rate / parts, held_until=self.throttle.held_until) if parts else None
        if pace is None or pace == self._told:
            return
        self._told = pace
        for tell in self._working.values():
            tell(pace)

    def progress(self, worker: object, message: Progress) -> None:
        """Record what a worker has sent and received."""
        for now, seconds in message.served:
            self.throttle.served(now, seconds)
        for name, count in message.counters.items():
            setattr(self.meter, name, getattr(self.meter, name) + count)
        self.meter.errors.update(message.errors)
        self.waits(worker, message.waiting)
        self.share()

    def refused(self, message: Refused) -> None:
        """Record a 429 response. If a limit caused it, all processes wait and then send less."""
        self.throttle.refused(message.now, message.sent_at, message.pause)
        self.share()

    def waits(self, worker: object, count: int) -> None:
        """Record how many requests of a worker wait because a response asked for a pause."""
        before = self._waiting.pop(worker, 0)
        self.meter.waiting += count - before
        if count:
            self._waiting[worker] = count

    def answer(self, question: Question) -> Any:
        """Return the answer to a worker's question.

        Raises:
            ValueError: There is no such question.
        """
        if question.about not in _QUESTIONS:
            raise ValueError(question.about)
        return getattr(self.decisions, question.about)(*question.arguments)

    def done(self, shaped: Shaped) -> None:
        """Record the result of a slice."""
        self.meter.users_read += shaped.users
        self.meter.unknown_users += shaped.unknown
        room = MOST_POSITIONS - len(self.meter.unknown_positions)
        self.meter.unknown_positions += shaped.positions[:room]
        for table, found in shaped.drift.items():
            self.meter.drift.of(table).add(drift_of(found))
