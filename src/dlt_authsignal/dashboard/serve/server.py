"""Serve the dashboard on a port of this machine."""

import errno
import socket
from typing import TYPE_CHECKING, Final

from dlt_authsignal.errors import ConfigurationError

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

HOST: Final = "127.0.0.1"
_BACKLOG: Final = 128
_STOP_SECONDS: Final = 2


def listen(port: int) -> socket.socket:
    """Bind a socket on this machine only. If the port is taken, the system chooses a free one.

    Raises:
        ConfigurationError: The port cannot be used.
    """
    for wanted in (port, 0):
        try:
            return socket.create_server((HOST, wanted), backlog=_BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                reason = error.strerror or type(error).__name__
                raise ConfigurationError(
                    f"Cannot listen on {HOST}:{port}: {reason}. Nothing was started. Choose another --port."
                ) from None
    raise ConfigurationError(f"No port of {HOST} is free. Nothing was started. Close other programs and try again.")


def server(app: "ASGIApp") -> "uvicorn.Server":
    """Return a server that logs errors only."""
    import uvicorn

    return uvicorn.Server(
        uvicorn.Config(
            app,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
    )
