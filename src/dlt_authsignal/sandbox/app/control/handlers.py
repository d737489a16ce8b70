"""What the control routes do."""

import asyncio
import re
from difflib import get_close_matches
from typing import Final

from dlt_authsignal.sandbox.app.control.fields import Body, moment, name_in, whole
from dlt_authsignal.sandbox.app.control.settings import SWITCHES, check_switch
from dlt_authsignal.sandbox.app.not_emulated import NOT_EMULATED
from dlt_authsignal.sandbox.app.route_table import SERVED
from dlt_authsignal.sandbox.app.shown_stories import shown_stories
from dlt_authsignal.sandbox.core.clock import iso
from dlt_authsignal.sandbox.core.faults import fault_from_json
from dlt_authsignal.sandbox.core.rate_limits import limit_from_json
from dlt_authsignal.sandbox.hosted.texts import TEXTS
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenant.settings import IpFacts
from dlt_authsignal.sandbox.verification.challenge_flow import use_recovery_code

MAX_SEEDED_USERS: Final = 1_000_000
MAX_SEEDED_DAYS: Final = 3_650

UNITS: Final = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}

ROUTES: Final = tuple(str(described) for described, _ in SERVED)


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
        users, days = whole(body, "users", 500), whole(body, "days", 45)
        if users > MAX_SEEDED_USERS:
            raise ValueError(f"users must be at most {MAX_SEEDED_USERS}.")
        if days > MAX_SEEDED_DAYS:
            raise ValueError(f"days must be at most {MAX_SEEDED_DAYS}.")
        self._sandbox.seed(users, days, whole(body, "seed", 7))
        return self.info(body)

    def configure(self, body: Body) -> Body:
        for name, value in body.items():
            check_switch(name, value)
        self._sandbox.configure(**body)
        return self.info(body)

    def requests(self, _body: Body) -> Body:
        return self._sandbox.log.shown()

    def clear_requests(self, body: Body) -> Body:
        self._sandbox.log.clear()
        return self.requests(body)

    def snapshot(self, body: Body) -> Body:
        self._sandbox.snapshot(name_in(body))
        return self.snapshots(body)

    def restore(self, body: Body) -> Body:
        self._sandbox.restore(name_in(body))
        return self.info(body)

    def snapshots(self, _body: Body) -> Body:
        return {"snapshots": self._sandbox.snapshots()}

    def freeze(self, _body: Body) -> Body:
        self._sandbox.clock.freeze()
        return self._time()

    def advance(self, body: Body) -> Body:
        if unknown := sorted(set(body) - set(UNITS)):
            raise ValueError(f'Unknown unit "{unknown[0]}". Known: {", ".join(UNITS)}. The clock was not moved.')
        by = {unit: whole(body, unit, 0) for unit in UNITS}
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
        kpis = await asyncio.to_thread(self._sandbox.truth, moment(body.get("readAt")))
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


def _nearest(route: str) -> str:
    """Return the route that a path belongs to, else the one with the most similar text."""
    for known in ROUTES:
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", known), route):
            return known
    return get_close_matches(route, ROUTES, n=1, cutoff=0.0)[0]
