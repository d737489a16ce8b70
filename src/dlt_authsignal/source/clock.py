"""The clock that dates the reads of the configuration."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

Now = Callable[[], datetime]


class _Clock:
    """The clock of this process."""

    now: Now = staticmethod(lambda: datetime.now(UTC))


def now() -> datetime:
    """Return the time of a read, in UTC."""
    return _Clock.now()


@contextmanager
def dated(moment: datetime) -> Iterator[None]:
    """Date the reads in the block: at a time of a sandbox, whose clock is not this machine's.

    It applies to the whole process. The demo uses it, so that changes of the invented tenant's configuration are dated
    as its attempts are.
    """
    before = _Clock.now
    _Clock.now = staticmethod(lambda: moment)
    try:
        yield
    finally:
        _Clock.now = staticmethod(before)
