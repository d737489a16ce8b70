"""The log of the requests that the sandbox has received."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, Final

LOG_LENGTH: Final = 10_000


@dataclass
class RequestLog:
    """The last requests, and counters over all of them."""

    entries: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=LOG_LENGTH))
    by_route: Counter[str] = field(default_factory=Counter)
    by_status: Counter[int] = field(default_factory=Counter)
    in_flight: int = 0
    most_in_flight: int = 0

    def begin(self) -> None:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def add(self, at: str, route: str, status: int) -> None:
        self.entries.append({"at": at, "route": route, "status": status})
        self.by_route[route] += 1
        self.by_status[status] += 1
        self.in_flight -= 1

    def shown(self) -> dict[str, Any]:
        """The response of `GET /_sandbox/requests`: counters over all requests, and the last hundred requests."""
        return {
            "total": sum(self.by_route.values()),
            "mostInFlight": self.most_in_flight,
            "byRoute": dict(sorted(self.by_route.items())),
            "byStatus": {str(status): count for status, count in sorted(self.by_status.items())},
            "last": list(self.entries)[-100:],
        }

    def clear(self) -> None:
        self.entries.clear()
        self.by_route.clear()
        self.by_status.clear()
        self.most_in_flight = self.in_flight
