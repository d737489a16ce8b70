"""Progress of a run on stderr: live on a terminal, as plain lines elsewhere."""

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import click

from dlt_authsignal.cli.output.sync.estimate import estimate, span
from dlt_authsignal.source.metrics.run_metrics import RunMetrics

LINE_EVERY_SECONDS: Final = 10.0
SPEED_OVER_SECONDS: Final = 5.0

_STAGES: Final = {
    "starting": "Starting",
    "reading": "Reading from Authsignal",
    "preparing": "Preparing rows",
    "loading": "Loading",
    "done": "Done",
}


@dataclass
class Speed:
    """Measures requests per second over the last seconds."""

    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def of(self, requests: int, now: float) -> float:
        """Return the speed, given the total number of requests so far; 0 until it can be measured."""
        self._seen.append((now, requests))
        while len(self._seen) > 2 and now - self._seen[1][0] >= SPEED_OVER_SECONDS:
            self._seen.popleft()
        since, before = self._seen[0]
        return (requests - before) / (now - since) if now > since else 0.0


def describe(meter: RunMetrics, seconds: float, per_second: float = 0.0) -> str:
    """Return one line: stage, users, requests and their speed, 429s, retries, time left, time elapsed."""
    parts = ["Waiting, as requested by Authsignal (429)" if meter.waiting else _STAGES.get(meter.stage, meter.stage)]
    if meter.users_found:
        more = "" if meter.user_ids_complete else "+"
        parts.append(f"users {meter.users_read:,} of {meter.users_due:,}{more} due")
    if meter.requests:
        parts.append(f"requests {meter.requests:,}")
    if meter.stage == "reading" and per_second >= 0.05:
        parts.append(f"{per_second:,.0f}/s" if per_second >= 10 else f"{per_second:.1f}/s")
    if meter.throttled:
        parts.append(f"429s {meter.throttled:,}")
    if meter.retries:
        parts.append(f"retries {meter.retries:,}")
    if left := _seconds_left(meter, per_second):
        parts.append(f"{span(left)} left")
    return "  ".join([*parts, f"{seconds:,.0f} s"])


def _seconds_left(meter: RunMetrics, per_second: float) -> float:
    """Estimate by the requests per user so far; 0 if unknown."""
    if meter.stage != "reading" or not meter.users_read or not meter.user_ids_complete or per_second <= 0:
        return 0.0
    users = meter.users_due - meter.users_read - meter.users_remaining
    return users * meter.requests / meter.users_read / per_second


@contextmanager
def showing(meter: RunMetrics, *, silent: bool) -> Iterator[Callable[[float | None], None] | None]:
    """Show the progress while the block runs; yield a function that shows the estimate once all due users are known."""
    if silent:
        yield None
        return
    started, speed = time.monotonic(), Speed()

    def line() -> str:
        now = time.monotonic()
        return describe(meter, now - started, speed.of(meter.requests, now))

    with _live(line) if _may_be_terminal() else _lines(line) as show:
        yield lambda rate: show(estimate(meter, rate))


def _may_be_terminal() -> bool:
    """Return whether Rich may take stderr for a terminal. Otherwise it is not imported: a scheduler has no terminal."""
    return sys.stderr.isatty() or any(map(os.environ.get, ("FORCE_COLOR", "TTY_COMPATIBLE")))


@contextmanager
def _live(line: Callable[[], str]) -> Iterator[Callable[[str], None]]:
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    console = Console(stderr=True)
    if not console.is_terminal:
        with _lines(line) as show:
            yield show
        return
    spinner = Spinner("dots")

    def render() -> Spinner:
        spinner.update(text=Text(line()))
        return spinner

    with Live(get_renderable=render, console=console, refresh_per_second=8, transient=True):
        yield partial(console.print, highlight=False, soft_wrap=True)


@contextmanager
def _lines(line: Callable[[], str]) -> Iterator[Callable[[str], None]]:
    show = partial(click.echo, err=True)
    stop = threading.Event()

    def report() -> None:
        while not stop.wait(LINE_EVERY_SECONDS):
            show(line())

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield show
    finally:
        stop.set()
        reporter.join(1.0)
