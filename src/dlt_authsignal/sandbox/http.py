"""Between ASGI and the routes: authentication, JSON bodies, faults, the log, and errors as Authsignal words them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dlt_authsignal.api.endpoints import Auth, Endpoint, basic_auth
from dlt_authsignal.api.responses import UNAUTHORIZED_TEXT, error_body
from dlt_authsignal.sandbox import tokens
from dlt_authsignal.sandbox.faults import Fault
from dlt_authsignal.sandbox.state import Sandbox

MAX_BODY_BYTES: Final = 1024 * 1024

Handler = Callable[["Call"], Awaitable[Any]]


class Refusal(Exception):
    """An error answer."""

    def __init__(self, status: int, code: str, description: str) -> None:
        self.status, self.code, self.description = status, code, description
        super().__init__(code)


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON with `Content-Type: application/json` and nothing after it: the Python SDK compares the whole value."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status, {**(headers or {}), "content-type": "application/json"})


def refused(refusal: Refusal) -> Response:
    return json_response(error_body(refusal.code, refusal.description), refusal.status)


def invalid(description: str) -> Refusal:
    return Refusal(400, "invalid_request", description)


def unauthorized() -> Refusal:
    return Refusal(401, "unauthorized", UNAUTHORIZED_TEXT)


class Call:
    """One authenticated request to one endpoint."""

    def __init__(self, sandbox: Sandbox, request: Request, claims: dict[str, Any]) -> None:
        self.sandbox = sandbox
        self.claims = claims
        self._request = request

    def path(self, name: str) -> str:
        """A path placeholder, decoded."""
        return unquote(self._request.path_params[name])

    def query(self, name: str) -> str | None:
        return self._request.query_params.get(name)

    async def body(self) -> dict[str, Any]:
        """The JSON object sent; an absent body is an empty one. Unknown keys are for the handler to ignore."""
        raw = b""
        async for chunk in self._request.stream():
            raw += chunk
            if len(raw) > MAX_BODY_BYTES:
                raise Refusal(413, "invalid_request", f"The body exceeds {MAX_BODY_BYTES} bytes.")
        if not raw.strip():
            return {}
        try:
            value = json.loads(raw)
        except ValueError:
            raise invalid("The body is not valid JSON.") from None
        if not isinstance(value, dict):
            raise invalid("The body must be a JSON object.")
        return value


def endpoint(sandbox: Sandbox, described: Endpoint, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """The handler of one route, with authentication before it and faults around it."""

    async def answer(request: Request) -> Response:
        sandbox.log.begin()
        status = 500
        try:
            response = await _answer(sandbox, described, handler, request)
            status = response.status_code
            return response
        finally:
            sandbox.note(str(described), status)

    return answer


async def _answer(sandbox: Sandbox, described: Endpoint, handler: Handler, request: Request) -> Response:
    fault = sandbox.faults.strike(str(described))
    if fault and fault.kind == "delay":
        await asyncio.sleep(fault.seconds)
    elif fault and fault.kind != "cut":
        return _faulty(fault)
    try:
        claims = authenticate(sandbox, described.auth, request.headers.get("authorization", ""))
        response = json_response(await handler(Call(sandbox, request, claims)))
    except Refusal as refusal:
        response = refused(refusal)
    if fault and fault.kind == "cut":
        response.headers["content-length"] = str(len(response.body))
        response.body = bytes(response.body)[: len(response.body) // 2]
    return response


def _faulty(fault: Fault) -> Response:
    if fault.kind == "status":
        code = "too_many_requests" if fault.status == 429 else "sandbox_fault"
        return json_response(error_body(code, "A fault that was asked for."), fault.status, fault.headers)
    if fault.kind == "html":
        return Response("<!doctype html><title>Gateway</title>", 200, fault.headers, "text/html")
    return Response(fault.body, 200, {**fault.headers, "content-type": "application/json"})


def authenticate(sandbox: Sandbox, scheme: Auth, header: str) -> dict[str, Any]:
    """Claims of a bearer token, an empty dict for basic auth.

    Raises:
        Refusal: 401.
    """
    config = sandbox.config
    if scheme == "server":
        if header != basic_auth(config.api_secret_key):
            raise unauthorized()
        return {}
    if not header.startswith("Bearer "):
        raise unauthorized()
    claims, expired = tokens.read(config, sandbox.clock.now(), header.removeprefix("Bearer "))
    if claims is None:
        raise unauthorized()
    if expired:
        raise Refusal(401, "expired_token", "The token has expired.")
    return claims


class RawPaths:
    """Routes by the path as it was sent, so that an encoded `/` in an id stays part of the id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope.get("raw_path"):
            scope = {**scope, "path": scope["raw_path"].decode("ascii", "replace")}
        await self._app(scope, receive, send)
