"""The sandbox's clock and its id makers."""

import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

IdMaker = Callable[[], str]

LAST_MOMENT: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""The clock must stay before this: lifetimes are added to it."""


class Clock:
    """A clock that runs at normal speed from a given start, and can be moved forward or stopped.

    Args:
        start: Time at which it starts, in UTC. Default: the present.
        frozen: Whether it stands still.
    """

    def __init__(self, start: datetime | None = None, *, frozen: bool = False) -> None:
        self._start = start or datetime.now(UTC)
        self._since: float | None = None if frozen else monotonic()
        self._moved = timedelta()

    def now(self) -> datetime:
        passed = timedelta(seconds=monotonic() - self._since) if self._since is not None else timedelta()
        return self._start + self._moved + passed

    def now_to_the_second(self) -> datetime:
        """Return the time without its fraction. Seeded data must not depend on the start-up time."""
        return self.now().replace(microsecond=0)

    @property
    def is_frozen(self) -> bool:
        return self._since is None

    def advance(
        self, by: timedelta = timedelta(), *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0
    ) -> None:
        """Move time forward by the sum of the arguments.

        Raises:
            ValueError: The sum is negative, or leads past the year 9000.
        """
        try:
            by += timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)
            fits = self.now() + by < LAST_MOMENT
        except OverflowError:
            fits = False
        if not fits:
            raise ValueError(f"The clock cannot move past the year {LAST_MOMENT.year}")
        if by < timedelta():
            raise ValueError(f"The clock only moves forward, got {by}")
        self._moved += by

    def show(self, moment: datetime) -> None:
        """Set the time, forward or back. The clock runs on, or stays stopped."""
        self._start, self._moved = moment, timedelta()
        self._since = None if self.is_frozen else monotonic()

    def freeze(self) -> None:
        """Stop time. `advance` still moves it."""
        self._start, self._moved, self._since = self.now(), timedelta(), None

    def resume(self) -> None:
        """Let time run again."""
        if self._since is None:
            self._since = monotonic()


def iso(moment: datetime) -> str:
    """Format a time as Authsignal does: ISO 8601 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def in_utc(moment: datetime) -> datetime:
    """Return the time in UTC. A time without an offset is in UTC already."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def to_the_millisecond(moment: datetime) -> datetime:
    """Truncate a time to milliseconds, as the API does."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def random_ids() -> str:
    """Return a new UUID."""
    return str(uuid.uuid4())


def seeded_ids(rng: random.Random) -> IdMaker:
    """Return a maker of UUIDs that follow from the generator's seed."""
    return lambda: str(uuid.UUID(int=rng.getrandbits(128), version=4))
