"""Decides which tenant a request is for.

Each tenant has its own app, which authenticates every request again. So a wrong decision here can only refuse a
request, never show one tenant to another.

Of Authsignal it is known that the key alone identifies a tenant, and that a key is refused in another region. Assumed:
the region as the first part of the path, because a sandbox has one host.
"""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import msgspec
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from dlt_authsignal.api.endpoints import REGIONS
from dlt_authsignal.sandbox.core.base64_text import decoded
from dlt_authsignal.sandbox.core.config import FIRST_REGION
from dlt_authsignal.sandbox.core.page_urls import PAGES
from dlt_authsignal.sandbox.http.auth import basic_name
from dlt_authsignal.sandbox.http.dispatch import json_response
from dlt_authsignal.sandbox.http.routes.client import qr_socket
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenant_state import CONTROL
from dlt_authsignal.sandbox.tenants.tenants import NoSuchTenant, Tenants

CONTROLLED: Final = f"{CONTROL}tenants/"
PUBLIC: Final = "/v1/client/public/"
UNKNOWN: Final = f"{PUBLIC}-/"
PATHS: Final = ("", *(f"/{name}" for name in REGIONS if name != FIRST_REGION))
"""What stands before the path of an API, by region."""


class ByTenant:
    """Pass each request to the app of its tenant. The first tenant gets those that belong to no tenant.

    Args:
        app: The app of the first tenant.
        tenants: All tenants.
        make: Makes the app of a further tenant.
    """

    def __init__(self, app: ASGIApp, tenants: Tenants, make: Callable[[Sandbox], ASGIApp]) -> None:
        self._app, self._tenants, self._make = app, tenants, make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif scope["path"].startswith(CONTROLLED):
            await self._control(scope, receive, send)
        elif self._tenants.is_alone and not self._tenants.first.config.region_path:
            await self._app(scope, receive, send)  # as fast as a sandbox that cannot have tenants
        else:
            await self._serve(*self._found(scope), receive, send)

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the control routes of one tenant below its id."""
        name, slash, rest = scope["path"].removeprefix(CONTROLLED).partition("/")
        if not slash or not name:
            await self._app(_at(scope, scope["path"].rstrip("/")), receive, send)
            return
        try:
            sandbox = self._tenants.get(unquote(name))
        except NoSuchTenant as unknown:
            await json_response({"error": str(unknown)}, 404)(scope, receive, send)
            return
        await self._serve(sandbox, _at(scope, f"{CONTROL}{rest}"), receive, send)

    async def _serve(self, sandbox: Sandbox, scope: Scope, receive: Receive, send: Send) -> None:
        first = sandbox is self._tenants.first
        app = self._app if first else self._tenants.app_of(sandbox, self._make)
        await app(scope, receive, send)

    def _found(self, scope: Scope) -> tuple[Sandbox, Scope]:
        """Return the tenant of a request, and the request as its app expects it: without the region in the path."""
        first, path = self._tenants.first, scope["path"]
        if path.startswith(PAGES):
            return self._of_page(scope), scope
        region, path = _region(path)
        if path is None:
            return first, scope
        scope = _at(scope, path)
        inside = [one for one in self._tenants.sandboxes if one.config.region_path == region]
        name, value = _identity(scope)
        found = next((one for one in inside if getattr(one.config, name) == value), None)
        if found is None and first not in inside:
            return first, _anonymous(scope)
        return found or first, scope

    def _of_page(self, scope: Scope) -> Sandbox:
        """Return the tenant of a hosted page: that of the token, or of the style sheet."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        tenant_id = _claimed(query.get("token", [""])[0]) or query.get("tenant", [""])[0]
        found = (one for one in self._tenants.sandboxes if one.config.tenant_id == tenant_id)
        return next(found, self._tenants.first)


def _region(path: str) -> tuple[str, str | None]:
    """Return what stands before the path of an API, and that path. None if it is not one of an API."""
    for region in PATHS:
        rest = path.removeprefix(region)
        if path.startswith(region) and (rest == "/v1" or rest.startswith("/v1/") or rest == qr_socket.PATH):
            return region, rest
    return "", None


def _at(scope: Scope, path: str) -> Scope:
    return scope if path == scope["path"] else {**scope, "path": path, "raw_path": path.encode()}


def _anonymous(scope: Scope) -> Scope:
    """Return the request without what identifies its tenant: keys and tokens are refused in other regions."""
    path = scope["path"]
    if path.startswith(PUBLIC):
        path = UNKNOWN + path.removeprefix(PUBLIC).partition("/")[2]
    headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
    return {**_at(scope, path), "headers": headers, "subprotocols": []}


def _identity(scope: Scope) -> tuple[str, str | None]:
    """Return the field of the configuration that identifies the tenant of a request, and its value in the request."""
    path = scope["path"]
    if path.startswith(PUBLIC):
        return "tenant_id", unquote(path.removeprefix(PUBLIC).partition("/")[0])
    if scope["type"] == "websocket":
        header = qr_socket.authorization(scope["subprotocols"])
    else:
        header = Headers(scope=scope).get("authorization", "")
    if header[:7].lower() == "bearer ":
        return "tenant_id", _claimed(header[7:])
    name = basic_name(header)
    if _is_below(path, "/v1/client") or path == qr_socket.PATH:
        return "tenant_id", name and unquote(name)
    return "management_secret_key" if _is_below(path, "/v1/management") else "api_secret_key", name


def _is_below(path: str, start: str) -> bool:
    return path == start or path.startswith(f"{start}/")


def _claimed(token: str) -> str | None:
    """Return the tenant id that a token claims. The tenant checks the signature."""
    parts = token.split(".")
    raw = decoded(parts[1]) if len(parts) == 3 else None
    try:
        claims: Any = msgspec.json.decode(raw or b"{}")
        found = claims["other"]["tenantId"]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None
