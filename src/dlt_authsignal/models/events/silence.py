"""Compare silences of the webhooks with how many deliveries are usual at that hour of the week.

The usual number of an hour of the week is the median of that hour in the last weeks, or with fewer than two such hours,
the median of all hours. An hour counts as at most 60 deliveries, so that a burst, such as an import, is not usual.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final

HOUR: Final = timedelta(hours=1)
MOST_AN_HOUR: Final = 60
LEAST_HISTORY: Final = timedelta(days=1)
"""With less history than this, no number of deliveries is usual."""

ALARMING: Final = 10.0
"""With this many deliveries expected, a silence is a chance of less than 1 in 20,000."""


@dataclass(frozen=True, kw_only=True)
class Silence:
    """A time without deliveries.

    Attributes:
        since: The last delivery before it.
        until: The first delivery after it; the present if it goes on.
        usual_deliveries: Deliveries that are usual in these hours of the week; None if there is too little history.
        goes_on: Whether there was no delivery since.
    """

    since: datetime
    until: datetime
    usual_deliveries: float | None
    goes_on: bool = False

    @property
    def is_alarming(self) -> bool:
        """Return whether the webhook may be, or have been, off."""
        return self.usual_deliveries is not None and self.usual_deliveries >= ALARMING


class Rhythm:
    """The usual number of deliveries by hour of the week.

    Args:
        deliveries: Number of deliveries by the start of their hour; hours without deliveries may be missing.
        until: End of the last hour that counts.
    """

    def __init__(self, deliveries: Mapping[datetime, int], until: datetime) -> None:
        self._first = min(deliveries, default=until)
        self._until = until
        every = {hour: min(deliveries.get(hour, 0), MOST_AN_HOUR) for hour in _hours(self._first, until)}
        self._by_hour: dict[int, list[int]] = defaultdict(list)
        for hour, count in every.items():
            self._by_hour[_hour_of_week(hour)].append(count)
        self._median = median(every.values()) if every else 0.0

    def expected(self, since: datetime, until: datetime) -> float | None:
        """Return how many deliveries are usual between two times; None if there is too little history."""
        if self._until - self._first < LEAST_HISTORY:
            return None
        return sum(
            self._usual(hour) * ((min(until, hour + HOUR) - max(since, hour)) / HOUR)
            for hour in _hours(since.replace(minute=0, second=0, microsecond=0), until)
        )

    def _usual(self, hour: datetime) -> float:
        seen = self._by_hour.get(_hour_of_week(hour), [])
        return median(seen) if len(seen) > 1 else self._median


def most_unusual(
    gaps: Iterable[tuple[datetime, datetime]], deliveries: Mapping[datetime, int], now: datetime
) -> tuple[Silence | None, Silence | None]:
    """Return the most unusual silence among some gaps, and the present silence. Each is None without deliveries."""
    times = [(since.astimezone(UTC), until.astimezone(UTC)) for since, until in gaps]
    rhythm = Rhythm(deliveries, now)
    past = [Silence(since=a, until=b, usual_deliveries=rhythm.expected(a, b)) for a, b in times]
    longest = max(past, key=lambda one: (one.usual_deliveries or 0.0, one.until - one.since), default=None)
    last = max((until for _, until in times), default=max(deliveries, default=None))
    if last is None or last > now:
        return longest, None
    return longest, Silence(since=last, until=now, usual_deliveries=rhythm.expected(last, now), goes_on=True)


def _hours(first: datetime, until: datetime) -> Iterator[datetime]:
    hour = first
    while hour < until:
        yield hour
        hour += HOUR


def _hour_of_week(hour: datetime) -> int:
    return hour.weekday() * 24 + hour.hour
