"""Rules decide what a tracked action becomes."""

from datetime import timedelta
from typing import Any

import pytest

from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig
from dlt_authsignal.sandbox.tenant.entities import Device
from tests.helpers import ask
from tests.test_management import manage

SMS = {"verificationMethod": "SMS", "phoneNumber": "+64211234567"}


def rule(running: RunningSandbox, variable: str, value: Any = True, **more: Any) -> dict[str, Any]:
    """A rule on `pay` that blocks when a variable has a value."""
    conditions = {"==": [{"var": variable}, value]}
    body = {"name": variable, "type": "BLOCK", "conditions": conditions, **more}
    if "pay" not in running.sandbox.tenant.actions:
        manage(running, "POST", "/action-configurations", {"actionCode": "pay", "defaultUserActionResult": "ALLOW"})
    status, created = manage(running, "POST", "/action-configurations/pay/rules", body)
    assert status == 200, created
    return dict(created)


def pay(running: RunningSandbox, **body: Any) -> Any:
    return ask(running, "POST", "/users/u/actions/pay", body)[1]


def in_country(running: RunningSandbox, address: str, country: str) -> None:
    body = {"address": address, "countryCode": country}
    assert ask(running, "POST", "/_sandbox/ip", body)[0] == 200


@pytest.mark.parametrize(
    ("variable", "value", "matching", "other"),
    [
        ("ip.isAnonymous", True, {"ipAddress": "192.0.2.7"}, {"ipAddress": "203.0.113.7"}),
        ("ip.countryCode", "NZ", {"ipAddress": "10.0.0.1"}, {"ipAddress": "10.0.0.2"}),
        ("ip.countryCodeInOfacList", True, {"ipAddress": "10.0.0.3"}, {"ipAddress": "10.0.0.1"}),
        ("device.isNew", True, {"deviceId": "never-seen"}, {"deviceId": "phone"}),
        ("device.isBot", True, {"userAgent": "Mozilla HeadlessChrome/1"}, {"userAgent": "Mozilla Firefox/1"}),
        ("device.isRemembered", True, {"deviceId": "phone"}, {"deviceId": "laptop"}),
        ("custom.amount", 9, {"custom": {"amount": 9}}, {"custom": {"amount": 8}}),
    ],
)
def test_rules_support_each_variable(
    empty: RunningSandbox, variable: str, value: Any, matching: dict[str, Any], other: dict[str, Any]
) -> None:
    for address, country in (("10.0.0.1", "NZ"), ("10.0.0.2", "AU"), ("10.0.0.3", "KP")):
        in_country(empty, address, country)
    now = empty.sandbox.clock.now()
    empty.sandbox.store.put_device(
        Device(user_id="u", device_id="phone", created_at=now, remembered_until=now + timedelta(days=1))
    )
    empty.sandbox.store.put_device(Device(user_id="u", device_id="laptop", created_at=now))
    created = rule(empty, variable, value)
    assert pay(empty, **other)["state"] == "ALLOW"
    blocked = pay(empty, **matching)
    assert (blocked["state"], blocked["ruleIds"]) == ("BLOCK", [created["ruleId"]])


def test_two_countries_within_two_hours_are_impossible_travel(empty: RunningSandbox) -> None:
    rule(empty, "ip.impossibleTravel")
    in_country(empty, "10.0.0.1", "NZ")
    in_country(empty, "10.0.0.2", "AU")
    assert pay(empty, ipAddress="10.0.0.1")["state"] == "ALLOW"
    assert pay(empty, ipAddress="10.0.0.2")["state"] == "BLOCK"
    empty.sandbox.clock.advance(timedelta(hours=3))
    assert pay(empty, ipAddress="10.0.0.1")["state"] == "ALLOW"


def test_a_new_country_after_five_actions_is_atypical_travel(empty: RunningSandbox) -> None:
    rule(empty, "ip.atypicalTravel")
    in_country(empty, "10.0.0.1", "NZ")
    in_country(empty, "10.0.0.2", "AU")
    for _ in range(5):
        assert pay(empty, ipAddress="10.0.0.1")["state"] == "ALLOW"
    assert pay(empty, ipAddress="10.0.0.2")["state"] == "BLOCK"


def test_a_rule_can_match_users_who_have_verified_before(empty: RunningSandbox) -> None:
    rule(empty, "user.hasPreviouslyVerified")
    pay(empty, idempotencyKey="k")
    assert pay(empty)["state"] == "ALLOW"
    ask(empty, "PATCH", "/users/u/actions/pay/k", {"state": "CHALLENGE_SUCCEEDED"})
    assert pay(empty)["state"] == "BLOCK"


def test_custom_data_of_the_user_applies_unless_the_action_overrides_it(empty: RunningSandbox) -> None:
    rule(empty, "custom.plan", "free")
    ask(empty, "PATCH", "/users/u", {"custom": {"plan": "free"}})
    assert pay(empty)["state"] == "BLOCK"
    assert pay(empty, custom={"plan": "plus"})["state"] == "ALLOW"


