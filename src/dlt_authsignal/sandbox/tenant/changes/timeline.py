"""The configuration changes of the seeded tenant, as a pure function of its first configuration and their moments."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from dlt_authsignal.sandbox.core.config import SandboxConfig
from dlt_authsignal.sandbox.tenant.catalogue import ABROAD, COUNTRIES
from dlt_authsignal.sandbox.tenant.changes.moments import (
    COUNTRY_RULE,
    FORGOTTEN_COUNTRY,
    NEW_ACTION,
    PAYMENT_RULE,
    REMOVED_COUNTRIES,
    Moments,
)
from dlt_authsignal.sandbox.tenant.entities import Rule
from dlt_authsignal.sandbox.tenant.settings import REVIEW_RULE, UPLIFT_RULE, Tenant, default_result, make_rule

Json = dict[str, Any]

Table = Literal["action_configurations", "rules", "authenticator_configurations", "value_lists"]
Kind = Literal["added", "changed", "removed"]

_COLLECTIONS: Final[Mapping[Table, str]] = {
    "action_configurations": "actions",
    "rules": "rules",
    "authenticator_configurations": "methods",
    "value_lists": "value_lists",
}

PAYMENT_COUNTRIES: Final = "payment-countries"
"""Alias of the value list."""

_ALL_COUNTRIES: Final = (*(country.code for country in COUNTRIES), *ABROAD)


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigurationChange:
    """One change of the seeded tenant's configuration.

    Attributes:
        at: When it happened, in UTC.
        table: Table that shows it, such as `rules`.
        key: Natural key in that table: action code, rule id, authenticator id or alias.
        change: `added`, `changed` or `removed`.
        action_codes: Action codes that it concerns.
        description: A sentence that says what was changed.
        after: The whole configuration after it, and after all changes of the same moment.
    """

    at: datetime
    table: Table
    key: str
    change: Kind
    action_codes: tuple[str, ...]
    description: str
    after: Tenant = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Edit:
    """A new value of one object, before it has a time."""

    table: Table
    key: str
    value: Json
    action_codes: tuple[str, ...]
    description: str


Step = Callable[[Tenant], list[_Edit]]
"""Returns the edits of one moment: none if the tenant does not have what they change."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The configuration of the seeded tenant through time.

    Attributes:
        first: The configuration before the first change.
        changes: The changes, oldest first.
        moments: Their moments, from which the effects on attempts follow.
        until: When the tenant was seeded. From then on it keeps no earlier configurations.
    """

    first: Tenant
    changes: tuple[ConfigurationChange, ...]
    moments: Moments
    until: datetime

    @property
    def last(self) -> Tenant:
        """The configuration after all changes."""
        return self.changes[-1].after if self.changes else self.first

    def at(self, moment: datetime) -> Tenant:
        """Return the configuration of a moment before `until`."""
        return next((change.after for change in reversed(self.changes) if change.at <= moment), self.first)


def timeline(tenant: Tenant, config: SandboxConfig, moments: Moments, until: datetime) -> Timeline:
    """Return the timeline of a tenant that starts with the given configuration.

    A change is left out if its moment is None, or if the tenant does not have what it changes. Then its effects are
    left out as well: see `Timeline.moments`.
    """
    first = tenant = _first(tenant, config)
    changes: list[ConfigurationChange] = []
    kept: dict[str, datetime | None] = {}
    for name, step in _steps(config):
        at: datetime | None = getattr(moments, name)
        edits = step(tenant) if at else []
        kept[name] = at if edits else None
        before = tenant
        for edit in edits:
            tenant = tenant.put(_COLLECTIONS[edit.table], edit.key, edit.value)
        changes.extend(_dated(edit, at, before, tenant) for edit in edits if at)
    return Timeline(first, tuple(changes), Moments(**kept), until)


def _dated(edit: _Edit, at: datetime, before: Tenant, after: Tenant) -> ConfigurationChange:
    existed = edit.key in getattr(before, _COLLECTIONS[edit.table])
    return ConfigurationChange(
        at=at,
        table=edit.table,
        key=edit.key,
        change="changed" if existed else "added",
        action_codes=edit.action_codes,
        description=edit.description,
        after=after,
    )


def _first(tenant: Tenant, config: SandboxConfig) -> Tenant:
    """Return the configuration before all changes: signIn lists its methods, payments have a rule with a list."""
    methods = tenant.active_methods()
    tenant = tenant.put("actions", "signIn", {**tenant.actions["signIn"], "verificationMethods": methods})
    countries = {
        "name": "Payment countries",
        "alias": PAYMENT_COUNTRIES,
        "itemType": "string",
        "isActive": True,
        "valueListItems": list(_ALL_COUNTRIES),
    }
    allowed = {"var": f"{config.value_list_variable}.{PAYMENT_COUNTRIES}"}
    rule = _blocking(PAYMENT_RULE, "payment", 0, allowed, config)
    return tenant.put("value_lists", PAYMENT_COUNTRIES, countries).put("rules", PAYMENT_RULE.rule_id, rule)


def _blocking(rule: Rule, code: str, priority: int, countries: Json | list[str], config: SandboxConfig) -> Json:
    """Return a rule that blocks attempts from outside of a list of countries."""
    conditions = _outside_of(countries)
    more = {"actionCode": code, "tenantId": config.tenant_id}
    return make_rule(rule.rule_id, rule.name, rule.description or "", priority, "BLOCK", conditions, **more)


def _outside_of(countries: Json | list[str]) -> Json:
    """Return conditions that hold for attempts from a known country that the list does not contain."""
    country = {"var": "ip.countryCode"}
    return {"and": [{"!!": country}, {"!": {"in": [country, countries]}}]}


def _steps(config: SandboxConfig) -> Iterator[tuple[str, Step]]:
    """Iterate over the steps in order of time, each with the name of its moment."""
    yield "passkey_offered", _passkey_offered
    yield "country_rule_added", lambda _tenant: [_country_rule(config)]
    yield "country_rule_off", _country_rule_off
    yield "priorities_swapped", _priorities_swapped
    yield "sms_off", _sms_off
    yield "list_shortened", _list_shortened
    yield "action_added", lambda tenant: _action_added(tenant, config)


def _passkey_offered(tenant: Tenant) -> list[_Edit]:
    action = {**tenant.actions["signIn"], "promptToEnrollVerificationMethods": ["PASSKEY"]}
    text = "signIn offers a passkey to users who have none: PASSKEY was added to its prompts."
    return [_Edit("action_configurations", "signIn", action, ("signIn",), text)]


def _country_rule(config: SandboxConfig) -> _Edit:
    allowed = [code for code in _ALL_COUNTRIES if code != FORGOTTEN_COUNTRY]
    rule = _blocking(COUNTRY_RULE, "signIn", 3, allowed, config)
    text = f'Rule "{rule["name"]}" was added to signIn. It blocks {FORGOTTEN_COUNTRY} as well, where many users live.'
    return _Edit("rules", COUNTRY_RULE.rule_id, rule, ("signIn",), text)


def _country_rule_off(tenant: Tenant) -> list[_Edit]:
    rule = {**tenant.rules[COUNTRY_RULE.rule_id], "isActive": False}
    return [
        _Edit("rules", COUNTRY_RULE.rule_id, rule, ("signIn",), f'Rule "{rule["name"]}" of signIn was switched off.')
    ]


def _priorities_swapped(tenant: Tenant) -> list[_Edit]:
    """Swap two rules, one of which is switched off: no attempt can end differently."""
    one, other = tenant.rules[REVIEW_RULE], tenant.rules[UPLIFT_RULE]
    return [_with_priority(one, other["priority"]), _with_priority(other, one["priority"])]


def _with_priority(rule: Json, priority: int) -> _Edit:
    text = f'Rule "{rule["name"]}" of signIn has priority {priority} instead of {rule["priority"]}.'
    return _Edit("rules", rule["ruleId"], {**rule, "priority": priority}, ("signIn",), text)


def _sms_off(tenant: Tenant) -> list[_Edit]:
    action = tenant.actions["signIn"]
    others = [method for method in action["verificationMethods"] if method != "SMS"]
    if not others or others == action["verificationMethods"]:
        return []
    text = "SMS was switched off for signIn: it was removed from the verification methods of the action."
    return [_Edit("action_configurations", "signIn", {**action, "verificationMethods": others}, ("signIn",), text)]


def _list_shortened(tenant: Tenant) -> list[_Edit]:
    value = tenant.value_lists[PAYMENT_COUNTRIES]
    items = [item for item in value["valueListItems"] if item not in REMOVED_COUNTRIES]
    text = (
        f'{", ".join(REMOVED_COUNTRIES)} were removed from value list "{value["name"]}", which a rule of payment uses.'
    )
    return [_Edit("value_lists", PAYMENT_COUNTRIES, {**value, "valueListItems": items}, ("payment",), text)]


def _action_added(tenant: Tenant, config: SandboxConfig) -> list[_Edit]:
    if NEW_ACTION in tenant.actions:
        return []
    action = {"actionCode": NEW_ACTION, "tenantId": config.tenant_id, **default_result(config, NEW_ACTION)}
    return [
        _Edit("action_configurations", NEW_ACTION, action, (NEW_ACTION,), f"Action code {NEW_ACTION} was configured.")
    ]
