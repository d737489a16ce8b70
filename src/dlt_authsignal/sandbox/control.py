"""Control routes under `/_sandbox/`: no Authsignal has them, and no key guards them. Loopback only, for tests."""

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
from dlt_authsignal.sandbox.state import Sandbox

SWITCHES: Final = ("listing", "default_page_size", "max_page_size", "default_action_result", "token_minutes")
MAX_SEEDED_USERS: Final = 1_000_000


def control_routes(sandbox: Sandbox) -> list[Route]:
    """The routes, bound to one sandbox."""

    def info(_body: dict[str, Any]) -> Any:
        switches = {name: getattr(sandbox.config, name) for name in SWITCHES}
        return {
            "tenantId": sandbox.config.tenant_id,
            "now": iso(sandbox.clock.now()),
            "counts": sandbox.store.counts(),
            "config": switches,
        }

    def reset(body: dict[str, Any]) -> Any:
        sandbox.reset()
        return info(body)

    def seed(body: dict[str, Any]) -> Any:
        users, days = _whole(body, "users", 500), _whole(body, "days", 45)
        if users > MAX_SEEDED_USERS:
            raise ValueError(f"users is at most {MAX_SEEDED_USERS}.")
        sandbox.seed(users, days, _whole(body, "seed", 7))
        return info(body)

    def configure(body: dict[str, Any]) -> Any:
        unknown = [name for name in body if name not in SWITCHES]
        if unknown:
            raise ValueError(f'Unknown setting "{unknown[0]}". Known: {", ".join(SWITCHES)}.')
        if body.get("listing", "allowed") not in ("allowed", "refused"):
            raise ValueError("listing is allowed or refused.")
        sandbox.configure(**body)
        return info(body)

    def requests(_body: dict[str, Any]) -> Any:
        log = sandbox.log
        return {
            "total": sum(log.by_route.values()),
            "byRoute": dict(sorted(log.by_route.items())),
            "byStatus": {str(status): count for status, count in sorted(log.by_status.items())},
            "last": list(log.entries)[-100:],
        }

    def clear_requests(body: dict[str, Any]) -> Any:
        sandbox.log.clear()
        return requests(body)

    def advance(body: dict[str, Any]) -> Any:
        sandbox.clock.advance(timedelta(seconds=_whole(body, "seconds", 0)))
        return {"now": iso(sandbox.clock.now())}

    def add_fault(body: dict[str, Any]) -> Any:
        sandbox.faults.add(fault_from_json(body))
        return {"added": True}

    def clear_faults(_body: dict[str, Any]) -> Any:
        sandbox.faults.clear()
        return {"cleared": True}

    return [
        _route("GET", "", info),
        _route("POST", "reset", reset),
        _route("POST", "seed", seed),
        _route("POST", "config", configure),
        _route("GET", "requests", requests),
        _route("DELETE", "requests", clear_requests),
        _route("POST", "clock/advance", advance),
        _route("POST", "faults", add_fault),
        _route("DELETE", "faults", clear_faults),
    ]


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
            return json_response(act(body))
        except ValueError as error:
            return json_response({"error": str(error)}, 400)

    handler: Callable[[Request], Awaitable[Response]] = handle
    return Route(f"/_sandbox/{path}", handler, methods=[method])
