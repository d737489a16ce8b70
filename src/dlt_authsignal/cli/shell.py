"""Handle signals, and set dlt's defaults for a command."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from dlt_authsignal.cli.waking import main_thread_woken


@contextmanager
def stoppable(effect: str, *, patient: bool = False) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the block with exit code 1 and a message.

    Args:
        effect: Sentence on what the stop has changed.
        patient: Ignore a second stop while changes are being undone.
    """

    def stop(*_: Any) -> None:
        if patient:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, _ignore)
        raise KeyboardInterrupt

    with signals_handled(stop, "SIGINT", "SIGTERM"), main_thread_woken():
        try:
            yield
        except KeyboardInterrupt:
            click.echo(f"\nStopped. {effect}", err=True)
            raise click.exceptions.Exit(1) from None


def _ignore(*_: Any) -> None:
    """Do nothing. With SIG_IGN, Python would print a traceback for a signal that has already arrived."""


@contextmanager
def signals_handled(handler: Callable[..., Any], *names: str) -> Iterator[None]:
    """Handle signals that this system has, and restore the earlier handlers afterwards."""
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            # None: the handler was not set by Python, and cannot be restored from Python
            signal.signal(number, signal.SIG_DFL if earlier is None else earlier)


def quieten_dlt() -> None:
    """Set dlt's defaults for a command: no usage reports, and only errors in the log.

    Call it before dlt is imported. Variables that are already set are not changed.
    """
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")  # dlt warns about every empty column
