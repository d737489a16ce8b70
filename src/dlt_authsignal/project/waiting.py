"""How long to wait for a DuckDB file that another program has open. Standard library only.

A command sets the time for its process with `wait_at_most`; `sync(…, wait=…)` sets it for one file.
"""

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from dlt_authsignal.errors import ConfigurationError

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 1.0
REPORT_EVERY: Final = 10.0
"""Seconds between two progress lines."""


_HOLDER: Final = re.compile(r"Conflicting lock is held in (.+?) \(PID (\d+)\)(?: by user ([^\s.]+))?")
_SPAN: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([smhd]?)")
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_FILE: Final = re.compile(r'Could not set lock on file "([^"]+)"')
_LOCKED: Final = "Could not set lock on file"

Say = Callable[[str], None]
Result = TypeVar("Result")


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


@dataclass(frozen=True)
class Waiting:
    """Maximum seconds to wait, and where progress lines go."""

    seconds: float = 0.0
    say: Say = _to_stderr


_BY_FILE: Final[dict[Path, Waiting]] = {}
_OF_PROCESS: Final[list[Waiting]] = [Waiting()]


def wait_at_most(seconds: float, say: Say = _to_stderr) -> None:
    """Set the wait of every DuckDB file in this process."""
    _OF_PROCESS[0] = Waiting(seconds, say)


def is_set() -> bool:
    """Whether a wait is set for this process."""
    return _OF_PROCESS[0].seconds > 0


@contextmanager
def waiting_for(file: Path | None, seconds: float | None, say: Say = _to_stderr) -> Iterator[None]:
    """Set the wait of one DuckDB file until the block ends; None changes nothing."""
    if file is None or seconds is None:
        yield
        return
    before = _BY_FILE.get(file)
    _BY_FILE[file] = Waiting(seconds, say)
    try:
        yield
    finally:
        if before is None:
            del _BY_FILE[file]
        else:
            _BY_FILE[file] = before


def wait_of(file: Path) -> Waiting:
    """Return the wait that is set for a file."""
    return _BY_FILE.get(file, _OF_PROCESS[0])


def seconds_of(wait: str | float | None) -> float | None:
    """Return a wait in seconds: a number of them, or text such as `60s`, `5m` or `1h`.

    Raises:
        ConfigurationError: It is neither, or longer than a day.
    """
    if wait is None:
        return None
    found = _SPAN.fullmatch(str(wait).strip())
    seconds = float(found[1]) * _UNITS[found[2] or "s"] if found else -1.0
    if not 0 <= seconds <= _UNITS["d"]:
        raise ConfigurationError(f"wait is {str(wait)!r}. Use a time of at most one day: 60s, 5m, 1h.")
    return seconds


def is_locked(error: BaseException) -> bool:
    """Whether DuckDB refused a file because another program has it open."""
    return _LOCKED in str(error)


def holder(message: str) -> str:
    """Return the program and PID that DuckDB's message names, such as `python3.11 (PID 71)`."""
    found = _HOLDER.search(message)
    if found is None:
        return "one that DuckDB cannot name"
    return f"{Path(found[1]).name} (PID {found[2]}{f', user {found[3]}' if found[3] else ''})"


def opened(file: Path, open_: Callable[[], Result], user_of: Callable[[BaseException], str | None]) -> Result:
    """Call `open_` until it succeeds, waiting at most as long as is set for the file.

    Args:
        file: The DuckDB file.
        open_: Opens or locks the file.
        user_of: Returns who uses the file, from a failure; None if waiting cannot help.

    Raises:
        Exception: The last failure of `open_`.
    """
    waiting, started = wait_of(file), time.monotonic()
    reported, pause = -REPORT_EVERY, FIRST_PAUSE
    while True:
        try:
            return open_()
        except Exception as error:
            user, passed = user_of(error), time.monotonic() - started
            if user is None or passed >= waiting.seconds:
                raise
        if passed - reported >= REPORT_EVERY:
            reported = passed
            waiting.say(
                f"{file.name} is in use by {user}. Waiting for it, at most {waiting.seconds - passed:.0f} s more."
            )
        time.sleep(min(pause, waiting.seconds - passed))
        pause = min(LONGEST_PAUSE, 2 * pause)


def user_of(error: BaseException) -> str | None:
    """Return the program that has the file open, from DuckDB's error; None for other errors."""
    return holder(str(error)) if is_locked(error) else None


def in_use(message: str) -> str:
    """Return the error for a file that is open elsewhere, from DuckDB's message."""
    found = _FILE.search(message)
    file = f"The DuckDB file {found[1]}" if found else "The DuckDB file"
    return (
        f"{file} is open in another program: {holder(message)}. Close it there and run again, or pass"
        ' --wait 60s to wait for it; in Python: sync(pipeline, wait="60s").'
    )
