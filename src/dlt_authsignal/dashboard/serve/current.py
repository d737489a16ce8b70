"""The newest figures: read again in the background when the data has changed."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from dlt_authsignal.dashboard.content.data.cubes import Progress, no_progress
from dlt_authsignal.dashboard.content.figures import PAGES, Figures
from dlt_authsignal.errors import AuthsignalError, RunFailed

_log: Final = logging.getLogger(__name__)

STOP_SECONDS: Final = 2.0
FIRST_SECONDS: Final = 600.0
"""How long a request for rows waits for the first figures."""


class Data(Protocol):
    """A dataset that is read from time to time.

    Attributes:
        pause: Seconds between two looks for newer data.
    """

    pause: float

    def state(self) -> object:
        """Return a value that changes with the data; None if it cannot be told."""

    def figures(self, progress: Progress = no_progress) -> Figures:
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
        in_background: Whether `start` reads the first figures, while pages say that they are being read. Otherwise they
            are read now.
    """

    def __init__(self, data: Data, *, in_background: bool = False) -> None:
        self._data = data
        self._read: object = None
        self._seen: object = None
        self._figures: Figures | None = None
        self.problem: Problem | None = None
        self.failure: BaseException | None = None
        self.progress = (0, 0)
        self._on_failure: Callable[[], None] = lambda: None
        self._ready = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dashboard-refresh", daemon=True)
        if not in_background:
            self._first()

    @property
    def is_ready(self) -> bool:
        """Whether the first figures were read."""
        return self._figures is not None

    @property
    def figures(self) -> Figures:
        """The newest figures. While the first ones are being read, this waits for them.

        Raises:
            RunFailed: The first figures could not be read.
        """
        self._ready.wait(FIRST_SECONDS)
        if self._figures is None:
            raise RunFailed("The figures of the dataset could not be read. The terminal with the dashboard says why.")
        return self._figures

    def start(self, on_failure: Callable[[], None] = lambda: None) -> None:
        """Begin to look for newer data, after the first figures if they were not read yet.

        Args:
            on_failure: Called when the first figures cannot be read; `failure` says why.
        """
        self._on_failure = on_failure
        self._thread.start()

    def _first(self) -> None:
        """Read the first figures. The first page is shown before the others are computed."""
        self._seen = self._read = self._data.state()
        figures = self._data.figures(self._tell)
        figures.document(page=next(iter(PAGES)))
        self._figures = figures
        self._ready.set()
        figures.warm()

    def _tell(self, done: int, steps: int) -> None:
        self.progress = (done, steps)

    def stop(self) -> None:
        """Stop looking. A read that is running is abandoned with the process."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        if not self.is_ready:
            try:
                self._first()
            except BaseException as error:  # the main thread raises it
                self.failure = error
                self._ready.set()
                self._on_failure()
                return
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
            figures.warm()
            self._read, self._figures, self.problem = state, figures, None


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
