"""The queue of webhook events, and the waits after a failure.

Authsignal documents which events are retried, but not the waits. Assumed: 30 s, doubling up to an hour, for log events;
30 s for authenticator events.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final

from dlt_authsignal.api.webhooks import LOG_TYPES

Json = dict[str, Any]

QUEUE_LENGTH: Final = 100_000
AUTHENTICATOR_RETRIES: Final = 3
FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(hours=1)
DOUBLINGS: Final = 7
"""After this many, the longest wait is reached."""


@dataclass(kw_only=True, slots=True)
class Pending:
    """A queued event. `make` returns its payload when it is first due, None if the data was deleted.

    `is_drawn` says that faults which drop or delay events have had their chance, `is_sent` that a delivery with it was
    accepted.
    """

    type: str
    time: datetime
    make: Callable[[], Json | None]
    attempts: int = 0
    envelope: Json | None = None
    is_drawn: bool = False
    is_sent: bool = False

    @property
    def is_log(self) -> bool:
        return self.type in LOG_TYPES


class Queue:
    """Queued events by due time. A full queue drops further events and counts them."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Pending]] = []
        self._places = count()
        self._lock = threading.Lock()
        self.lost = 0

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, due: datetime, pending: Pending) -> None:
        with self._lock:
            if len(self._heap) >= QUEUE_LENGTH:
                self.lost += 1
            else:
                heappush(self._heap, (due, next(self._places), pending))

    def take_due(self, now: datetime) -> list[Pending]:
        with self._lock:
            taken = []
            while self._heap and self._heap[0][0] <= now:
                taken.append(heappop(self._heap)[2])
            return taken


def next_wait(pending: Pending) -> timedelta | None:
    """Return the wait until the next attempt, None if there is no further attempt."""
    if pending.is_log:
        return min(LONGEST_WAIT, FIRST_WAIT * (1 << min(pending.attempts - 1, DOUBLINGS)))
    return FIRST_WAIT if pending.attempts <= AUTHENTICATOR_RETRIES else None
