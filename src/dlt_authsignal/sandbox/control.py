"""Control routes under `/_sandbox/`: no Authsignal has them, and no key guards them. Loopback only, for tests."""

import inspect
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dlt_authsignal.sandbox.clock import iso
from dlt_authsignal.sandbox.faults import fault_from_json
from dlt_authsignal.sandbox.http import json_response
from dlt_authsignal.sandbox.served import SERVED
from dlt_authsignal.sandbox.state import Sandbox

SWITCHES: Final[dict[str, Any]] = {
    "listing": ("allowed", "refused"),
    "default_page_size": int,
    "max_page_size": int,
    "default_action_result": ("ALLOW", "BLOCK", "CHALLENGE", "REVIEW"),
    "token_minutes": int,
}
"""What can be changed while it runs, and the values it takes."""

MAX_SEEDED_USERS: Final = 1_000_000


ROUTES: Final = tuple(str(described) for described, _ in SERVED)

Body = dict[str, Any]


class Control:
    """What the routes do, bound to one sandbox. Bad input raises ValueError."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def info(self, _body: Body) -> Body:
        sandbox = self._sandbox
        return {
            "tenantId": sandbox.config.tenant_id,
            "now": iso(sandbox.clock.now()),
            "counts": sandbox.store.counts(),
            "config": {name: getattr(sandbox.config, name) for name in SWITCHES},
        }

    def reset(self, body: Body) -> Body:
        self._sandbox.reset()
        return self.info(body)

    def seed(self, body: Body) -> Body:
        users, days = _whole(body, "users", 500), _whole(body, "days", 45)
        if users > MAX_SEEDED_USERS:
            raise ValueError(f"users is at most {MAX_SEEDED_USERS}.")
        self._sandbox.seed(users, days, _whole(body, "seed", 7))
        return self.info(body)

    def configure(self, body: Body) -> Body:
        for name, value in body.items():
            _check_switch(name, value)
        self._sandbox.configure(**body)
        return self.info(body)

    def requests(self, _body: Body) -> Body:
        log = self._sandbox.log
        return {
            "total": sum(log.by_route.values()),
            "mostInFlight": log.most_in_flight,
            "byRoute": dict(sorted(log.by_route.items())),
            "byStatus": {str(status): count for status, count in sorted(log.by_status.items())},
            "last": list(log.entries)[-100:],
        }

    def clear_requests(self, body: Body) -> Body:
        self._sandbox.log.clear()
        return self.requests(body)

    def advance(self, body: Body) -> Body:
        self._sandbox.clock.advance(timedelta(seconds=_whole(body, "seconds", 0)))
        return {"now": iso(self._sandbox.clock.now())}

    def add_fault(self, body: Body) -> Body:
        fault = fault_from_json(body)
        if fault.route not in ("*", *ROUTES):
            raise ValueError(f'The sandbox serves no route "{fault.route}". Write it as in {ROUTES[0]}.')
        self._sandbox.faults.add(fault)
        return {"added": True}

    def clear_faults(self, _body: Body) -> Body:
        self._sandbox.faults.clear()
        return {"cleared": True}


def control_routes(sandbox: Sandbox) -> list[Route]:
    """The routes, bound to one sandbox."""
    control = Control(sandbox)
    return [
        _route("GET", "", control.info),
        _route("POST", "reset", control.reset),
        _route("POST", "seed", control.seed),
        _route("POST", "config", control.configure),
        _route("GET", "requests", control.requests),
        _route("DELETE", "requests", control.clear_requests),
        _route("POST", "clock/advance", control.advance),
        _route("POST", "faults", control.add_fault),
        _route("DELETE", "faults", control.clear_faults),
        _route("GET", "webhooks", sandbox.webhooks.shown),
        _route("POST", "webhooks", sandbox.webhooks.change),
        _route("POST", "webhooks/flush", sandbox.webhooks.flushed),
    ]


def _check_switch(name: str, value: Any) -> None:
    if name not in SWITCHES:
        raise ValueError(f'Unknown setting "{name}". Known: {", ".join(SWITCHES)}.')
    allowed = SWITCHES[name]
    if isinstance(allowed, tuple) and value not in allowed:
        raise ValueError(f"{name} is one of {', '.join(allowed)}.")
    if allowed is int and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ValueError(f"{name} must be a whole number above 0.")


def _whole(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} must be a whole number, 0 or more.")
    return value


def _route(method: str, path: str, act: Callable[[dict[str, Any]], Any]) -> Route:
    async def handle(request: Request) -> Response:
        try:
            body = json.loads(await request.body() or b"{}")
            if not isinstance(body, dict):
                raise ValueError("The body must be a JSON object.")
            answer = act(body)
            return json_response(await answer if inspect.isawaitable(answer) else answer)
        except ValueError as error:
            return json_response({"error": str(error)}, 400)

    handler: Callable[[Request], Awaitable[Response]] = handle
    return Route(f"/_sandbox/{path}", handler, methods=[method])
