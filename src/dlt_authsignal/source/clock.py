"""The clock that dates the reads of the configuration."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

Now = Callable[[], datetime]


def _present() -> datetime:
    return datetime.now(UTC)


_now: Now = _present


def now() -> datetime:
    """Return the time of a read, in UTC."""
    return _now()


@contextmanager
def dated_by(clock: Now) -> Iterator[None]:
    """Date the reads in the block by another clock: that of a sandbox, whose time is not this machine's.

    It applies to the whole process. The demo uses it, so that changes of the invented tenant's configuration are dated
    as its attempts are.
    """
    global _now
    before, _now = _now, clock
    try:
        yield
    finally:
        _now = before
