"""Serving the sandbox: in the foreground for people, in a thread for tests."""

import asyncio
import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from dlt_authsignal.sandbox.app.app import create_app
from dlt_authsignal.sandbox.core.config import SandboxConfig
from dlt_authsignal.sandbox.http.fault_answers import CONNECTION
from dlt_authsignal.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from dlt_authsignal.sandbox.core.clock import Clock
    from dlt_authsignal.sandbox.core.faults import Faults
    from dlt_authsignal.sandbox.core.rate_limits import Limits
    from dlt_authsignal.sandbox.sessions.outbox import Outbox

START_SECONDS: Final = 10.0
STOP_SECONDS: Final = 5.0


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox that answers at `url`.

    Attributes:
        url: Base URL, with `/v1`.
        sandbox: Its state; change it from here as freely as over `/_sandbox/`. What the control routes do is here
            under the same names.
    """

    url: str
    sandbox: Sandbox

    @property
    def clock(self) -> "Clock":
        """`freeze()`, `advance(days=30)`, `resume()`. After a reset or a restore it is another clock."""
        return self.sandbox.clock

    @property
    def outbox(self) -> "Outbox":
        """What would have been sent; `last(to)` is the newest."""
        return self.sandbox.outbox

    @property
    def faults(self) -> "Faults":
        """`add(Fault(...))`, `clear()`."""
        return self.sandbox.faults

    @property
    def limits(self) -> "Limits":
        """`set(Limit(...))`, `clear()`."""
        return self.sandbox.limits

    def reset(self) -> None:
        """Forgets everybody, faults, limits and the log; see `Sandbox.reset`."""
        self.sandbox.reset()

    def seed(self, users: int, days: int = 45, seed: int | None = None) -> None:
        """Adds people."""
        self.sandbox.seed(users, days, seed)

    def snapshot(self, name: str) -> None:
        """Keeps all state under a name."""
        self.sandbox.snapshot(name)

    def restore(self, name: str) -> None:
        """Goes back to a snapshot."""
        self.sandbox.restore(name)

    def snapshots(self) -> list[str]:
        """Names of the snapshots."""
        return self.sandbox.snapshots()

    def requests(self) -> dict[str, Any]:
        """The request log: counters by route and status, and the last requests."""
        return self.sandbox.log.shown()

    def truth(self, read_at: datetime | None = None) -> dict[str, Any]:
        """What every KPI must say."""
        return self.sandbox.truth(read_at)

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


class _Connection:
    """One connection, as a fault may treat it."""

    def __init__(self, protocol: Any, transport: Any) -> None:
        self._protocol, self._transport = protocol, transport

    def reset(self) -> None:
        """Breaks it: with a lingering time of zero, closing sends a TCP reset."""
        if bound := self._transport.get_extra_info("socket"):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def without_date(self) -> None:
        """Leaves the server's own Date header out of the answer that is being made."""
        cycle = self._protocol.cycle
        cycle.default_headers = [pair for pair in cycle.default_headers if pair[0].lower() != b"date"]


class _Protocol(AutoHTTPProtocol):  # type: ignore[valid-type,misc]  # whichever of two uvicorn has chosen
    """Uvicorn's HTTP, which hands each request its connection: ASGI alone cannot break one."""

    app: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        app, connection = self.app, _Connection(self, transport)

        async def with_connection(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[CONNECTION] = connection
            await app(scope, receive, send)

        self.app = with_connection


def _not_asked_for(record: logging.LogRecord) -> bool:
    """False for the complaint about a body that a `cut` fault has cut."""
    return not (record.exc_info and "shorter than Content-Length" in str(record.exc_info[1]))


def server(sandbox: Sandbox) -> uvicorn.Server:
    """A uvicorn server that logs only what went wrong."""
    logging.getLogger("uvicorn.error").addFilter(_not_asked_for)
    return uvicorn.Server(
        uvicorn.Config(
            create_app(sandbox),
            http=_Protocol,
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
