"""What a command does when it is stopped."""

import signal
from collections.abc import Iterator
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

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"\nStopped. {said}", err=True)
        raise click.exceptions.Exit(1) from None
