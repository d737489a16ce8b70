"""Save the state of a served sandbox when it stops, however it is asked to stop."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dlt_authsignal.sandbox.sandbox import Sandbox


@contextmanager
def saved_at_exit(sandbox: Sandbox) -> Iterator[None]:
    """Save the state when the block ends: after a return, an error, Ctrl-C, or SIGTERM in the main thread.

    Without a state file, signals keep their meaning.

    Raises:
        ConfigurationError: The file cannot be written. The earlier file is unchanged.
    """
    if sandbox.state_file is None:
        yield
        return
    is_main = threading.current_thread() is threading.main_thread()
    if is_main:  # uvicorn stops at the signal, puts this handler back, and sends itself the signal again
        before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second signal must not end the saving
        try:
            sandbox.save()
        finally:
            if is_main:
                signal.signal(signal.SIGTERM, before)


def _stop(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
