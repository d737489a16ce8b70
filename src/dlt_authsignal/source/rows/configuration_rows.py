"""The Management API's answers as items of the configuration tables, without webhook paths and credentials."""

from collections.abc import Container, Iterable, Mapping
from typing import Any, Final

from yarl import URL

from dlt_authsignal.schema.tables import configuration as tables
from dlt_authsignal.schema.tables.configuration import fields_of
from dlt_authsignal.source.metrics.schema_drift import Drift
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.rows.json_logic import operands, protected

Item = Mapping[str, Any]

_HOSTS: Final = {"verificationWebhookUrl": "verificationWebhookHost", "webhookUrl": "webhookHost"}
_URLS: Final = ("expectedOrigins", "redirectUrls")
_LIST: Final = "valueListItems"
_NUMBERS: Final = ("rateLimitConfiguration", "sendingRateLimitConfiguration")


def action_items(found: Iterable[Item]) -> list[Item]:
    """Return action configurations, with the host of their webhook only."""
    return [_with_hosts(item) for item in found]


def rule_items(found: Iterable[Item], privacy: Privacy) -> list[Item]:
    """Return rules, with the constants in their conditions protected."""
    return [{**item, "conditions": _conditions(item, privacy)} for item in found]


def condition_items(rules: Iterable[Item]) -> list[Item]:
    """Return the operands of the conditions of rules that `rule_items` returned."""
    return [
        {"ruleId": rule["ruleId"], "actionCode": rule.get("actionCode"), **operand._asdict()}
        for rule in rules
        if rule.get("ruleId")
        for operand in operands(rule["conditions"])
    ]


def _conditions(rule: Item, privacy: Privacy) -> Any:
    conditions = rule.get("conditions")
    if privacy.mode == "keep":
        return conditions
    return protected(conditions, privacy.in_text, privacy.item, privacy.allow)


def method_items(found: Iterable[Item], drift: Drift) -> list[Item]:
    """Return authenticator configurations with the fields that the table declares, and report the others by name."""
    declared = fields_of(tables.AUTHENTICATOR_CONFIGURATIONS)
    report = drift.of(tables.AUTHENTICATOR_CONFIGURATIONS.name)
    items: list[Item] = []
    for item in map(_with_hosts, found):
        plain = {name: _plain(name, value) for name, value in item.items() if name in declared}
        for name in item:
            if name not in declared or (name not in _URLS and plain[name] != item[name]):
                report.leave_out(name)
        items.append(plain)
    return items


def _plain(name: str, value: Any) -> Any:
    """Return a declared value without what a credential could hide in."""
    if name in _NUMBERS:
        return _numbers(value)
    if name in _URLS and isinstance(value, list):
        return [_without_query(each) for each in value if isinstance(each, str)]
    if isinstance(value, list):
        return [each for each in value if not isinstance(each, list | dict)]
    return None if isinstance(value, dict) else value


def _numbers(value: Any) -> Any:
    """Return the numbers and flags in an object, at any depth."""
    if isinstance(value, dict):
        return {name: inner for name, each in value.items() if (inner := _numbers(each)) is not None} or None
    if isinstance(value, list):
        return [inner for each in value if (inner := _numbers(each)) is not None] or None
    return value if isinstance(value, bool | int | float) else None


def _with_hosts(item: Item) -> dict[str, Any]:
    """Return an object with the host of each webhook in place of its URL, which may contain a token."""
    hosts = {host: _host(item[url]) for url, host in _HOSTS.items() if url in item}
    return {name: value for name, value in item.items() if name not in _HOSTS} | hosts


def _host(url: Any) -> str | None:
    try:
        return URL(url).host if isinstance(url, str) else None
    except ValueError:
        return None


def _without_query(url: str) -> str:
    try:
        return str(URL(url).with_user(None).with_query(None).with_fragment(None))
    except ValueError:  # not an absolute URL, such as an app's origin
        return url.partition("?")[0].partition("#")[0]


def list_items(found: Iterable[Item]) -> list[Item]:
    """Return value lists with the number of their items instead of the items."""
    return [
        {**{name: value for name, value in each.items() if name != _LIST}, "itemCount": _count(each)} for each in found
    ]


def _count(value_list: Item) -> int | None:
    """Return the number of items; None if the answer has no list of them."""
    return len(_items(value_list)) if isinstance(value_list.get(_LIST), list) else None


def value_items(found: Iterable[Item], privacy: Privacy, erased: Container[str] = ()) -> list[Item]:
    """Return the items of value lists in their stored form; without a key only those of allowed lists.

    Args:
        found: Value lists.
        privacy: Privacy settings.
        erased: User ids that must not be loaded again.
    """
    rows = {}
    for each in found:
        alias = each.get("alias")
        for value in (text for text in _items(each) if text not in erased):
            item = value if privacy.mode == "keep" or alias in privacy.allow else privacy.item(value)
            if item:
                rows[alias, item] = {"alias": alias, "item": item}
    return list(rows.values())


def _items(value_list: Item) -> list[str]:
    """Return the items as text. 1 and 1.0 are one item, as for JsonLogic."""
    found = value_list.get(_LIST)
    return [_text(value) for value in found if value not in (None, "")] if isinstance(found, list) else []


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else str(value)
