"""Wake the main thread for signals that another thread has received."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_PAUSES: Final = (0.0, 0.1, 0.5)
"""Seconds before each attempt. The main thread may be on its way to sleep at the first one."""

_END: Final = b"\0"


@contextmanager
def main_thread_woken() -> Iterator[None]:
    """Wake the main thread for each signal that arrives during the block.

    Python runs handlers in the main thread only. But if two signals arrive together, Linux may give both to another
    thread. Then the main thread would go on waiting, and handle them only after that.
    """
    if not hasattr(signal, "pthread_kill"):  # Windows, where Ctrl-C wakes the main thread
        yield
        return
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    earlier_handler = signal.signal(signal.SIGURG, _nothing)
    earlier_fd = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    waker = threading.Thread(target=_wake, args=(read_end, threading.get_ident()), name="signals", daemon=True)
    waker.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(earlier_fd)
        os.write(write_end, _END)
        waker.join()
        signal.signal(signal.SIGURG, signal.SIG_DFL if earlier_handler is None else earlier_handler)
        os.close(read_end)
        os.close(write_end)


def _wake(read_end: int, thread: int) -> None:
    """Interrupt what a thread waits for, for each signal whose number is in the pipe."""
    while (number := os.read(read_end, 1)) != _END:
        for pause in _PAUSES if number[0] != signal.SIGURG else ():
            time.sleep(pause)
            signal.pthread_kill(thread, signal.SIGURG)


def _nothing(*_: Any) -> None:
    """Do nothing: a signal without a handler would not interrupt the main thread."""
