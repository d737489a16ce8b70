"""Limits of a connection that uvicorn does not have: the size of the headers, and the time until they are complete."""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dlt_authsignal.receiver.limits import Limits

_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class LimitedConnection(HttpToolsProtocol):
    """One connection. `limited` sets the limits."""

    limits = Limits()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.access_log = False  # uvicorn's has the secret path

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._header_bytes = 0
        self._awaits_headers = True
        self._timer: asyncio.TimerHandle | None = None
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Count bytes until the headers are complete. One chunk may go beyond the limit: it is in memory already."""
        if self._awaits_headers:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._awaits_headers and self._header_bytes > self.limits.header_bytes:
            self._close(_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._awaits_headers = True
        self._start_timer()

    def on_headers_complete(self) -> None:
        self._awaits_headers = False
        self._header_bytes = 0
        self._stop_timer()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(self.limits.header_seconds, self._close, _TOO_SLOW)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _close(self, answer: bytes) -> None:
        self._stop_timer()
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()


def limited(limits: Limits) -> type[asyncio.Protocol]:
    """Return the class of connections with these limits."""
    members: dict[str, Any] = {"limits": limits}
    return cast("type[asyncio.Protocol]", type("LimitedConnection", (LimitedConnection,), members))
