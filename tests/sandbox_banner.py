"""The command `dlt-authsignal sandbox` while it runs, and what it printed."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.helpers import COMMAND

LINES = 8
LINES_OF_TRUST = 5
"""With HTTPS, how to trust the certificate comes after the other lines."""


@contextmanager
def banner(*options: str) -> Iterator[str]:
    """The banner of a running sandbox."""
    lines = LINES + LINES_OF_TRUST * any(option.startswith("--tls") for option in options)
    running = subprocess.Popen([COMMAND, "sandbox", "--port", "0", *options], stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout
        yield "".join(running.stdout.readline() for _ in range(lines))
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
