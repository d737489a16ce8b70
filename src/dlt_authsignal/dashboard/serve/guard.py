"""Refuse requests that do not come from a browser on this machine, and add security headers.

A page can give its own name the address 127.0.0.1 (DNS rebinding) and then read every response. The Host header still
has the page's name.
"""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dlt_authsignal.dashboard.render.assets import SERVED_POLICY

HOSTS: Final = frozenset({"127.0.0.1", "localhost"})
METHODS: Final = frozenset({"GET", "HEAD"})
HEADERS: Final = {
    "Content-Security-Policy": SERVED_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """Let requests for this machine through, and add the headers to each response.

    Args:
        app: The app to protect.
        port: The port that the server listens on.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts = {f"{host}:{port}" for host in HOSTS} | (set(HOSTS) if port == _HTTP else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        hosts = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
        sites = [value for name, value in scope["headers"] if name == b"sec-fetch-site"]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return PlainTextResponse("The dashboard answers only for localhost and 127.0.0.1, at its own port.", 403)
        if scope["method"] not in METHODS:
            return PlainTextResponse("The dashboard only shows data. Use GET.", 405, {"Allow": "GET, HEAD"})
        if b"cross-site" in sites and not _is_navigation(scope):
            return PlainTextResponse("Other sites cannot load the dashboard.", 403)
        return None


_HTTP: Final = 80


def _is_navigation(scope: Scope) -> bool:
    """Return whether the reader followed a link, from a mail for instance."""
    return (b"sec-fetch-mode", b"navigate") in scope["headers"]
