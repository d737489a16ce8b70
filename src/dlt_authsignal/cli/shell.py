"""Commands and places, spelled so that they work from here."""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click


def runnable(program: str) -> str:
    """`program` where it is on the path and is this installation's, else its path from here."""
    mine = Path(sys.executable).with_name(program)
    found = shutil.which(program)
    if not mine.exists() or (found and Path(found).parent == mine.parent):
        return program
    return os.path.relpath(mine)


def counted(count: int, thing: str) -> str:
    """`1 request`, `2,009 requests`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def place(destination: str, location: str) -> str:
    """The DuckDB file, short when it is in this folder; elsewhere what dlt calls the place."""
    if destination != "duckdb":
        return location
    path = Path(location.removeprefix("duckdb:///"))
    return path.name if path.parent == Path.cwd() else str(path)


@contextmanager
def stoppable(said: str, *, patient: bool = False) -> Iterator[None]:
    """Lets Ctrl-C, and SIGTERM as a scheduler's, end the block with exit code 1 and those words.

    Args:
        said: What a stop means.
        patient: Ignore a second stop: what has to be undone is being undone.
    """

    def stop(*_: Any) -> None:
        if patient:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    with signals_handled(stop, "SIGINT", "SIGTERM"):
        try:
            yield
        except KeyboardInterrupt:
            click.echo(f"\nStopped. {said}", err=True)
            raise click.exceptions.Exit(1) from None


@contextmanager
def signals_handled(handler: Callable[..., Any], *names: str) -> Iterator[None]:
    """Handle those signals, as far as this system has them, and give them back to whoever handled them before."""
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            # None: handled by code that is not Python's, which only C could put back
            signal.signal(number, signal.SIG_DFL if earlier is None else earlier)


def quieten_dlt() -> None:
    """Set dlt's defaults for a command, whose process is ours: no usage reports, and errors only in the log.

    Call it before dlt is imported. What the environment says stays.
    """
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")  # dlt warns of every column that stayed empty
