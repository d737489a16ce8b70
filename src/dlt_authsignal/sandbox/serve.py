"""Serving the sandbox: in the foreground for people, in a thread for tests."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import uvicorn

from dlt_authsignal.sandbox.app import create_app
from dlt_authsignal.sandbox.config import SandboxConfig
from dlt_authsignal.sandbox.state import Sandbox

START_SECONDS: Final = 10.0
STOP_SECONDS: Final = 5.0


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox that answers at `url`.

    Attributes:
        url: Base URL, with `/v1`.
        sandbox: Its state; change it from here as freely as over `/_sandbox/`.
    """

    url: str
    sandbox: Sandbox

    @property
    def control_url(self) -> str:
        """Where the control routes start."""
        return self.url.removesuffix("/v1") + "/_sandbox/"


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 lets the system choose.

    Raises:
        OSError: The port is taken, or the host is not this machine's.
    """
    bound = socket.create_server((host, port), backlog=256)
    bound.set_inheritable(True)
    return bound


def address(bound: socket.socket) -> str:
    """Base URL of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"http://{host}:{port}/v1"


def _not_asked_for(record: logging.LogRecord) -> bool:
    """False for the complaint about a body that a `cut` fault has cut."""
    return not (record.exc_info and "shorter than Content-Length" in str(record.exc_info[1]))


def server(sandbox: Sandbox) -> uvicorn.Server:
    """A uvicorn server that logs only what went wrong."""
    logging.getLogger("uvicorn.error").addFilter(_not_asked_for)
    return uvicorn.Server(
        uvicorn.Config(
            create_app(sandbox),
            log_level=logging.ERROR,
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=1,
            server_header=False,
        )
    )


@contextmanager
def run_in_thread(
    config: SandboxConfig | None = None, *, host: str = "127.0.0.1", port: int = 0
) -> Iterator[RunningSandbox]:
    """A sandbox for as long as the block lasts.

    Example:
        >>> with run_in_thread(SandboxConfig(users=3, seed=7)) as running:
        ...     running.sandbox.store.counts()["users"]
        3

    Raises:
        TimeoutError: The server did not start or stop in time.
    """
    sandbox = Sandbox(config)
    running = server(sandbox)
    bound = listen(host, port)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]}, name="authsignal-sandbox", daemon=True)
    thread.start()
    try:
        _wait_until_started(running, thread)
        yield RunningSandbox(address(bound), sandbox)
    finally:
        running.should_exit = True
        thread.join(STOP_SECONDS)
        bound.close()
    if thread.is_alive():
        raise TimeoutError(f"The sandbox did not stop within {STOP_SECONDS} s.")


def _wait_until_started(running: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not running.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise TimeoutError(f"The sandbox did not start within {START_SECONDS} s.")
        time.sleep(0.005)
