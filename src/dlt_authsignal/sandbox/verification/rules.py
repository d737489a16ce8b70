"""Decide on a tracked action: by the tenant's rules, then by the action's default result."""

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenant.entities import Action, Rule, User
from dlt_authsignal.sandbox.tenant.settings import IpFacts

if TYPE_CHECKING:
    from datalogic_py import Rule as Compiled

Json = dict[str, Any]

OFAC_COUNTRIES: Final = frozenset({"CU", "IR", "KP", "SY"})
"""Countries under comprehensive sanctions of the United States; Authsignal's own list is not published."""

ANONYMOUS_NETWORK: Final = ipaddress.ip_network("192.0.2.0/24")
"""Addresses of this documentation range count as anonymous, so that you can test a rule."""

TRAVEL_TIME: Final = timedelta(hours=2)
"""Two countries within this time are an impossible travel. Authsignal's own limit is not published."""

KNOWN_AFTER: Final = 5
"""After this many actions, a country never seen before is an atypical travel. Assumed."""

BOTS: Final = ("bot", "crawler", "spider", "headlesschrome")


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The decision on an action.

    Attributes:
        result: ALLOW, BLOCK, CHALLENGE or REVIEW.
        rules: Rules that matched, the deciding one first.
        methods: Verification methods that may meet the challenge. Empty: all of the tenant.
        country_code: Country of the IP address.
        output: `output` of the action.
    """

    result: str
    rules: tuple[Rule, ...] = ()
    methods: tuple[str, ...] = ()
    country_code: str | None = None
    output: Mapping[str, Any] | None = None


class Attempt(Protocol):
    """The data of an attempt that track sends."""

    ip_address: str | None
    user_agent: str | None
    device_id: str | None
    custom: Json | None


def decide(sandbox: Sandbox, user: User, action_code: str, attempt: Attempt) -> Decision:
    """Decide on one attempt: the first active rule that matches, by priority, else the action's default.

    It changes nothing.
    """
    configured = sandbox.tenant.actions.get(action_code, {})
    facts = variables(sandbox, user, attempt)
    fired = [rule for rule, matched in considered(sandbox, action_code, facts) if rule["isActive"] and matched]
    decisive = fired[0] if fired else {}
    prompts = decisive.get("promptToEnrollVerificationMethods") or configured.get("promptToEnrollVerificationMethods")
    return Decision(
        result=decisive.get("type") or configured.get("defaultUserActionResult", sandbox.config.default_action_result),
        rules=tuple(
            Rule(rule_id=rule["ruleId"], name=rule["name"], description=rule.get("description")) for rule in fired
        ),
        methods=tuple(decisive.get("verificationMethods") or configured.get("verificationMethods") or ()),
        country_code=facts["ip"].get("countryCode"),
        output={"promptToEnrollVerificationMethods": prompts} if prompts else None,
    )


def considered(sandbox: Sandbox, action_code: str, facts: Json) -> list[tuple[Json, bool]]:
    """Return the rules of an action by priority, active or not, and whether each matches."""
    return [(rule, _matches(sandbox, rule, facts)) for rule in sandbox.tenant.rules_of(action_code)]


def _matches(sandbox: Sandbox, rule: Json, facts: Json) -> bool:
    if rule.get("conditions") is None:
        return sandbox.config.unconditional_rules_match
    return matches(rule, facts)


def matches(rule: Json, facts: Json) -> bool:
    """Return whether a rule's conditions hold. Conditions that cannot be evaluated do not hold."""
    from datalogic_py import DataLogicError

    try:
        return bool(compiled(json.dumps(rule.get("conditions"), sort_keys=True)).evaluate(facts))
    except DataLogicError:
        return False


@lru_cache(maxsize=1024)
def compiled(conditions: str) -> "Compiled":
    """Compile JsonLogic.

    Raises:
        DataLogicError: Not JsonLogic.
    """
    from datalogic_py import Engine

    return Engine().compile_checked(json.loads(conditions))


def variables(sandbox: Sandbox, user: User, attempt: Attempt) -> Json:
    """Return the variables of conditions: `ip`, `device`, `user`, `custom`, and the value lists by alias.

    How Authsignal's rules refer to value lists is not known. Assumed: as the variable `valueLists.<alias>`, whether the
    list is active or not, because `isActive` has no effect according to Authsignal's Terraform provider.
    """
    now = sandbox.clock.now()
    actions = sandbox.store.actions(user.user_id, now - timedelta(days=365))
    facts = _ip(sandbox, attempt.ip_address)
    country = facts.country_code
    devices = {value.device_id: value for value in sandbox.store.devices(user.user_id)}
    device = devices.get(attempt.device_id or "")
    agent = (attempt.user_agent or "").lower()
    return {
        "ip": {
            "isAnonymous": facts.is_anonymous,
            **({"countryCode": country} if country else {}),
            "countryCodeInOfacList": country in OFAC_COUNTRIES,
            "impossibleTravel": _travelled(actions, country, now - TRAVEL_TIME),
            "atypicalTravel": _is_atypical(actions, country),
        },
        "device": {
            "isNew": device is None,
            "isBot": any(word in agent for word in BOTS),
            "isRemembered": bool(device and device.remembered_until and device.remembered_until > now),
        },
        "user": {
            "hasPreviouslyVerified": any(value.last_verified_at for value in sandbox.store.authenticators(user.user_id))
            or any(action.state == "CHALLENGE_SUCCEEDED" for action in actions)
        },
        "custom": {**dict(user.custom or {}), **(attempt.custom or {})},
        sandbox.config.value_list_variable: {
            alias: value["valueListItems"] for alias, value in sandbox.tenant.value_lists.items()
        },
    }


def _ip(sandbox: Sandbox, address: str | None) -> IpFacts:
    if address in sandbox.ip_facts:
        return sandbox.ip_facts[address or ""]
    try:
        return IpFacts(is_anonymous=ipaddress.ip_address(address or "") in ANONYMOUS_NETWORK)
    except ValueError:
        return IpFacts()


def _travelled(actions: list[Action], country: str | None, since: Any) -> bool:
    if country is None:
        return False
    last = max((value for value in actions if value.country_code), key=lambda value: value.created_at, default=None)
    return last is not None and last.created_at > since and last.country_code != country


def _is_atypical(actions: list[Action], country: str | None) -> bool:
    seen = [value.country_code for value in actions if value.country_code]
    return country is not None and len(seen) >= KNOWN_AFTER and country not in seen
