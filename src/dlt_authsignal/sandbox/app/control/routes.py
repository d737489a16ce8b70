"""The control routes of a sandbox. They need no key, and the real Authsignal does not have them."""

import inspect
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dlt_authsignal.sandbox.app.control.answering import route
from dlt_authsignal.sandbox.app.control.configuration import configuration_handlers
from dlt_authsignal.sandbox.app.control.fields import Body
from dlt_authsignal.sandbox.app.control.fixture import fixture_routes
from dlt_authsignal.sandbox.app.control.handlers import Control
from dlt_authsignal.sandbox.http.dispatch import json_response, read_body
from dlt_authsignal.sandbox.sandbox import Sandbox


def control_routes(sandbox: Sandbox) -> list[Route]:
    """Return the control routes of one sandbox."""
    control = Control(sandbox)
    return [
        _route("GET", "", control.info),
        _route("POST", "reset", control.reset),
        _route("POST", "seed", control.seed),
        _route("POST", "config", control.configure),
        _route("GET", "requests", control.requests),
        _route("DELETE", "requests", control.clear_requests),
        _route("POST", "snapshot", control.snapshot),
        _route("POST", "restore", control.restore),
        _route("GET", "snapshots", control.snapshots),
        _route("POST", "clock/freeze", control.freeze),
        _route("POST", "clock/advance", control.advance),
        _route("POST", "clock/resume", control.resume),
        _route("GET", "outbox", control.outbox),
        _route("DELETE", "outbox", control.clear_outbox),
        _route("POST", "ip", control.know_ip),
        _route("POST", "recovery-code", control.use_recovery_code),
        _route("GET", "truth", control.truth),
        *(_route(method, f"configuration/{path}", act) for method, path, act in configuration_handlers(sandbox)),
        *fixture_routes(sandbox),
        _route("GET", "not-emulated", control.not_emulated),
        _route("GET", "texts", control.texts),
        _route("GET", "faults", control.faults),
        _route("POST", "faults", control.add_fault),
        _route("DELETE", "faults", control.clear_faults),
        _route("GET", "limits", control.limits),
        _route("POST", "limits", control.set_limit),
        _route("DELETE", "limits", control.clear_limits),
        _route("GET", "webhooks", sandbox.webhooks.shown),
        _route("POST", "webhooks", control.change_webhooks),
        _route("POST", "webhooks/flush", sandbox.webhooks.flushed),
        _route("POST", "webhooks/resend", sandbox.webhooks.resent),
    ]


async def _body(request: Request) -> Body:
    """Return the JSON body, or the query if there is no body."""
    try:
        raw = await read_body(request)
        body = msgspec.json.decode(raw) if raw.strip() else dict(request.query_params)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("The body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise ValueError("The body must be a JSON object.")
    return body


def _route(method: str, path: str, act: Callable[[Body], Any]) -> Route:
    async def answer(request: Request) -> Response:
        said = act(await _body(request))
        return json_response(await said if inspect.isawaitable(said) else said)

    return route(method, path, answer)
