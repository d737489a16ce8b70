"""Control routes under `/_sandbox/`. They need no key, and the real Authsignal does not have them."""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dlt_authsignal.sandbox.app.configuration_control import configuration_handlers
from dlt_authsignal.sandbox.app.fixture_control import fixture_routes
from dlt_authsignal.sandbox.app.not_emulated import NOT_EMULATED
from dlt_authsignal.sandbox.app.route_table import SERVED
from dlt_authsignal.sandbox.app.shown_stories import shown_stories
from dlt_authsignal.sandbox.core.clock import iso
from dlt_authsignal.sandbox.core.config import VALUE_LIST_VARIABLE, check_fixed_codes
from dlt_authsignal.sandbox.core.faults import fault_from_json
from dlt_authsignal.sandbox.core.rate_limits import limit_from_json
from dlt_authsignal.sandbox.core.refusals import Refusal
from dlt_authsignal.sandbox.hosted.texts import TEXTS
from dlt_authsignal.sandbox.http.dispatch import json_response, read_body
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenant.policy import ACTION_CODE
from dlt_authsignal.sandbox.tenant.settings import IpFacts
from dlt_authsignal.sandbox.verification.challenge_flow import use_recovery_code

SWITCHES: Final[dict[str, Any]] = {
    "listing": ("allowed", "refused"),
    "fixed_codes": dict,
    "default_page_size": int,
    "max_page_size": int,
    "default_action_result": ("ALLOW", "BLOCK", "CHALLENGE", "REVIEW"),
    "token_minutes": int,
    "missing_scope_status": (401, 403),
    "passkey_action": ACTION_CODE,
    "failed_on_max_attempts": bool,
    "masked_credentials": bool,
    "unconditional_rules_match": bool,
    "value_list_variable": VALUE_LIST_VARIABLE,
}
"""Settings that can change while the sandbox runs: their values, their type, or a pattern."""

MAX_SWITCH: Final = 1_000_000
MAX_SEEDED_USERS: Final = 1_000_000
MAX_SEEDED_DAYS: Final = 3_650

UNITS: Final = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}

ROUTES: Final = tuple(str(described) for described, _ in SERVED)

Body = dict[str, Any]


class Control:
    """The handlers of the control routes of one sandbox. Invalid input raises ValueError."""

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
            raise ValueError(f"users must be at most {MAX_SEEDED_USERS}.")
        if days > MAX_SEEDED_DAYS:
            raise ValueError(f"days must be at most {MAX_SEEDED_DAYS}.")
        self._sandbox.seed(users, days, _whole(body, "seed", 7))
        return self.info(body)

    def configure(self, body: Body) -> Body:
        for name, value in body.items():
            _check_switch(name, value)
        self._sandbox.configure(**body)
        return self.info(body)

    def requests(self, _body: Body) -> Body:
        return self._sandbox.log.shown()

    def clear_requests(self, body: Body) -> Body:
        self._sandbox.log.clear()
        return self.requests(body)

    def snapshot(self, body: Body) -> Body:
        self._sandbox.snapshot(_name(body))
        return self.snapshots(body)

    def restore(self, body: Body) -> Body:
        self._sandbox.restore(_name(body))
        return self.info(body)

    def snapshots(self, _body: Body) -> Body:
        return {"snapshots": self._sandbox.snapshots()}

    def freeze(self, _body: Body) -> Body:
        self._sandbox.clock.freeze()
        return self._time()

    def advance(self, body: Body) -> Body:
        if unknown := sorted(set(body) - set(UNITS)):
            raise ValueError(f'Unknown unit "{unknown[0]}". Known: {", ".join(UNITS)}. The clock was not moved.')
        by = {unit: _whole(body, unit, 0) for unit in UNITS}
        self._sandbox.clock.advance(seconds=sum(UNITS[unit] * count for unit, count in by.items()))
        return self._time()

    def resume(self, _body: Body) -> Body:
        self._sandbox.clock.resume()
        return self._time()

    def _time(self) -> Body:
        clock = self._sandbox.clock
        return {"now": iso(clock.now()), "frozen": clock.is_frozen}

    def outbox(self, body: Body) -> Body:
        to = body.get("to")
        messages = [value for value in self._sandbox.outbox if to in (None, value.to, value.user_id)]
        return {"messages": [value.shown() for value in messages]}

    def clear_outbox(self, body: Body) -> Body:
        self._sandbox.outbox.clear()
        return self.outbox(body)

    async def truth(self, body: Body) -> Body:
        kpis = await asyncio.to_thread(self._sandbox.truth, _moment(body.get("readAt")))
        return {"kpis": kpis, "stories": await asyncio.to_thread(shown_stories, self._sandbox)}

    def not_emulated(self, _body: Body) -> Body:
        return {"notEmulated": list(NOT_EMULATED)}

    def know_ip(self, body: Body) -> Body:
        """Set what rules see of an IP address."""
        address, country, anonymous = body.get("address"), body.get("countryCode"), body.get("isAnonymous", False)
        if not isinstance(address, str) or not address:
            raise ValueError("address must be text.")
        if (country is not None and not isinstance(country, str)) or not isinstance(anonymous, bool):
            raise ValueError("countryCode must be text, isAnonymous true or false.")
        self._sandbox.ip_facts[address] = IpFacts(country_code=country, is_anonymous=anonymous)
        return {"known": len(self._sandbox.ip_facts)}

    async def use_recovery_code(self, body: Body) -> Body:
        token, code = body.get("token"), body.get("code")
        if not isinstance(token, str) or not isinstance(code, str):
            raise ValueError("token and code must be text.")
        return {"accessToken": await use_recovery_code(self._sandbox, token, code)}

    async def change_webhooks(self, body: Body) -> Body:
        """Change settings and faults of the webhooks, then send the tenant's past if `send_history` is there."""
        wanted = body.pop("send_history", None)
        shown = self._sandbox.webhooks.change(body)
        if wanted is None:
            return shown
        sent = await self._sandbox.history.asked(wanted)
        return {**self._sandbox.webhooks.shown(), "history": sent}

    def texts(self, _body: Body) -> Body:
        """Return the texts of the hosted pages by id, as message overrides replace them."""
        return {"texts": dict(TEXTS)}

    def faults(self, _body: Body) -> Body:
        return {"faults": self._sandbox.faults.shown()}

    def add_fault(self, body: Body) -> Body:
        fault = fault_from_json(body)
        if fault.route not in ("*", *ROUTES):
            raise ValueError(
                f'The sandbox does not serve the route "{fault.route}". Did you mean "{_nearest(fault.route)}"?'
            )
        self._sandbox.faults.add(fault)
        return self.faults(body)

    def clear_faults(self, body: Body) -> Body:
        self._sandbox.faults.clear()
        return self.faults(body)

    def limits(self, _body: Body) -> Body:
        return {"limits": self._sandbox.limits.shown()}

    def set_limit(self, body: Body) -> Body:
        self._sandbox.limits.set(limit_from_json(body))
        return self.limits(body)

    def clear_limits(self, body: Body) -> Body:
        self._sandbox.limits.clear()
        return self.limits(body)


