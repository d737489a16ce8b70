"""Keep a masked copy that is as new as the database, and remove it when it is no longer needed.

The copy is a file with mode 600 in a private folder. On Linux and macOS it loses its name when it is
complete: the server and its query processes keep it open, and the system deletes it when they end, even if they were
killed.
"""

import os
import secrets
import subprocess
import tempfile
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Final

from dlt_authsignal.assistant.masked_copy.make import fingerprint
from dlt_authsignal.assistant.process import Ended, ask, explained
from dlt_authsignal.errors import RunFailed
from dlt_authsignal.project.temporary_folders import remove_abandoned, temporary_folder

LONGEST: Final = 1800
"""Seconds after which a copy that is not complete is given up."""
PREFIX: Final = "authsignal-masked-"

_MAKE: Final = "dlt_authsignal.assistant.masked_copy.make"
_OPEN_FILES: Final = Path("/dev/fd")


@dataclass(frozen=True, kw_only=True, eq=False)
class Copy:
    """A complete copy. It is deleted when the last reference to it is dropped.

    Attributes:
        path: Path that this process and those that get `files` can open.
        files: File descriptors that a process needs for that path.
        made_from: Fingerprint of the database.
        overview: Rows, columns and age of each table, and the last syncs and loads.
    """

    path: str
    files: tuple[int, ...]
    made_from: list[list[int]]
    overview: dict[str, Any]


class MaskedCopies:
    """The newest copy of one database."""

    def __init__(self, database: Path, request: Callable[[], dict[str, Any]]) -> None:
        """Take the path of the database, and a function that returns the rest of the request for `make`."""
        self._database = database
        self._request = request
        self._lock = Lock()
        self._copy: Copy | None = None
        self._build: _Build | None = None

    def current(self, seconds: float) -> Copy:
        """Return a copy of the present database. Makes one if there is none, or if the database has changed.

        Raises:
            RunFailed: The copy is not complete after `seconds`; it continues to be made. Or it cannot be made.
        """
        with self._lock:
            if self._copy and self._copy.made_from == fingerprint(self._database):
                return self._copy
            if self._build is None:
                remove_abandoned(PREFIX)
                self._build = _Build(partial(_make, self._database, self._request()))
            build = self._build
        copy = build.wait(seconds)
        with self._lock:
            if self._build is build:
                self._build, self._copy = None, copy if isinstance(copy, Copy) else None
        if isinstance(copy, Copy):
            return copy
        raise copy


class _Build:
    """A copy that a thread makes, so that a query need not wait for all of it."""

    def __init__(self, make: Callable[[], Copy]) -> None:
        self._make = make
        self._done = Event()
        self._result: Copy | Exception
        Thread(target=self._run, daemon=True).start()

    def wait(self, seconds: float) -> Copy | Exception:
        """Return the copy or the error that prevented it."""
        if not self._done.wait(seconds):
            raise RunFailed(
                f"The masked copy of the database is not complete after {seconds:g} s. This happens after the first"
                " query and after each sync. Repeat the query in a minute."
            )
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._make()
        except Exception as error:
            self._result = error
        finally:
            self._done.set()


def _make(database: Path, request: dict[str, Any]) -> Copy:
    stack = ExitStack()
    folder = stack.enter_context(temporary_folder(PREFIX))
    file = folder / f"{secrets.token_hex(8)}.duckdb"
    try:
        made = ask(_MAKE, {**request, "database": str(database), "copy": str(file)}, seconds=LONGEST + request["wait"])
        if reason := made.get("failed"):
            raise explained(reason)
        return _opened(file, made, stack.close)
    except BaseException as error:
        stack.close()
        if isinstance(error, Ended | subprocess.TimeoutExpired):
            raise RunFailed(
                f"The masked copy of the database could not be made in {tempfile.gettempdir()}: the process that"
                f" makes it ran out of memory or took longer than {LONGEST} s. The database was not changed."
            ) from None
        raise


def _opened(file: Path, made: dict[str, Any], remove: Callable[[], None]) -> Copy:
    path, files = str(file), tuple[int, ...]()
    if _OPEN_FILES.is_dir():
        descriptor = os.open(file, os.O_RDONLY)
        path, files = f"{_OPEN_FILES}/{descriptor}", (descriptor,)
        remove()
        remove = partial(os.close, descriptor)
    copy = Copy(path=path, files=files, made_from=made["fingerprint"], overview=made["overview"])
    weakref.finalize(copy, remove)
    return copy
