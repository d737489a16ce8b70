"""Processes that open the data. They get no environment variables that may contain keys, and end with their parent."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any, Final

from dlt_authsignal.assistant.values import marked, shortened
from dlt_authsignal.errors import AuthsignalError, QueryRefused, RunFailed
from dlt_authsignal.project.waiting import holder

KEPT_ENVIRONMENT: Final = ("PATH", "PYTHONPATH", "SYSTEMROOT", "TMPDIR", "TEMP", "LD_LIBRARY_PATH", "LANG")
"""The only environment variables that such a process gets: others may contain keys."""
ADDRESS_SPACE: Final = 4 << 30
CLOSED: Final[dict[str, str | bool | int | float | list[str]]] = {
    "memory_limit": "1GB",
    "threads": 2,
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}
"""DuckDB's settings in these processes."""

_POSIX: Final = os.name == "posix"


class Ended(Exception):
    """The process ended without an answer."""


def ask(module: str, request: dict[str, Any], *, seconds: float, files: Sequence[int] = ()) -> dict[str, Any]:
    """Start `python -m module`, send it the request as JSON, and return its answer.

    Args:
        module: Module whose process calls `read_request` first.
        request: The request.
        seconds: Time limit. The process is killed then.
        files: Open file descriptors that the process keeps.

    Raises:
        TimeoutExpired: The process took longer than `seconds`.
        Ended: The process ended without an answer.
    """
    alive, ours = os.pipe()  # its end tells the process that this one has ended, in whatever way
    try:
        done = subprocess.run(  # noqa: S603 - a module of this package
            [sys.executable, "-m", module],
            input=json.dumps({**request, "alive": alive if _POSIX else None}),
            capture_output=True,
            encoding="utf-8",
            timeout=seconds,
            check=False,
            pass_fds=(alive, *files) if _POSIX else (),
            env={name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ},
        )
    finally:
        os.close(ours)
        os.close(alive)
    if done.returncode:
        raise Ended(f"The process ended with {done.returncode}.")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def read_request() -> dict[str, Any]:
    """Return the request that the parent sent, in a process that `ask` started. Limits the process's memory."""
    request: dict[str, Any] = json.load(sys.stdin)
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    return request


def end_with_parent(request: dict[str, Any], clean_up: Callable[[], object] = lambda: None) -> None:
    """End this process when its parent ends, also when the parent was killed."""
    if request["alive"] is None:
        return

    def wait() -> None:
        os.read(request["alive"], 1)
        clean_up()
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def explained(reason: str) -> AuthsignalError:
    """Return the error for a message of DuckDB."""
    if "Could not set lock on file" in reason:
        return RunFailed(
            f"Another program is writing to the database: {holder(reason)}. Repeat the query when it has ended, or"
            " start the server with --wait 60s."
        )
    if reason.startswith("Out of Memory"):
        return RunFailed("The query needs too much memory. Select fewer rows or columns.")
    if "No space left" in reason or "Could not write" in reason:
        return RunFailed(
            f"There is no space for the masked copy of the database in {tempfile.gettempdir()}. It needs about as much"
            " as the database. Free some, or set TMPDIR to another folder and start the server again."
        )
    return QueryRefused(f"DuckDB reports an error. {marked(shortened(reason))}")


def forbid_writing() -> None:
    """Forbid this process to write files."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
