"""The ASGI app of a sandbox."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from dlt_authsignal.sandbox.app.control.own_pages import OwnPagesOnly
from dlt_authsignal.sandbox.app.control.routes import control_routes
from dlt_authsignal.sandbox.app.openapi import openapi_route
from dlt_authsignal.sandbox.app.pages import page_routes
from dlt_authsignal.sandbox.app.route_table import ALIASES, SERVED
from dlt_authsignal.sandbox.core.refusals import Refusal
from dlt_authsignal.sandbox.hosted.routes import hosted_routes
from dlt_authsignal.sandbox.http.auth import authenticate_path
from dlt_authsignal.sandbox.http.dispatch import RawPaths, endpoint, refused
from dlt_authsignal.sandbox.http.routes.client import qr_socket
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenants.by_tenant import ByTenant
from dlt_authsignal.sandbox.tenants.control import tenant_routes
from dlt_authsignal.sandbox.tenants.tenants import Tenants


class ClientCors:
    """Allow pages of any origin to call the Client API, as browsers need it, and no other route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open = CORSMiddleware(
            app, allow_origin_regex=".*", allow_credentials=True, allow_methods=["*"], allow_headers=["*"]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_client = scope["type"] == "http" and scope["path"].startswith("/v1/client/")
        await (self._open if is_client else self._app)(scope, receive, send)


def _no_route(sandbox: Sandbox, request: Request, error: Exception) -> Refusal:
    """Return 401 for a caller without the key of that API, else 404, or 405 for a path that other methods have."""
    path = request.scope["path"]
    try:
        if path == "/v1" or path.startswith("/v1/"):
            authenticate_path(sandbox, path.removeprefix("/v1"), request.headers.get("authorization", ""))
    except Refusal as refusal:
        return refusal
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (404, None)
    return Refusal(status, "not_found", "The sandbox does not serve this route.", dict(headers or {}))


def create_app(sandbox: Sandbox, tenants: Tenants | None = None) -> Starlette:
    """Create the app of a sandbox: the APIs under `/v1`, control under `/_sandbox/`.

    Args:
        sandbox: The first tenant.
        tenants: All tenants. None: only the first one, until others are added.
    """
    everyone = tenants or Tenants(sandbox)
    return _app(sandbox, everyone, everyone)


def _app(sandbox: Sandbox, tenants: Tenants | None, everyone: Tenants) -> Starlette:
    """Create the app of one tenant.

    Args:
        sandbox: The tenant.
        tenants: The tenants to which the first one passes requests on. None: it is a further tenant.
        everyone: All tenants, for the choice on the pages.
    """

    def further(one: Sandbox) -> Starlette:
        return _app(one, None, everyone)

    served = (*SERVED, *(ALIASES if sandbox.config.seed_page_paths else ()))
    routes = [
        Route(f"/v1{described.path}", endpoint(sandbox, described, handler), methods=[described.method])
        for described, handler in served
    ]

    async def no_route(request: Request, error: Exception) -> Response:
        refusal = _no_route(sandbox, request, error)
        sandbox.log.begin()
        sandbox.note(f"{request.method} (no such route)", refusal.status)
        return refused(refusal)

    async def broken(_request: Request, _error: Exception) -> Response:
        return refused(Refusal(500, "internal_error", "The sandbox failed. See the traceback in its log."))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        others = tenants.running() if tenants else nullcontext()
        async with sandbox.webhooks.running(), sandbox.history.running(), others:
            yield

    app = Starlette(
        routes=[
            *routes,
            WebSocketRoute(qr_socket.PATH, qr_socket.socket(sandbox)),
            *hosted_routes(sandbox),
            *page_routes(sandbox, lambda: everyone.sandboxes),
            *control_routes(sandbox),
            *(tenant_routes(tenants) if tenants else ()),
            openapi_route(served),
        ],
        middleware=[
            Middleware(RawPaths),
            *([Middleware(ByTenant, tenants=tenants, make=further)] if tenants else ()),
            Middleware(ClientCors),
            Middleware(OwnPagesOnly),
        ],
        exception_handlers={HTTPException: no_route, Exception: broken},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # Authsignal is not documented to redirect
    return app
