"""Count how often codes are sent and tried, in sliding windows of the sandbox's clock."""

from collections import deque
from datetime import datetime, timedelta


class Windows:
    """Times of events, by key."""

    def __init__(self) -> None:
        self._moments: dict[tuple[str, ...], deque[datetime]] = {}

    def copy(self) -> "Windows":
        other = Windows()
        other._moments = {key: moments.copy() for key, moments in self._moments.items()}
        return other

    def allow(self, key: tuple[str, ...], now: datetime, *, limit: int, minutes: float) -> bool:
        """Count an event unless there were `limit` in the last `minutes`. Return whether it was counted."""
        moments = self._moments.setdefault(key, deque())
        while moments and moments[0] <= now - timedelta(minutes=minutes):
            moments.popleft()
        if len(moments) >= limit:
            return False
        moments.append(now)
        return True
