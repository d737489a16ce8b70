"""Refuse requests for other hosts.

A page can give its own name the address 127.0.0.1 (DNS rebinding). For the browser, the sandbox is then a part of that
page's site, and the page can read every response. The Host header still has the page's name.
"""

from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dlt_authsignal.api.responses import error_body
from dlt_authsignal.sandbox.core.hosts import host_of, is_address, is_loopback, plain_host
from dlt_authsignal.sandbox.http.dispatch import json_response
from dlt_authsignal.sandbox.tenants.tenants import Tenants

TARGET: Final = "dlt_authsignal.target"
"""ASGI extension of the sandbox's server: the request target as it was sent."""

POLICY_VIOLATION: Final = 1008
"""Close code of a WebSocket that is refused."""

_LONGEST_SHOWN: Final = 80


class KnownHosts:
    """Answer only for loopback names, the host that the server listens on, and the hosts of the configurations.

    It belongs around the app where a server accepts connections. A client that calls the app in its own process may use
    any name.

    Args:
        app: The app to protect.
        tenants: Their configurations have the hosts; the first one's request log gets the refusals.
        bound: The host that the server was told to listen on.
    """

    def __init__(self, app: ASGIApp, tenants: Tenants, bound: str) -> None:
        self._app, self._tenants, self._bound = app, tenants, plain_host(bound)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = with_target(scope)
        if scope["type"] in ("http", "websocket") and (refusal := self._refusal(scope)):
            if scope["type"] == "http":
                await refusal(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": POLICY_VIOLATION})  # before it is accepted: 403
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        host = host_of(named[0]) if len(named) == 1 else None
        if host is not None and self._is_known(host, scope):
            return None
        self._tenants.first.log.begin()
        status = 400 if host is None else 403
        self._tenants.first.note(f"{scope.get('method', 'GET')} (another host)", status)
        if host is None:
            return _refused(status, "invalid_host", "The request needs one Host header with a host name or address.")
        shown = host[:_LONGEST_SHOWN]
        return _refused(
            status,
            "unknown_host",
            f'The sandbox does not answer for the host "{shown}". Nothing was changed. '
            f"Use localhost, or start it with --allow-host {shown} (SandboxConfig.allowed_hosts).",
        )

    def _is_known(self, host: str, scope: Scope) -> bool:
        if is_loopback(host) or host == self._bound:
            return True
        if any(host in one.config.known_hosts for one in self._tenants.sandboxes):
            return True
        reached = scope.get("server")  # on every interface: the address of this machine that the client connected to
        return reached is not None and is_address(host) and host == plain_host(str(reached[0]))


def with_target(scope: Scope) -> Scope:
    """Take host and path from a request target that is a whole URL. RFC 9112 lets it replace the Host header."""
    target = scope.get("extensions", {}).get(TARGET) or scope.get("raw_path") or b""
    if not target or target.startswith((b"/", b"*")):
        return scope
    try:
        parts = urlsplit(target.decode("ascii"))
    except ValueError:  # not ASCII, or a broken IPv6 address
        parts = urlsplit("")
    headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
    path = parts.path or "/"
    return {
        **scope,
        "headers": [(b"host", parts.netloc.encode()), *headers],
        "path": path,
        "raw_path": path.encode(),
        "query_string": parts.query.encode(),
    }


def _refused(status: int, code: str, description: str) -> Response:
    return json_response(error_body(code, description), status)
