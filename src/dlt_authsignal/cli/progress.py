"""What a run is doing, live on a terminal, as plain lines elsewhere. Always on stderr."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from dlt_authsignal.cli.estimate import estimate
from dlt_authsignal.source.meter import Meter

LINE_EVERY_SECONDS: Final = 10.0

_STAGES: Final = {
    "starting": "Starting",
    "reading": "Reading from Authsignal",
    "preparing": "Preparing rows",
    "loading": "Loading",
    "done": "Done",
}


def describe(meter: Meter, seconds: float) -> str:
    """One line: stage, users, requests, retries."""
    parts = ["Waiting as Authsignal asked (429)" if meter.waiting else _STAGES.get(meter.stage, meter.stage)]
    if meter.users_found:
        more = "" if meter.roster_complete else "+"
        parts.append(f"users {meter.users_read:,} of {meter.users_found:,}{more}")
    if meter.requests:
        parts.append(f"requests {meter.requests:,}")
    if meter.retries:
        parts.append(f"retries {meter.retries:,}")
    return "  ".join([*parts, f"{seconds:,.0f} s"])


@contextmanager
def showing(meter: Meter, *, silent: bool) -> Iterator[None]:
    """Shows the meter while the block runs."""
    console = Console(stderr=True)
    started = time.monotonic()

    def line() -> str:
        return describe(meter, time.monotonic() - started)

    if not silent:
        meter.when_listed = lambda: console.print(estimate(meter), highlight=False, soft_wrap=True)
    if silent:
        yield
    elif console.is_terminal:
        spinner = Spinner("dots")

        def render() -> Spinner:
            spinner.update(text=Text(line()))
            return spinner

        with Live(get_renderable=render, console=console, refresh_per_second=8, transient=True):
            yield
    else:
        with _lines(line):
            yield


@contextmanager
def _lines(line: Callable[[], str]) -> Iterator[None]:
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    stop = threading.Event()

    def report() -> None:
        while not stop.wait(LINE_EVERY_SECONDS):
            console.print(line())

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield
    finally:
        stop.set()
        reporter.join(1.0)