def test_the_matching_rule_of_highest_priority_decides_and_all_matching_rules_are_listed(empty: RunningSandbox) -> None:
    anonymous = {"==": [{"var": "ip.isAnonymous"}, True]}
    low = rule(empty, "low", priority=9, type="BLOCK", conditions=anonymous)
    high = rule(empty, "high", priority=1, type="REVIEW", conditions=anonymous)
    off = rule(empty, "off", priority=0, isActive=False, conditions=anonymous)
    tracked = pay(empty, ipAddress="192.0.2.1", idempotencyKey="k")
    assert tracked["state"] == "REVIEW_REQUIRED"
    assert tracked["ruleIds"] == [high["ruleId"], low["ruleId"]]
    detail = ask(empty, "GET", "/users/u/actions/pay/k")[1]
    assert detail["priorityRuleId"] == high["ruleId"]
    assert [row["name"] for row in detail["rules"]] == ["high", "low"]
    assert off["ruleId"] not in tracked["ruleIds"]


def test_a_challenge_by_a_rule_needs_an_enrolled_user(empty: RunningSandbox) -> None:
    rule(empty, "ip.isAnonymous", type="CHALLENGE", verificationMethods=["PASSKEY"])
    assert pay(empty, ipAddress="192.0.2.1")["state"] == "ALLOW"
    ask(empty, "POST", "/users/u/authenticators", SMS)
    tracked = pay(empty, ipAddress="192.0.2.1")
    assert (tracked["state"], tracked["allowedVerificationMethods"]) == ("CHALLENGE_REQUIRED", ["PASSKEY"])


def test_a_prompt_to_enrol_is_in_the_output_of_the_action(empty: RunningSandbox) -> None:
    rule(empty, "device.isNew", type="ALLOW", promptToEnrollVerificationMethods=["PASSKEY"])
    pay(empty, idempotencyKey="k")
    output = ask(empty, "GET", "/users/u/actions/pay/k")[1]["output"]
    assert output == {"custom": {}, "promptToEnrollVerificationMethods": ["PASSKEY"]}


def test_old_actions_keep_their_rules_unchanged(empty: RunningSandbox) -> None:
    created = rule(empty, "device.isNew", description="As it was")
    pay(empty, idempotencyKey="k")
    one = f"/action-configurations/pay/rules/{created['ruleId']}"
    manage(empty, "PATCH", one, {"name": "renamed", "type": "REVIEW"})
    assert pay(empty)["state"] == "REVIEW_REQUIRED"
    manage(empty, "DELETE", one)
    assert pay(empty)["state"] == "ALLOW"
    (row,) = ask(empty, "GET", "/users/u/actions/pay/k")[1]["rules"]
    assert row == {"ruleId": created["ruleId"], "name": "device.isNew", "description": "As it was"}


def test_a_condition_that_cannot_be_evaluated_does_not_match(empty: RunningSandbox) -> None:
    rule(empty, "sum", conditions={">": [{"*": [{"var": "custom.plan"}, 2]}, 1]})
    assert pay(empty, custom={"plan": "not a number"})["state"] == "ALLOW"


def test_the_country_of_an_address_is_on_the_action(empty: RunningSandbox) -> None:
    in_country(empty, "10.0.0.1", "NZ")
    pay(empty, ipAddress="10.0.0.1")
    assert ask(empty, "GET", "/users/u/actions")[1][0]["countryCode"] == "NZ"


def test_a_rule_finds_value_lists_by_their_alias(empty: RunningSandbox) -> None:
    for name, kind, items in (("Risky Domains", "string", ["a.example"]), ("Amounts", "number", [7, 8.5])):
        body = {"name": name, "itemType": kind, "valueListItems": items, "isActive": False}
        assert manage(empty, "POST", "/value-lists", body)[0] == 200
    listed = {"in": [{"var": "custom.domain"}, {"var": "valueLists.risky-domains"}]}
    amount = {"in": [{"var": "custom.amount"}, {"var": "valueLists.amounts"}]}
    unknown = {"in": [{"var": "custom.domain"}, {"var": "valueLists.none"}]}
    rule(empty, "domain", conditions={"or": [unknown, listed, amount]})
    states = [
        pay(empty, custom=custom)["state"]
        for custom in ({"domain": "a.example"}, {"domain": "b.example"}, {"amount": 8.5}, {"amount": 9}, {})
    ]
    assert states == ["BLOCK", "ALLOW", "BLOCK", "ALLOW", "ALLOW"]
    manage(empty, "PATCH", "/value-lists/risky-domains", {"valueListItems": ["b.example"]})
    assert pay(empty, custom={"domain": "a.example"})["state"] == "ALLOW"
    manage(empty, "DELETE", "/value-lists/risky-domains")
    assert pay(empty, custom={"domain": "b.example"})["state"] == "ALLOW"


def test_the_variable_of_value_lists_can_be_changed(empty: RunningSandbox) -> None:
    manage(empty, "POST", "/value-lists", {"name": "Plans", "itemType": "string", "valueListItems": ["free"]})
    rule(empty, "plan", conditions={"in": [{"var": "custom.plan"}, {"var": "lists.plans"}]})
    assert pay(empty, custom={"plan": "free"})["state"] == "ALLOW"
    assert ask(empty, "POST", "/_sandbox/config", {"value_list_variable": "lists"})[0] == 200
    assert pay(empty, custom={"plan": "free"})["state"] == "BLOCK"


@pytest.mark.parametrize("name", ["ip", "custom", "a.b", "", 5, None])
def test_a_variable_of_value_lists_that_hides_others_is_refused(empty: RunningSandbox, name: Any) -> None:
    assert ask(empty, "POST", "/_sandbox/config", {"value_list_variable": name})[0] == 400
    if isinstance(name, str):
        with pytest.raises(ValueError, match="value_list_variable"):
            SandboxConfig(value_list_variable=name)
