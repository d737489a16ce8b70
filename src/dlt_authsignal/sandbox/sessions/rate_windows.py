"""Count how often codes are sent and tried, in sliding windows of the sandbox's clock."""

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta


class Windows:
    """Times of events, by key."""

    def __init__(self, moments: Mapping[tuple[str, ...], Iterable[datetime]] | None = None) -> None:
        self._moments = {key: deque(times) for key, times in (moments or {}).items()}

    def copy(self) -> "Windows":
        return Windows(self._moments)

    def moments(self) -> list[tuple[tuple[str, ...], list[datetime]]]:
        """Return the times by key."""
        return [(key, list(moments)) for key, moments in self._moments.items()]

    def allow(self, key: tuple[str, ...], now: datetime, *, limit: int, minutes: float) -> bool:
        """Count an event unless there were `limit` in the last `minutes`. Return whether it was counted."""
        moments = self._moments.setdefault(key, deque())
        while moments and moments[0] <= now - timedelta(minutes=minutes):
            moments.popleft()
        if len(moments) >= limit:
            return False
        moments.append(now)
        return True
