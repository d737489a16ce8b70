"""From ASGI to the routes: authentication, JSON bodies, faults, the request log, and errors in Authsignal's format."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dlt_authsignal.api.endpoints import Endpoint
from dlt_authsignal.api.responses import error_body
from dlt_authsignal.sandbox.core.clock import iso
from dlt_authsignal.sandbox.core.refusals import Refusal, invalid
from dlt_authsignal.sandbox.http import fault_answers
from dlt_authsignal.sandbox.http.auth import Caller, authenticate
from dlt_authsignal.sandbox.sandbox import Sandbox

MAX_BODY_BYTES: Final = 1024 * 1024

Handler = Callable[..., Any]
"""Takes a `Call`, and `body` and `query` by keyword if it declares them. Returns a response or a coroutine of one."""

Served = tuple[Endpoint, Handler]

_encode = msgspec.json.Encoder().encode


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response. Its content type has no parameters, because the Python SDK compares the whole value."""
    return Response(_encode(value), status, {**(headers or {}), "content-type": "application/json"})


def refused(refusal: Refusal) -> Response:
    """The response for an error."""
    return json_response(error_body(refusal.code, refusal.description), refusal.status, refusal.headers)


@dataclass
class Call:
    """One authenticated request to one endpoint."""

    sandbox: Sandbox
    request: Request
    caller: Caller
    set_cookies: dict[str, str] = field(default_factory=dict)

    def path(self, name: str) -> str:
        """A path placeholder, decoded."""
        try:
            return unquote(self.request.path_params[name], errors="strict")
        except UnicodeDecodeError:
            raise invalid(f"{name} is not UTF-8.") from None

    @property
    def user_agent(self) -> str | None:
        return self.request.headers.get("user-agent")

    @property
    def ip_address(self) -> str | None:
        return self.request.client.host if self.request.client else None

    def cookie(self, name: str) -> str | None:
        return self.request.cookies.get(name)


@dataclass(frozen=True)
class Signature:
    """The parameters and the result of a handler, and whether it has to be awaited."""

    body: type[Any] | None
    query: type[Any] | None
    answer: Any
    is_async: bool

    @classmethod
    def of(cls, handler: Handler) -> "Signature":
        hints = inspect.get_annotations(handler, eval_str=True)
        return cls(hints.get("body"), hints.get("query"), hints.get("return"), inspect.iscoroutinefunction(handler))


def endpoint(sandbox: Sandbox, described: Endpoint, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Wrap the handler of one route with authentication, rate limits, faults and the request log."""
    route, signature = str(described), Signature.of(handler)

    async def run(request: Request) -> Response:
        caller = authenticate(sandbox, described, request.headers.get("authorization", ""))
        _check_is_present(sandbox, described)
        if sandbox.limits:
            sandbox.limits.take(_key(described, caller))
        call = Call(sandbox, request, caller)
        wanted: dict[str, Any] = {}
        if signature.query:
            wanted["query"] = _query(request, signature.query)
        if signature.body:
            wanted["body"] = _parsed(await read_body(request), signature.body)
        answer = handler(call, **wanted)
        response = json_response(await answer if signature.is_async else answer)
        for name, value in call.set_cookies.items():
            response.headers.append("set-cookie", _cookie(name, value, secure=request.url.scheme == "https"))
        return response

    async def answer(request: Request) -> Response:
        sandbox.log.begin()
        status = 500
        try:
            response = await _faulted(sandbox, route, run, request)
            status = response.status_code
            return response
        finally:
            sandbox.note(route, status)

    return answer


async def _faulted(
    sandbox: Sandbox, route: str, run: Callable[[Request], Awaitable[Response]], request: Request
) -> Response:
    if not sandbox.faults.waiting:
        return await _answered(run, request)
    applied = sandbox.faults.apply(route, paged=fault_answers.CURSOR in request.query_params)
    if applied is None:
        return await _answered(run, request)
    instead = await fault_answers.before(sandbox, request, applied)
    return instead or fault_answers.after(sandbox, request, applied, await _answered(run, request))


async def _answered(run: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
    try:
        return await run(request)
    except Refusal as refusal:
        return refused(refusal)


def _check_is_present(sandbox: Sandbox, described: Endpoint) -> None:
    """Refuse to change the configuration while an earlier one is shown."""
    if sandbox.shown_as_of is not None and described.auth == "management" and described.method != "GET":
        raise invalid(
            f"The sandbox shows its configuration as of {iso(sandbox.shown_as_of)}. Nothing was changed. "
            'To change the present configuration, first send {"at": null} to POST /_sandbox/configuration/as-of.'
        )


def _key(described: Endpoint, caller: Caller) -> str:
    """Return the key whose rate limit a call counts against."""
    if described.auth == "tenant or bearer":
        return "tenant" if caller.token is None else "bearer"
    return described.auth


async def read_body(request: Request, most: int = MAX_BODY_BYTES) -> bytes:
    """Read the raw body.

    Raises:
        Refusal: 413 above `most` bytes.
    """
    raw = bytearray()
    try:
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > most:
                raise Refusal(413, "invalid_request", f"The body exceeds {most} bytes.")
    except ClientDisconnect:  # the caller will not see this
        raise invalid("The body is truncated.") from None
    return bytes(raw)


def _parsed(raw: bytes, kind: type[Any]) -> Any:
    """Parse the body as the handler's type. An empty body counts as an empty object."""
    try:
        return msgspec.json.decode(raw if raw.strip() else b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise invalid(f"The body is invalid: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("The body is not valid JSON.") from None


def _query(request: Request, kind: type[Any]) -> Any:
    try:
        return msgspec.convert(dict(request.query_params), type=kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(f"The query is invalid: {error}.") from None


def _cookie(name: str, value: str, *, secure: bool) -> str:
    """Return the header of a cookie. A browser ignores a secure one from HTTP on other hosts than this machine."""
    morsel = SimpleCookie({name: value})[name]
    for attribute, setting in (("path", "/"), ("httponly", True), ("samesite", "Lax"), ("secure", secure)):
        morsel[attribute] = setting
    return morsel.OutputString()


def base_url(request: HTTPConnection) -> str:
    """Return the URL at which the caller reached the sandbox, without a path."""
    return str(request.base_url).rstrip("/")


class RawPaths:
    """Route by the raw path, so that an encoded `/` in an id stays part of the id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope.get("raw_path"):
            scope = {**scope, "path": scope["raw_path"].decode("ascii", "replace")}
        await self._app(scope, receive, send)
