"""A bounded queue of due users, ordered by the time when they became due, and the budget of a run."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from dlt_authsignal.source.incremental.due import ReadRequest
from dlt_authsignal.source.privacy.policy import StoredId
from dlt_authsignal.source.user_ids import Candidate

MOST_WAITING: Final = 200_000


@dataclass(kw_only=True)
class BoundedQueue:
    """A queue that keeps the users who have waited longest, with about 600 bytes each.

    Attributes:
        size: Maximum number of users. If there are more, those with the highest rank are dropped.
        turned_away: Number of dropped users.
    """

    size: int = MOST_WAITING
    turned_away: int = 0
    _heap: list[tuple[int, int, bytes]] = field(default_factory=list)
    _number: int = 0

    def __len__(self) -> int:
        return len(self._heap)

    def enter(self, rank: int, candidate: Candidate) -> None:
        """Add a user. If the queue is full, drop the one who has waited least; of equal ones, the last."""
        self._number += 1
        entry = (-rank, -self._number, packed(candidate))
        if len(self._heap) < self.size:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)
            self.turned_away += 1

    def leave(self) -> Iterator[Candidate]:
        """Remove and yield all users, longest wait first."""
        waiting = sorted(self._heap)
        self._heap = []
        while waiting:
            yield unpacked(waiting.pop()[2])


def packed(candidate: Candidate) -> bytes:
    """Return a candidate as bytes."""
    is_stored = isinstance(candidate.user_id, StoredId)
    return msgspec.msgpack.encode((is_stored, candidate), enc_hook=str)  # the hook makes a StoredId plain text


def unpacked(data: bytes) -> Candidate:
    """Return a candidate from its bytes."""
    is_stored, candidate = msgspec.msgpack.decode(data, type=tuple[bool, Candidate])
    return msgspec.structs.replace(candidate, user_id=StoredId(candidate.user_id)) if is_stored else candidate


@dataclass(kw_only=True)
class Budget:
    """The requests and time that one run may use for users.

    Attributes:
        max_requests: Maximum number of requests, those for the user list included; None for no limit.
        max_seconds: Seconds for reading users, counted from the start of the first user; None for no limit.
        clock: Monotonic clock in seconds.
        promised: Requests reserved for users whose reading has started.
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
        """Return whether one more user can be started, and if so, reserve the user's requests."""
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
        """Release the reservation of a user who has been read."""
        self.promised -= ask.most_requests
