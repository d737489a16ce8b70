"""How many workers read, and from how many users on."""

import os
import sys
from typing import Final

LEAST_RATE: Final = 200.0
"""Requests per second from which one process may not keep up: below it, this process reads alone."""

MOST_CHOSEN: Final = 8
USERS_WORTH_WORKERS: Final = 10_000
"""Due users from which the start of processes pays, if the number of workers is chosen."""


def chosen_workers(wanted: int | None, rate: float | None, concurrency: int) -> int:
    """Return the number of processes that read.

    Args:
        wanted: The setting; None to choose by rate and cores.
        rate: Maximum requests per second; None for no limit.
        concurrency: Maximum requests in flight: each worker has at least one, and so has the reading of the user list.
    """
    if not sys.executable:  # Python is part of another program, so it cannot be started again
        return 1
    if wanted is not None:
        return max(1, min(wanted, concurrency - 1))
    if rate is not None and rate < LEAST_RATE:
        return 1
    by_rate = MOST_CHOSEN if rate is None else int(rate // LEAST_RATE) + 1
    return max(1, min(cores(), by_rate, MOST_CHOSEN, concurrency // 2))


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def parts(concurrency: int, workers: int) -> list[int]:
    """Return the requests in flight of each worker: as many as allowed together, and at least one each."""
    each, more = divmod(max(concurrency, workers), workers)
    return [each + (number < more) for number in range(workers)]