class OwnPagesOnly:
    """Refuse requests to `/_sandbox/` from pages of other sites.

    Browsers send the origin of a page that writes, and current ones where every request comes from. A link that a
    reader follows may come from anywhere: it only shows a page.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and scope["path"].startswith("/_sandbox") and _is_foreign(Request(scope)):
            app = json_response(
                {"error": "Pages of other sites cannot control the sandbox. Send no Origin header."},
                403,
            )
        await app(scope, receive, send)


def _is_foreign(request: Request) -> bool:
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if origin is not None and origin != f"{request.url.scheme}://{request.headers.get('host', '')}":
        return True
    follows = request.method in ("GET", "HEAD") and request.headers.get("sec-fetch-mode") == "navigate"
    return site in ("cross-site", "same-site") and not follows


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


def _check_switch(name: str, value: Any) -> None:
    if name not in SWITCHES:
        raise ValueError(f'Unknown setting "{name}". Known: {", ".join(SWITCHES)}.')
    allowed = SWITCHES[name]
    if isinstance(allowed, tuple) and value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(str, allowed))}.")
    if allowed is ACTION_CODE and not (isinstance(value, str) and ACTION_CODE.fullmatch(value)):
        raise ValueError(f"{name} must have 1 to 64 letters, digits, hyphens or underscores.")
    if allowed is VALUE_LIST_VARIABLE and not (isinstance(value, str) and VALUE_LIST_VARIABLE.fullmatch(value)):
        raise ValueError(f"{name} must be a name without dots other than ip, device, user and custom.")
    if allowed is dict:
        check_fixed_codes(value)
    if allowed is bool and not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false.")
    if allowed is int and (not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_SWITCH):
        raise ValueError(f"{name} must be a whole number from 1 to {MAX_SWITCH}.")


def _nearest(route: str) -> str:
    """Return the route that a path belongs to, else the one with the most similar text."""
    for known in ROUTES:
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", known), route):
            return known
    return get_close_matches(route, ROUTES, n=1, cutoff=0.0)[0]


def _whole(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} must be a whole number, 0 or more.")
    return value


def _name(body: Body) -> str:
    if not isinstance(name := body.get("name"), str):
        raise ValueError("name must be text.")
    return name


def _moment(text: Any) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(str(text))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


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


def _route(method: str, path: str, act: Callable[[dict[str, Any]], Any]) -> Route:
    async def handle(request: Request) -> Response:
        try:
            answer = act(await _body(request))
            return json_response(await answer if inspect.isawaitable(answer) else answer)
        except ValueError as error:
            return json_response({"error": str(error)}, 400)
        except Refusal as refusal:
            return json_response({"error": refusal.description}, refusal.status)

    handler: Callable[[Request], Awaitable[Response]] = handle
    return Route(f"/_sandbox/{path}", handler, methods=[method])
