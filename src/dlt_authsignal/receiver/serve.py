"""Serve the receiver with uvicorn."""

import socket
from typing import TYPE_CHECKING

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.receiver.limits import Limits

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp


def listen(host: str, port: int) -> socket.socket:
    """Bind a socket. Port 0 lets the system choose.

    Raises:
        ConfigurationError: The port is in use, or the host is not an address of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --host or --port."
        ) from None
    return bound


def server(app: "ASGIApp", limits: Limits | None = None) -> "uvicorn.Server":
    """Return a uvicorn server with limits. Uvicorn's access log is off: it would contain the secret path."""
    import uvicorn

    from dlt_authsignal.receiver.http.connection import limited

    limits = limits or Limits()
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=limited(limits),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=limits.connections,
            timeout_keep_alive=limits.idle_seconds,
            timeout_graceful_shutdown=limits.stop_seconds,
            backlog=1024,
        )
    )
