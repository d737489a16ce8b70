"""Rules, and the try-out: what the rule engine of the sandbox would decide. It changes nothing."""

from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dlt_authsignal.sandbox.app.console.render import page
from dlt_authsignal.sandbox.core.refusals import Refusal
from dlt_authsignal.sandbox.http.routes.server.actions import check_code
from dlt_authsignal.sandbox.http.routes.server.users import enrolled
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenant.entities import User
from dlt_authsignal.sandbox.tenant.policy import tracked_state
from dlt_authsignal.sandbox.verification.rules import Decision, considered, decide, variables

Json = dict[str, Any]

LONGEST: Final = 2000
FIELDS: Final = ("user", "action", "ip", "device", "agent", "custom")
VALUE_LISTS_SHOWN: Final = 50


@dataclass(frozen=True, kw_only=True)
class Tried:
    """The result of a try-out.

    Attributes:
        decision: The decision of the rule engine.
        state: The state that the action would have.
        is_known: Whether the user exists.
        methods: Methods that the user has enrolled.
        rules: Rules of the action by priority: each, whether it matches, and whether it decides.
        facts: The variables that the conditions see.
    """

    decision: Decision
    state: str
    is_known: bool
    methods: tuple[str, ...]
    rules: tuple[tuple[Json, bool, bool], ...]
    facts: Json


class Asked(msgspec.Struct, kw_only=True):
    """The attempt of a try-out, as track sends it."""

    ip_address: str | None
    user_agent: str | None
    device_id: str | None
    custom: Json | None


def rules(sandbox: Sandbox, request: Request) -> Response:
    """Return the page with the rules, and the result of the try-out if the address has one."""
    form = {name: request.query_params.get(name, "")[:LONGEST] for name in FIELDS}
    tried, problem = None, ""
    if form["user"] or form["action"]:
        try:
            tried = try_out(sandbox, form)
        except ValueError as error:
            problem = str(error)
    every = sorted(sandbox.tenant.rules.values(), key=itemgetter("actionCode", "priority"))
    grouped = [(code, list(group)) for code, group in groupby(every, key=itemgetter("actionCode"))]
    return page(
        sandbox,
        request,
        "rules",
        "rules",
        status=400 if problem else 200,
        grouped=grouped,
        actions=sandbox.tenant.actions,
        default=sandbox.config.default_action_result,
        addresses=list(sandbox.ip_facts.items())[-VALUE_LISTS_SHOWN:],
        form=form,
        tried=tried,
        wrong=problem,
    )


def try_out(sandbox: Sandbox, form: dict[str, str]) -> Tried:
    """Decide on an attempt that is not made.

    Raises:
        ValueError: A field is missing or wrong.
    """
    user_id, code = form["user"].strip(), form["action"].strip()
    if not user_id or not code:
        raise ValueError("Enter a user id and an action code.")
    try:
        check_code(code)
    except Refusal as refusal:
        raise ValueError(refusal.description) from None
    known = sandbox.store.get_user(user_id)
    user = known or User(user_id=user_id, created_at=sandbox.clock.now())
    asked = Asked(
        ip_address=form["ip"].strip() or None,
        user_agent=form["agent"].strip() or None,
        device_id=form["device"].strip() or None,
        custom=_custom(form["custom"]),
    )
    decision, facts = decide(sandbox, user, code, asked), variables(sandbox, user, asked)
    deciding = decision.rules[0].rule_id if decision.rules else None
    methods = tuple(enrolled(sandbox, user_id))
    return Tried(
        decision=decision,
        state=tracked_state(decision.result, enrolled=bool(methods)),
        is_known=known is not None,
        methods=methods,
        rules=tuple((rule, met, rule["ruleId"] == deciding) for rule, met in considered(sandbox, code, facts)),
        facts=facts,
    )


def _custom(text: str) -> Json | None:
    if not text.strip():
        return None
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise ValueError('Custom data must be a JSON object, such as {"amount": 250}.') from None
