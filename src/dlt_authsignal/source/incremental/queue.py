"""Users who are due, in the order in which they became so, in a room that does not grow."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from dlt_authsignal.source.incremental.due import ReadRequest
from dlt_authsignal.source.user_ids import Candidate

MOST_WAITING: Final = 200_000


@dataclass(kw_only=True)
class BoundedQueue:
    """Keeps those who have waited longest, in some 600 bytes each.

    Attributes:
        size: How many it keeps; of more, those of the highest rank are turned away.
        turned_away: How many were.
    """

    size: int = MOST_WAITING
    turned_away: int = 0
    _heap: list[tuple[int, int, bytes]] = field(default_factory=list)
    _number: int = 0

    def __len__(self) -> int:
        return len(self._heap)

    def enter(self, rank: int, candidate: Candidate) -> None:
        """Takes a user in, or the one in their place who has waited least away. Of equals, the first stays."""
        self._number += 1
        entry = (-rank, -self._number, msgspec.msgpack.encode(candidate))
        if len(self._heap) < self.size:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)
            self.turned_away += 1

    def leave(self) -> Iterator[Candidate]:
        """Everybody, whoever has waited longest first; the room is empty afterwards."""
        waiting = sorted(self._heap)
        self._heap = []
        while waiting:
            yield msgspec.msgpack.decode(waiting.pop()[2], type=Candidate)


@dataclass(kw_only=True)
class Budget:
    """What one run may spend on users.

    Attributes:
        max_requests: Requests, the list's included; None for any number.
        max_seconds: Seconds for reading users, from when the first of them is begun; None for any number.
        clock: Seconds, from anywhere.
        promised: Requests that users begun may still take.
    """

    max_requests: int | None = None
    max_seconds: float | None = None
    clock: Callable[[], float]
    promised: int = 0
    _began: float | None = None

    @property
    def is_limited(self) -> bool:
        return self.max_requests is not None or self.max_seconds is not None

    def begin(self, ask: ReadRequest, requests_made: int) -> bool:
        """Whether one more user can be begun; if so, what they can take is set aside."""
        now = self.clock()
        if self._began is None:
            self._began = now
        if self.max_seconds is not None and now - self._began >= self.max_seconds:
            return False
        if self.max_requests is not None and requests_made + self.promised + ask.most_requests > self.max_requests:
            return False
        self.promised += ask.most_requests
        return True

    def end(self, ask: ReadRequest) -> None:
        """A user has been read: what they took is among the requests made."""
        self.promised -= ask.most_requests
