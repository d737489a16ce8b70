"""Serve a sandbox: in the foreground for the command, in a thread for tests."""

import asyncio
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from dlt_authsignal.sandbox.app.app import create_app
from dlt_authsignal.sandbox.app.known_hosts import TARGET, KnownHosts
from dlt_authsignal.sandbox.app.serving.running import RunningSandbox, tenant_url
from dlt_authsignal.sandbox.app.serving.saving import saved_at_exit
from dlt_authsignal.sandbox.core.config import SandboxConfig
from dlt_authsignal.sandbox.core.hosts import in_url, is_every_interface, plain_host
from dlt_authsignal.sandbox.http.dispatch import MAX_BODY_BYTES
from dlt_authsignal.sandbox.http.fault_answers import CONNECTION
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenants.tenants import Tenants

if TYPE_CHECKING:
    from dlt_authsignal.sandbox.app.serving.certificate import Certificate
    from dlt_authsignal.sandbox.recording.recorder import Recorder

START_SECONDS: Final = 10.0
STOP_SECONDS: Final = 5.0


def listen(host: str, port: int) -> socket.socket:
    """Bind a socket. Port 0 lets the system choose.

    Raises:
        OSError: The port is in use, or the host is not an address of this machine.
    """
    families = {found[0] for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    family = socket.AF_INET if socket.AF_INET in families else socket.AF_INET6
    both = family == socket.AF_INET6 and is_every_interface(host) and socket.has_dualstack_ipv6()
    bound = socket.create_server((host, port), family=family, backlog=256, dualstack_ipv6=both)
    bound.set_inheritable(True)
    return bound


def address(bound: socket.socket, scheme: str = "http") -> str:
    """Return the base URL of a bound socket. For a socket on every interface it is the loopback address."""
    host, port = bound.getsockname()[:2]
    if is_every_interface(host):
        host = "127.0.0.1" if bound.family == socket.AF_INET or socket.has_dualstack_ipv6() else "::1"
    return f"{scheme}://{in_url(host)}:{port}/v1"


class _Connection:
    """A connection that a fault can reset."""

    def __init__(self, protocol: Any, transport: Any) -> None:
        self._protocol, self._transport = protocol, transport

    def reset(self) -> None:
        """Reset it: with a linger time of zero, closing sends a TCP reset."""
        if bound := self._transport.get_extra_info("socket"):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def without_date(self) -> None:
        """Leave the server's own Date header out of the current response."""
        cycle = self._protocol.cycle
        cycle.default_headers = [pair for pair in cycle.default_headers if pair[0].lower() != b"date"]


class _Protocol(AutoHTTPProtocol):  # type: ignore[valid-type,misc]  # uvicorn chooses between two classes
    """Uvicorn's HTTP protocol, which passes the connection to each request: ASGI alone cannot reset one."""

    app: Any
    scope: Any
    url: bytes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        app, connection = self.app, _Connection(self, transport)

        async def with_connection(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[CONNECTION] = connection
            await app(scope, receive, send)

        self.app = with_connection

    def on_headers_complete(self) -> None:
        """Pass the whole request target on. This parser, httptools, drops the host in it."""
        self.scope.setdefault("extensions", {})[TARGET] = self.url
        super().on_headers_complete()


def _is_unexpected(record: logging.LogRecord) -> bool:
    """Return False for a body that a `cut` fault has truncated, and for TLS clients that keep a connection at the end.

    TLS waits for the client's own goodbye, so the server gives up after `timeout_graceful_shutdown`.
    """
    if record.msg.startswith("Cancel %s running task(s)") and record.args == (0,):
        return False
    return not (record.exc_info and "shorter than Content-Length" in str(record.exc_info[1]))


def server(
    sandbox: Sandbox,
    host: str = "127.0.0.1",
    certificate: "Certificate | None" = None,
    recorder: "Recorder | None" = None,
    tenants: Tenants | None = None,
) -> uvicorn.Server:
    """Create a uvicorn server that logs only errors.

    Args:
        sandbox: The sandbox to serve.
        host: The host it listens on. It answers for this host, for loopback names, and for `allowed_hosts`.
        certificate: Serves HTTPS with it. None: HTTP.
        recorder: Writes every request and its response to a file. None: nothing is recorded.
        tenants: All tenants of the sandbox. None: only the first one, until others are added.
    """
    tenants = tenants or Tenants(sandbox)
    app: ASGIApp = KnownHosts(create_app(sandbox, tenants), tenants, host)
    logging.getLogger("uvicorn.error").addFilter(_is_unexpected)
    config = uvicorn.Config(
        recorder.around(app) if recorder else app,
        http=_Protocol,
        ws_max_size=MAX_BODY_BYTES,
        log_level=logging.ERROR,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    if certificate:
        config.load()  # uvicorn takes files; the key of this certificate is in memory
        config.ssl = certificate.context
    return uvicorn.Server(config)


def recorder_of(tenants: Tenants, path: Path, on_failure: Callable[[str], None] | None = None) -> "Recorder":
    """Return a recorder that writes to a new file. From then on, no tenant can be added.

    Raises:
        FileExistsError: The file exists. It was not changed.
        OSError: The file cannot be created.
        ValueError: There are several tenants. No file was created.
    """
    from dlt_authsignal.sandbox.recording.recorder import Recorder

    if not tenants.is_alone:
        raise ValueError(
            "record (--record): a recording is of one tenant, and this sandbox has several. Nothing is recorded. "
            "Start it without tenants (--tenants, or tenants of a fixture), or without a recording."
        )
    recorder = Recorder(tenants.first, path, on_failure or logging.getLogger(__name__).error)
    tenants.closed = "This sandbox is recorded, and a recording is of one tenant."
    return recorder


def certificate_for(config: SandboxConfig, host: str, *further: SandboxConfig) -> "Certificate":
    """Make a certificate for all hosts that a sandbox answers for.

    Args:
        config: The configuration of the first tenant.
        host: The host it listens on.
        *further: Configurations of further tenants.

    Raises:
        ValueError: A host cannot be in a certificate.
    """
    from dlt_authsignal.sandbox.app.serving.certificate import Certificate

    hosts = {plain_host(host)}
    for one in (config, *further):
        hosts |= {*one.known_hosts, plain_host(one.relying_party)}
    return Certificate.create(*sorted(found for found in hosts if found and not is_every_interface(found)))


@contextmanager
def run_in_thread(
    config: SandboxConfig | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: bool = False,
    state: str | Path | None = None,
    record: Path | None = None,
) -> Iterator[RunningSandbox]:
    """Serve a sandbox until the block ends. It has no users unless the configuration adds some.

    Args:
        config: What it emulates.
        host: Host to listen on.
        port: Port to listen on. 0 lets the system choose.
        tls: Whether to serve HTTPS. `certificate.authority` of the running sandbox is what clients must trust.
        state: A file in which the state is saved at the end. If it exists, the sandbox starts from it.
        record: New file to which every request and its response are written, without secrets. None: not recorded.

    Example:
        >>> with run_in_thread(SandboxConfig(users=3, seed=7)) as running:
        ...     running.sandbox.store.counts()["users"]
        3

    Raises:
        FileExistsError: The file to record to exists.
        TimeoutError: The server did not start or stop in time.
        ValueError: Several tenants have one key, or are to be recorded.
    """
    tenants = Tenants.start(config, state)
    sandbox = tenants.first
    certificate = certificate_for(sandbox.config, host, *(one.config for one in tenants.sandboxes)) if tls else None
    recorder = recorder_of(tenants, record) if record else None
    running = server(sandbox, host, certificate, recorder, tenants)
    bound = listen(host, port)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]}, name="authsignal-sandbox", daemon=True)
    thread.start()
    try:
        _wait_until_started(running, thread)
        url = tenant_url(address(bound, "https" if certificate else "http"), sandbox)
        with saved_at_exit(sandbox):
            yield RunningSandbox(url, sandbox, certificate, tenants)
    finally:
        running.should_exit = True
        thread.join(STOP_SECONDS)
        bound.close()
        if recorder:
            recorder.close()
    if thread.is_alive():
        raise TimeoutError(f"The sandbox did not stop within {STOP_SECONDS} s.")


def _wait_until_started(running: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not running.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise TimeoutError(f"The sandbox did not start within {START_SECONDS} s.")
        time.sleep(0.005)
