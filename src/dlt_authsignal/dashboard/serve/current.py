"""The newest figures: read again in the background when the data has changed."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from dlt_authsignal.dashboard.content.figures import Figures
from dlt_authsignal.errors import AuthsignalError

_log: Final = logging.getLogger(__name__)

STOP_SECONDS: Final = 2.0


class Data(Protocol):
    """A dataset that is read from time to time.

    Attributes:
        pause: Seconds between two looks for newer data.
    """

    pause: float

    def state(self) -> object:
        """Return a value that changes with the data; None if it cannot be told."""

    def figures(self) -> Figures:
        """Read the figures."""


@dataclass(frozen=True)
class Problem:
    """Why newer data could not be read.

    Attributes:
        at: When it was tried.
        reason: One sentence.
    """

    at: datetime
    reason: str


class Current:
    """Keeps the newest figures.

    Data that is still being written changes between two looks, so it is read when two looks find the same.

    Args:
        data: The dataset.
    """

    def __init__(self, data: Data) -> None:
        self._data = data
        self._read: object = data.state()
        self._seen: object = self._read
        self.figures = data.figures()
        self.problem: Problem | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dashboard-refresh", daemon=True)

    def start(self) -> None:
        """Begin to look for newer data."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking. A read that is running is abandoned with the process."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopped.wait(self._data.pause):
            self.look()

    def look(self) -> None:
        """Look once, and read data that has changed since it was read and is the same as at the last look."""
        reason = _reason(self._look)
        if reason is not None:
            self.problem = Problem(at=datetime.now(UTC), reason=reason)

    def _look(self) -> None:
        state = self._data.state()
        is_steady, self._seen = state == self._seen, state
        if state == self._read:
            self.problem = None
        if state is None or state == self._read or not is_steady:
            return
        figures = self._data.figures()
        if self._data.state() == state:  # else it was read while it changed
            self._read, self.figures, self.problem = state, figures, None


def _reason(look: Callable[[], None]) -> str | None:
    """Return why a look failed; None if it did not. The earlier figures stay."""
    try:
        look()
    except AuthsignalError as error:
        return str(error)
    except Exception as error:  # the next look tries again
        _log.warning("The dashboard could not read newer data: %s", type(error).__name__)
        return f"Newer data could not be read ({type(error).__name__})."
    return None
