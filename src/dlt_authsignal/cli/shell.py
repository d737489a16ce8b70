"""What a command does when it is stopped."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click


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
