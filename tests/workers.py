"""The worker processes of a sync, for tests that look at them or end them."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psutil

STARTED_WITH: Final = "dlt_authsignal.source.workers.worker"
WITHIN: Final = 60.0


def workers_of(parent: int) -> list[int]:
    """Processes that read users for a process."""
    return [child.pid for child in psutil.Process(parent).children() if STARTED_WITH in _command(child)]


def wait_for(what: Callable[[], object], within: float = WITHIN) -> None:
    """Wait until something is true."""
    until = time.monotonic() + within
    while not what():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


@contextmanager
def killing(times: int, when: Callable[[], bool] = lambda: True) -> Iterator[list[int]]:
    """Kill so many workers of this process while the block runs, each as soon as `when` is true; yield those killed."""
    killed: list[int] = []
    done = threading.Event()

    def kill() -> None:
        until = time.monotonic() + WITHIN
        while len(killed) < times and time.monotonic() < until and not done.wait(0.01):
            for pid in workers_of(os.getpid()) if when() else ():
                if pid not in killed and len(killed) < times:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        killed.append(pid)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        done.set()
        thread.join(WITHIN)
