"""The sandbox as an ASGI app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dlt_authsignal.sandbox.control import control_routes
from dlt_authsignal.sandbox.http import RawPaths, endpoint, refused
from dlt_authsignal.sandbox.refusals import Refusal
from dlt_authsignal.sandbox.served import SERVED
from dlt_authsignal.sandbox.state import Sandbox


def create_app(sandbox: Sandbox) -> Starlette:
    """An app that serves one sandbox: the API under `/v1`, control under `/_sandbox/`."""
    served = [
        Route(f"/v1{described.path}", endpoint(sandbox, described, handler), methods=[described.method])
        for described, handler in SERVED
    ]

    async def no_route(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        sandbox.log.begin()
        sandbox.note(f"{request.method} (no such route)", status)
        return refused(Refusal(status, "not_found", "The sandbox serves no such route."))

    async def broken(_request: Request, _error: Exception) -> Response:
        return refused(Refusal(500, "internal_error", "The sandbox failed; its log says how."))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with sandbox.webhooks.running():
            yield

    app = Starlette(
        routes=[*served, *control_routes(sandbox)],
        middleware=[Middleware(RawPaths)],
        exception_handlers={HTTPException: no_route, Exception: broken},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # Authsignal is not known to redirect
    return app
