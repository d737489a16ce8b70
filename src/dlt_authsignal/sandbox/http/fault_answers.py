"""Apply a fault: to the tenant and the delay before the response, and to the response."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import datetime
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dlt_authsignal.api.responses import error_body
from dlt_authsignal.sandbox.core.faults import ANSWERS, Fault, Waiting

if TYPE_CHECKING:
    from dlt_authsignal.sandbox.sandbox import Sandbox

CONNECTION: Final = "dlt_authsignal.connection"
"""ASGI extension of the sandbox's server: the connection, which a fault can break."""

RESET_STATUS: Final = 0
"""Status in the request log for a call without a response."""

TRICKLES: Final = 10
"""Number of parts of a slow body."""

CURSOR: Final = "lastEvaluatedUserId"

UNKNOWN_FIELDS: Final = {"sandboxNewText": "tomorrow", "sandboxNewObject": {"list": [1, "two", None], "flag": True}}


class Reset(Response):
    """No response: the connection is reset."""

    def __init__(self) -> None:
        super().__init__(status_code=RESET_STATUS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = scope.get("extensions", {}).get(CONNECTION)
        if connection is None:
            raise ConnectionResetError("Injected fault: the connection is reset.")
        connection.reset()
        while (await receive())["type"] != "http.disconnect":
            pass


class Trickle(Response):
    """A response whose body arrives in parts over some seconds."""

    def __init__(self, whole: Response, seconds: float) -> None:
        super().__init__(whole.body, whole.status_code)
        self.raw_headers = whole.raw_headers
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body = bytes(self.body)
        size = max(1, -(-len(body) // TRICKLES))
        for start in range(0, len(body), size):
            await asyncio.sleep(self._seconds / TRICKLES)
            await send({"type": "http.response.body", "body": body[start : start + size], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def before(sandbox: "Sandbox", request: Request, applied: Waiting) -> Response | None:
    """Apply a fault before the response is made. Return a response if the fault replaces it."""
    fault = applied.fault
    if fault.kind in ANSWERS:
        return _instead(fault)
    if seconds := fault.wait(applied.rng):
        await asyncio.sleep(seconds)
    if fault.kind == "drop_user":
        sandbox.delete_user(unquote(request.path_params["userId"]), actions=True)
    return None


def _instead(fault: Fault) -> Response:
    if fault.kind == "reset":
        return Reset()
    if fault.kind == "status":
        code = "too_many_requests" if fault.status == 429 else "sandbox_fault"
        body = msgspec.json.encode(error_body(code, "Injected fault of the sandbox."))
        return Response(body, fault.status, _json_headers(fault))
    if fault.kind == "html":
        return Response("<!doctype html><title>Gateway</title>", 200, dict(fault.headers), "text/html")
    return Response(fault.body, 200, _json_headers(fault))


def _json_headers(fault: Fault) -> dict[str, str]:
    return {"content-type": "application/json", **{name.lower(): value for name, value in fault.headers.items()}}


def after(sandbox: "Sandbox", request: Request, applied: Waiting, response: Response) -> Response:
    """Apply a fault to the response."""
    fault = applied.fault
    match fault.kind:
        case "cut":
            response.headers["content-length"] = str(len(response.body))
            response.body = bytes(response.body)[: len(response.body) // 2]
        case "content_type":
            response.headers["content-type"] = "text/html"
        case "slow":
            return Trickle(response, fault.seconds)
        case "clock_skew":
            _skew(request, response, fault.seconds)
        case "repeat_cursor" | "skip_cursor" if response.status_code == 200:
            _rewrite(response, lambda page: _with_cursor(sandbox, request, page, fault.kind))
        case "unknown_fields" if response.status_code == 200:
            _rewrite(response, _with_unknown_fields)
        case "changed_types" if response.status_code == 200:
            _rewrite(response, lambda value: _with_changed_types(value, _chooser(fault)))
    return response


def _skew(request: Request, response: Response, seconds: float) -> None:
    response.headers["date"] = formatdate(time.time() + seconds, usegmt=True)
    connection = request.scope.get("extensions", {}).get(CONNECTION)
    if connection is not None:
        connection.without_date()


def _rewrite(response: Response, change: Callable[[Any], Any]) -> None:
    response.body = msgspec.json.encode(change(msgspec.json.decode(response.body)))
    response.headers["content-length"] = str(len(response.body))


def _with_cursor(sandbox: "Sandbox", request: Request, page: dict[str, Any], kind: str) -> dict[str, Any]:
    if kind == "repeat_cursor":
        return {**page, CURSOR: request.query_params[CURSOR]}
    if CURSOR not in page:
        return page
    users, beyond = sandbox.store.page(page[CURSOR], _limit(sandbox, request))
    del users  # skipped: this is the fault
    rest = {name: value for name, value in page.items() if name != CURSOR}
    return rest if beyond is None else {**rest, CURSOR: beyond}


def _limit(sandbox: "Sandbox", request: Request) -> int:
    asked = request.query_params.get("limit")
    return min(int(float(asked)), sandbox.config.max_page_size) if asked else sandbox.config.default_page_size


def _with_unknown_fields(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_unknown_fields(item) for item in value]
    if isinstance(value, dict):
        return {name: _with_unknown_fields(item) for name, item in value.items()} | UNKNOWN_FIELDS
    return value


def _chooser(fault: Fault) -> Callable[[str], bool]:
    """Choose the fields that change, by name: a schema changes in the same way for all rows."""
    if fault.fields:
        return lambda name: name in fault.fields
    return lambda name: random.Random(f"{fault.seed or 0}:{name}").random() < 0.5


def _with_changed_types(value: Any, chosen: Callable[[str], bool]) -> Any:
    if isinstance(value, list):
        return [_with_changed_types(item, chosen) for item in value]
    if isinstance(value, dict):
        return {
            name: _other_type(item) if chosen(name) else _with_changed_types(item, chosen)
            for name, item in value.items()
        }
    return value


def _other_type(value: Any) -> Any:
    """Turn numbers and booleans into text, and text that reads as a number, boolean or time into that type."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        return value
    if value in ("true", "false"):
        return value == "true"
    if value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    try:
        return int(datetime.fromisoformat(value).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return value
