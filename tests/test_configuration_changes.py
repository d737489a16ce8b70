"""The seeded tenant's configuration changes: their timeline, what they do to attempts, and their expected effects."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import astuple
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.sandbox import RunningSandbox, Sandbox, SandboxConfig
from dlt_authsignal.sandbox.core.clock import iso, to_the_millisecond
from dlt_authsignal.sandbox.core.config import SEEDED_NOW
from dlt_authsignal.sandbox.tenant.changes.expected_effects import Window
from dlt_authsignal.sandbox.tenant.changes.moments import (
    COUNTRY_RULE,
    FORGOTTEN_COUNTRY,
    NEW_ACTION,
    NO_CHANGES,
    PAYMENT_RULE,
    REMOVED_COUNTRIES,
    moments_of,
)
from dlt_authsignal.sandbox.tenant.entities import Action
from dlt_authsignal.sandbox.tenant.invented.people import Seeding, belongings_of
from dlt_authsignal.sandbox.tenant.settings import REVIEW_RULE, UPLIFT_RULE, Tenant
from tests.helpers import ask
from tests.test_control import control
from tests.test_management import manage

PEOPLE = 300
DAY = timedelta(days=1)
OFFSETS = st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))


@pytest.fixture(scope="module")
def tenant() -> Sandbox:
    """A seeded tenant without a server. Read it only."""
    return Sandbox(SandboxConfig(users=PEOPLE, seed=7))


def attempts(sandbox: Sandbox) -> list[Action]:
    everything = datetime(2000, 1, 1, tzinfo=UTC)
    return [action for user in sandbox.store.users() for action in sandbox.store.actions(user.user_id, everything)]


def unchanged_attempts() -> dict[str, Action]:
    """The attempts of the same people if nothing is ever changed, by idempotency key."""
    seeding = Seeding(7, 45, SEEDED_NOW, NO_CHANGES)
    people = (belongings_of(seeding, number) for number in range(PEOPLE))
    return {action.idempotency_key: action for person in people for action in person.actions.values()}


def test_the_timeline_has_each_kind_of_change_in_order_of_time(tenant: Sandbox) -> None:
    changes = tenant.configuration_changes()
    assert [(change.table, change.key, change.change, change.action_codes) for change in changes] == [
        ("rules", COUNTRY_RULE.rule_id, "added", ("signIn",)),
        ("rules", COUNTRY_RULE.rule_id, "changed", ("signIn",)),
        ("rules", REVIEW_RULE, "changed", ("signIn",)),
        ("rules", UPLIFT_RULE, "changed", ("signIn",)),
        ("action_configurations", "signIn", "changed", ("signIn",)),
        ("value_lists", "payment-countries", "changed", ("payment",)),
        ("action_configurations", NEW_ACTION, "added", (NEW_ACTION,)),
    ]
    assert [round((SEEDED_NOW - change.at) / DAY) for change in changes] == [21, 19, 16, 16, 13, 11, 8]
    assert changes == tuple(sorted(changes, key=lambda change: change.at))
    assert all(9 <= change.at.hour < 17 for change in changes)
    assert tenant.tenant == changes[-1].after


def test_each_change_is_visible_between_the_configurations_before_and_after_it(tenant: Sandbox) -> None:
    assert tenant.timeline is not None
    before = tenant.timeline.first
    for change in tenant.configuration_changes():
        if change.after != before:  # the two of one moment share what comes after them
            old, new = shown(before), shown(change.after)
            keys = {(other.table, other.key) for other in tenant.configuration_changes() if other.at == change.at}
            assert {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)} == keys
            assert ((change.table, change.key) not in old) == (change.change == "added")
        before = change.after


def shown(value: Tenant) -> dict[tuple[str, str], Any]:
    tables = {"rules": value.rules, "action_configurations": value.actions, "value_lists": value.value_lists}
    return {(name, key): row for name, rows in tables.items() for key, row in rows.items()}


def test_only_a_tenant_with_a_seed_and_users_has_configuration_changes() -> None:
    assert Sandbox(SandboxConfig(seed=7)).configuration_changes() == ()
    assert Sandbox(SandboxConfig(users=5)).configuration_changes() == ()
    assert len(Sandbox(SandboxConfig(users=5, seed=7)).configuration_changes()) == 7


@pytest.mark.parametrize(("days", "number"), [(45, 7), (22, 7), (20, 5), (14, 3), (12, 2), (9, 1), (5, 0)])
def test_a_change_before_the_first_day_of_actions_is_left_out(days: int, number: int) -> None:
    sandbox = Sandbox(SandboxConfig(users=60, seed=7, days=days))
    changes = sandbox.configuration_changes()
    assert len(changes) == number
    fired = {rule.rule_id for action in attempts(sandbox) for rule in action.rules}
    assert (COUNTRY_RULE.rule_id in sandbox.tenant.rules) == (number == 7)
    assert COUNTRY_RULE.rule_id not in fired or number == 7


@given(
    now=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=OFFSETS),  # noqa: DTZ001
    days=st.integers(0, 60),
)
def test_changes_happen_in_office_hours_before_now_within_the_days_of_actions(now: datetime, days: int) -> None:
    found = [at for at in astuple(moments_of(now, days)) if at is not None]
    assert found == sorted(found)
    assert all(now - min(days, 30) * DAY <= at < now and 9 <= at.hour < 17 for at in found)
    assert all(at.utcoffset() == timedelta() and at.minute % 2 == 1 for at in found)
    assert len(found) == 6 or days <= 22


def test_a_tenant_without_what_a_change_needs_does_not_have_the_change_or_its_effects() -> None:
    config = SandboxConfig(users=60, seed=7, methods=("PASSKEY", "EMAIL_OTP"), action_results={NEW_ACTION: "BLOCK"})
    sandbox = Sandbox(config)
    assert len(sandbox.configuration_changes()) == 5
    assert all(action.action_code != NEW_ACTION for action in attempts(sandbox))


def test_no_attempt_outside_of_the_effects_differs(tenant: Sandbox) -> None:
    off = moments(tenant)
    before = unchanged_attempts()
    for action in attempts(tenant):
        code, when, country = action.action_code, action.created_at, action.country_code
        if code == NEW_ACTION:
            assert action.idempotency_key not in before
            assert when > off["action_added"]
            continue
        is_changed = action != before.pop(action.idempotency_key)
        was_blocked = code == "signIn" and country == FORGOTTEN_COUNTRY and blocks(tenant, when)
        may_lack_sms = code == "signIn" and when >= off["sms_off"]
        is_outside = code == "payment" and when >= off["list_shortened"] and country in REMOVED_COUNTRIES
        assert is_changed <= (was_blocked or may_lack_sms or is_outside)
        assert is_changed or not (was_blocked or is_outside)
    assert before == {}


def moments(sandbox: Sandbox) -> dict[str, datetime]:
    assert sandbox.timeline is not None
    names = ("country_rule_added", "country_rule_off", "sms_off", "list_shortened", "action_added")
    return {name: getattr(sandbox.timeline.moments, name) for name in names}


def blocks(sandbox: Sandbox, when: datetime) -> bool:
    off = moments(sandbox)
    return off["country_rule_added"] <= when < off["country_rule_off"]


def test_the_country_rule_fires_for_all_sign_ins_of_its_country_while_it_is_on_and_for_no_others(
    tenant: Sandbox,
) -> None:
    seen: Counter[bool] = Counter()
    for action in attempts(tenant):
        expected = action.action_code == "signIn" and action.country_code == FORGOTTEN_COUNTRY
        expected = expected and blocks(tenant, action.created_at)
        assert (COUNTRY_RULE in action.rules) == expected
        assert not expected or action.state.startswith(("BLOCK", "REVIEW"))
        assert not expected or action.verification_method is None
        seen[expected] += 1
    assert seen[True] > 10


def test_no_sign_in_is_met_by_sms_after_it_was_switched_off_and_other_actions_are(tenant: Sandbox) -> None:
    since = moments(tenant)["sms_off"]
    later = [action for action in attempts(tenant) if action.created_at >= since]
    by_sms = Counter(action.action_code for action in later if action.verification_method == "SMS")
    assert by_sms["signIn"] == 0
    assert by_sms["payment"] + by_sms[NEW_ACTION] > 0


def test_a_withdrawal_follows_a_completed_sign_in_of_the_same_user(tenant: Sandbox) -> None:
    seen = 0
    for user in tenant.store.users():
        actions = tenant.store.actions(user.user_id, moments(tenant)["action_added"])
        for one in actions:
            if one.action_code == NEW_ACTION:
                seen += 1
                before = [other for other in actions if other.action_code == "signIn" and other.state_updated_at]
                assert any(
                    other.state in ("ALLOW", "CHALLENGE_SUCCEEDED")
                    and timedelta()
                    < one.created_at - (other.state_updated_at or one.created_at)
                    < timedelta(minutes=10)
                    for other in before
                )
    assert seen > 10


def test_sign_ins_of_users_with_nothing_but_sms_are_challenged_and_not_met(tenant: Sandbox) -> None:
    since, seen = moments(tenant)["sms_off"], 0
    for user in tenant.store.users():
        methods = {value.verification_method for value in tenant.store.authenticators(user.user_id)}
        if methods == {"SMS"}:
            for action in tenant.store.actions(user.user_id, since):
                if action.action_code == "signIn":
                    seen += action.state == "CHALLENGE_REQUIRED"
                    assert action.state not in ("CHALLENGE_SUCCEEDED", "CHALLENGE_FAILED")
    assert seen > 10


def test_payments_from_the_removed_countries_are_blocked_by_the_rule_with_the_list(tenant: Sandbox) -> None:
    since, seen = moments(tenant)["list_shortened"], 0
    for action in attempts(tenant):
        expected = action.action_code == "payment" and action.country_code in REMOVED_COUNTRIES
        expected = expected and action.created_at >= since
        assert (PAYMENT_RULE in action.rules) == expected
        seen += expected
    assert seen > 2


def test_the_seeded_rules_decide_on_live_attempts_as_on_the_invented_ones(seeded: RunningSandbox) -> None:
    for address, country in (("10.0.0.1", "DE"), ("10.0.0.2", "US")):
        ask(seeded, "POST", "/_sandbox/ip", {"address": address, "countryCode": country})
    states = {
        body.get("ipAddress"): ask(seeded, "POST", "/users/u/actions/payment", body)[1]["state"]
        for body in ({"ipAddress": "10.0.0.1"}, {"ipAddress": "10.0.0.2"}, {})
    }
    assert states == {"10.0.0.1": "BLOCK", "10.0.0.2": "ALLOW", None: "ALLOW"}
    manage(seeded, "PATCH", "/value-lists/payment-countries", {"valueListItems": ["DE"]})
    assert ask(seeded, "POST", "/users/u/actions/payment", {"ipAddress": "10.0.0.1"})[1]["state"] == "ALLOW"
    assert ask(seeded, "POST", "/users/u/actions/payment", {"ipAddress": "10.0.0.2"})[1]["state"] == "BLOCK"


# --- the configuration as it was


SHOWN: dict[str, Callable[[Tenant], list[Any]]] = {
    "/action-configurations": lambda tenant: list(tenant.actions.values()),
    "/action-configurations/signIn/rules": lambda tenant: tenant.rules_of("signIn"),
    "/action-configurations/payment/rules": lambda tenant: tenant.rules_of("payment"),
    "/authenticator-configurations": lambda tenant: list(tenant.methods.values()),
    "/custom-data-points": lambda tenant: list(tenant.data_points.values()),
    "/value-lists": lambda tenant: list(tenant.value_lists.values()),
}


def everything_shown(running: RunningSandbox) -> dict[str, Any]:
    return {path: manage(running, "GET", path)[1] for path in SHOWN}


def test_the_management_api_shows_the_configuration_as_of_each_moment(seeded: RunningSandbox) -> None:
    present = everything_shown(seeded)
    assert seeded.sandbox.timeline is not None
    states = [(seeded.configuration_changes()[0].at - DAY, seeded.sandbox.timeline.first)]
    states += [(change.at, change.after) for change in seeded.configuration_changes()]
    for moment, expected in states:
        answer = control(seeded, "POST", "configuration/as-of", {"at": iso(moment)})
        assert answer == {"shownAsOf": iso(moment)}
        assert everything_shown(seeded) == {path: rows(expected) for path, rows in SHOWN.items()}
    assert manage(seeded, "GET", f"/action-configurations/{NEW_ACTION}")[0] == 200
    seeded.configuration_as_of(seeded.configuration_changes()[-1].at - timedelta(microseconds=1))
    assert manage(seeded, "GET", f"/action-configurations/{NEW_ACTION}")[0] == 404
    assert control(seeded, "POST", "configuration/as-of", {"at": None}) == {"shownAsOf": None}
    assert everything_shown(seeded) == present


def test_a_moment_after_the_seed_is_the_present_with_what_was_written_since(seeded: RunningSandbox) -> None:
    manage(seeded, "PATCH", "/tenant", {"name": "Renamed"})
    seeded.configuration_as_of(SEEDED_NOW + DAY)
    assert manage(seeded, "PATCH", "/tenant", {"disableRecoveryCodes": True})[1]["name"] == "Renamed"
    seeded.configuration_as_of(SEEDED_NOW - DAY)
    assert manage(seeded, "GET", "/tenant")[1]["name"] == "Sandbox"
    seeded.configuration_as_of(None)
    assert manage(seeded, "GET", "/tenant")[1]["name"] == "Renamed"


WRITES: list[tuple[str, str, Any]] = [
    ("PATCH", "/tenant", {"name": "x"}),
    ("PATCH", "/theme", {"name": "x"}),
    ("PATCH", "/message-overrides", {"messageOverrides": {}}),
    ("POST", "/action-configurations", {"actionCode": "x"}),
    ("PATCH", "/action-configurations/signIn", {"defaultUserActionResult": "ALLOW"}),
    ("DELETE", "/action-configurations/signIn", None),
    ("POST", "/action-configurations/signIn/rules", {"name": "x", "type": "BLOCK", "conditions": {"==": [1, 1]}}),
    ("DELETE", f"/action_configurations/signIn/rules/{REVIEW_RULE}", None),
    ("POST", "/custom-data-points", {"name": "x", "dataType": "text", "modelType": "user"}),
    ("DELETE", "/value-lists/payment-countries", None),
]


def test_the_management_api_refuses_to_write_while_an_earlier_configuration_is_shown(seeded: RunningSandbox) -> None:
    before = seeded.sandbox.tenant
    seeded.configuration_as_of(SEEDED_NOW - 20 * DAY)
    for method, path, body in WRITES:
        status, answer = manage(seeded, method, path, body)
        assert (status, answer["errorCode"]) == (400, "invalid_request"), path
        assert "2026-10-13T09:00:00.000Z. Nothing was changed." in answer["errorDescription"]
    wrong_key = ask(seeded, "PATCH", "/management/tenant", {"name": "x"}, auth=basic_auth("wrong"))
    assert wrong_key[0] == 401
    assert seeded.sandbox.tenant == before
    assert ask(seeded, "POST", "/users/u/actions/signIn", {})[0] == 200
    seeded.configuration_as_of(None)
    assert all(manage(seeded, method, path, body)[0] == 200 for method, path, body in WRITES[:5])


def test_the_server_api_shows_the_authenticators_of_the_same_moment(seeded: RunningSandbox) -> None:
    methods = {row["verificationMethod"]: row["authenticatorId"] for row in ask(seeded, "GET", "/authenticators")[1]}
    manage(seeded, "PATCH", f"/authenticator-configurations/{methods['PUSH']}", {"isActive": False})

    def is_active() -> bool:
        rows = ask(seeded, "GET", "/authenticators")[1]
        return bool(next(row["isActive"] for row in rows if row["verificationMethod"] == "PUSH"))

    assert not is_active()
    seeded.configuration_as_of(SEEDED_NOW - DAY)
    assert is_active()
    seeded.configuration_as_of(None)
    assert not is_active()


def test_a_tenant_without_changes_has_no_earlier_configuration(empty: RunningSandbox) -> None:
    status, answer, _ = ask(empty, "POST", "/_sandbox/configuration/as-of", {"at": "2026-10-12T09:00:00Z"})
    assert status == 400
    assert "no earlier configuration" in answer["error"]
    assert control(empty, "POST", "configuration/as-of", {"at": None}) == {"shownAsOf": None}
    assert control(empty, "GET", "configuration/changes") == {"shownAsOf": None, "changes": []}


@pytest.mark.parametrize("body", [{}, {"at": "yesterday"}, {"at": 5}, {"at": ""}, {"at": ["2026"]}])
def test_an_invalid_moment_is_refused_and_changes_nothing(seeded: RunningSandbox, body: Any) -> None:
    seeded.configuration_as_of(SEEDED_NOW - DAY)
    status, answer, _ = ask(seeded, "POST", "/_sandbox/configuration/as-of", body)
    assert status == 400
    assert "2026-10-12T09:00:00Z" in answer["error"]
    assert seeded.sandbox.shown_as_of == SEEDED_NOW - DAY


def test_a_snapshot_contains_the_changes_and_the_moment_that_is_shown(seeded: RunningSandbox) -> None:
    changes, moment = seeded.configuration_changes(), SEEDED_NOW - 15 * DAY
    seeded.configuration_as_of(moment)
    seeded.snapshot("past")
    past = everything_shown(seeded)
    seeded.reset()
    assert (seeded.configuration_changes(), seeded.sandbox.shown_as_of) == ((), None)
    assert everything_shown(seeded) != past
    seeded.restore("past")
    assert (seeded.configuration_changes(), seeded.sandbox.shown_as_of) == (changes, moment)
    assert everything_shown(seeded) == past


def test_seeding_after_a_reset_gives_the_same_configuration_changes_and_attempts(seeded: RunningSandbox) -> None:
    changes, before = seeded.configuration_changes(), attempts(seeded.sandbox)
    seeded.reset()
    seeded.seed(40, 45, 7)
    assert seeded.configuration_changes() == changes
    assert attempts(seeded.sandbox) == before


def test_seeding_after_a_restore_gives_the_same_configuration_changes(empty: RunningSandbox) -> None:
    empty.snapshot("begin")
    empty.seed(40, 45, 7)
    changes = empty.configuration_changes()
    assert len(changes) == 7
    empty.reset()
    empty.restore("begin")
    assert empty.configuration_changes() == ()
    empty.seed(40, 45, 7)
    assert [(one.at, one.key) for one in empty.configuration_changes()] == [(one.at, one.key) for one in changes]


@pytest.mark.parametrize("now", [SEEDED_NOW.replace(tzinfo=None), SEEDED_NOW.astimezone(timezone(DAY / 3))])
def test_the_start_of_the_clock_may_have_any_offset_or_none(tenant: Sandbox, now: datetime) -> None:
    other = Sandbox(SandboxConfig(users=PEOPLE, seed=7, now=now))
    assert other.configuration_changes() == tenant.configuration_changes()
    assert attempts(other) == attempts(tenant)


def test_a_configuration_that_was_changed_before_the_seed_stays(empty: RunningSandbox) -> None:
    manage(empty, "PATCH", "/tenant", {"name": "Mine"})
    before = empty.sandbox.tenant
    empty.seed(40, 45, 7)
    assert empty.configuration_changes() == ()
    assert empty.sandbox.tenant == before
    assert all(action.action_code != NEW_ACTION for action in attempts(empty.sandbox))


def test_people_of_a_second_seed_are_affected_by_the_same_changes(seeded: RunningSandbox) -> None:
    changes = seeded.configuration_changes()
    seeded.seed(200, 45, 8)
    assert seeded.configuration_changes() == changes
    withdrawals = [action for action in attempts(seeded.sandbox) if action.action_code == NEW_ACTION]
    assert len({action.user_id for action in withdrawals}) > 5


# --- the expected effects


def test_the_control_route_lists_the_changes(seeded: RunningSandbox) -> None:
    answer = control(seeded, "GET", "configuration/changes")
    assert answer["shownAsOf"] is None
    assert [
        (one["at"], one["table"], one["key"], one["change"], tuple(one["actionCodes"]), one["description"])
        for one in answer["changes"]
    ] == [
        (iso(one.at), one.table, one.key, one.change, one.action_codes, one.description)
        for one in seeded.configuration_changes()
    ]


def counted(actions: list[Action], start: datetime, end: datetime, read_at: datetime) -> dict[str, int]:
    """The counts of one window, from a list of all attempts of an action code."""
    inside = [action for action in actions if start <= shown_at(action) < end]
    challenged = [action for action in inside if action.state.startswith("CHALLENGE")]
    settled = [action for action in challenged if read_at - shown_at(action) >= timedelta(minutes=10)]
    return {
        "attempts": len(inside),
        "challenged": len(challenged),
        "blocked": sum(action.state == "BLOCK" for action in inside),
        "settled": len(settled),
        "succeeded": sum(action.state == "CHALLENGE_SUCCEEDED" for action in settled),
        "dropped_off": sum(action.state == "CHALLENGE_REQUIRED" for action in settled),
    }


def shown_at(action: Action) -> datetime:
    return datetime.fromisoformat(iso(action.created_at))


def counts(window: Window | None) -> dict[str, int]:
    assert window is not None
    names = ("attempts", "challenged", "blocked", "settled", "succeeded", "dropped_off")
    return {name: getattr(window, name) for name in names}


@given(
    hours=st.integers(0, 40 * 24),
    interval=st.integers(0, 3 * 24),
    days=st.integers(1, 30),
    code=st.sampled_from(["signIn", "payment", NEW_ACTION, "none"]),
)
def test_an_effect_counts_the_attempts_in_equally_long_windows(
    tenant: Sandbox, hours: int, interval: int, days: int, code: str
) -> None:
    now = tenant.clock.now()
    seen_at = SEEDED_NOW - timedelta(hours=hours)
    seen_before = seen_at - timedelta(hours=interval)
    effect = tenant.change_effects(seen_before, seen_at, code, days=days, read_at=SEEDED_NOW)
    read = [action for action in attempts(tenant) if action.created_at >= now - 30 * DAY]
    first, last = min(map(shown_at, read)), max(map(shown_at, read))
    assert (effect.data_from, effect.data_until) == (first, last)
    length = min(days * DAY, seen_before - first, last - seen_at)
    if length <= timedelta():
        assert (effect.before, effect.after) == (None, None)
        return
    mine = [action for action in read if action.action_code == code]
    assert counts(effect.before) == counted(mine, seen_before - length, seen_before, SEEDED_NOW)
    assert counts(effect.after) == counted(mine, seen_at, seen_at + length, SEEDED_NOW)


def test_times_without_an_offset_are_in_utc(tenant: Sandbox) -> None:
    change, naive = tenant.configuration_changes()[4], tenant.configuration_changes()[4].at.replace(tzinfo=None)
    effect = tenant.change_effects(change.at, change.at, "signIn")
    assert effect.before is not None
    assert tenant.change_effects(naive, naive, "signIn") == effect


def test_the_effects_of_the_seeded_changes_are_visible(tenant: Sandbox) -> None:
    added, off, _, _, sms, shorter, new = tenant.configuration_changes()

    def effect(at: datetime, code: str, days: float) -> tuple[Window, Window]:
        found = tenant.change_effects(at, at, code, days)
        assert found.before is not None
        assert found.after is not None
        return found.before, found.after

    before, after = effect(added.at, "signIn", 2)
    assert after.blocked > 5 * max(before.blocked, 1)
    before, after = effect(off.at, "signIn", 2)
    assert before.blocked > 5 * max(after.blocked, 1)
    before, after = effect(sms.at, "signIn", 5)
    assert after.dropped_off / after.settled > 1.3 * before.dropped_off / before.settled
    before, after = effect(shorter.at, "payment", 7)
    assert after.blocked > before.blocked
    before, after = effect(new.at, NEW_ACTION, 7)
    assert (before.attempts, after.attempts > 10) == (0, True)


def test_challenges_settle_ten_minutes_before_the_read(empty: RunningSandbox) -> None:
    empty.clock.freeze()
    for moment in range(3):
        ask(empty, "POST", "/users/u/authenticators", {"verificationMethod": "EMAIL_OTP", "email": "u@example.com"})
        ask(empty, "POST", "/users/u/actions/signIn", {"idempotencyKey": f"{moment}"})
        empty.clock.advance(minutes=10)
    start = to_the_millisecond(empty.clock.now()) - timedelta(minutes=20)  # of the second of three
    for read_at, settled in ((None, 1), (start + timedelta(minutes=9), 0), (start + timedelta(hours=1), 1)):
        after = empty.change_effects(start, start, "signIn", read_at=read_at).after
        assert after is not None
        assert (after.attempts, after.challenged, after.settled) == (1, 1, settled)


def test_the_control_route_counts_the_same_effect(seeded: RunningSandbox) -> None:
    change = seeded.configuration_changes()[4]
    seen_before, seen_at = change.at - timedelta(hours=5), change.at + timedelta(hours=7)
    query = f"seenBefore={iso(seen_before)}&seenAt={quote(seen_at.isoformat())}&actionCode=signIn&days=3"
    answer = control(seeded, "GET", f"configuration/effects?{query}")
    effect = seeded.change_effects(seen_before, seen_at, "signIn", 3)
    assert effect.before is not None
    assert answer["before"] == {
        "start": iso(seen_before - 3 * DAY),
        "end": iso(seen_before),
        "attempts": effect.before.attempts,
        "challenged": effect.before.challenged,
        "blocked": effect.before.blocked,
        "settled": effect.before.settled,
        "succeeded": effect.before.succeeded,
        "droppedOff": effect.before.dropped_off,
    }
    assert (answer["after"]["start"], answer["after"]["end"]) == (iso(seen_at), iso(seen_at + 3 * DAY))
    assert answer["dataFrom"] < answer["dataUntil"]
    long = control(seeded, "GET", f"configuration/effects?{query}&readAt=2027-01-01T00:00:00Z")
    assert long["actionCode"] == "signIn"


def test_a_tenant_without_actions_has_no_windows(empty: RunningSandbox) -> None:
    query = "seenBefore=2026-10-30T09:00:00Z&seenAt=2026-10-31T09:00:00Z&actionCode=signIn"
    answer = control(empty, "GET", f"configuration/effects?{query}")
    assert answer == {"actionCode": "signIn", "dataFrom": None, "dataUntil": None, "before": None, "after": None}


def queries() -> Iterator[str]:
    good = {"seenBefore": "2026-10-30T09:00:00Z", "seenAt": "2026-10-31T09:00:00Z", "actionCode": "signIn"}
    for name in good:
        yield "&".join(f"{other}={value}" for other, value in good.items() if other != name)
    whole = "&".join(f"{name}={value}" for name, value in good.items())
    for bad in ("days=0", "days=many", "days=-1", "days=31", "days=nan", "days=inf", "readAt=soon", "seenAt=later"):
        yield f"{whole}&{bad}"


@pytest.mark.parametrize("query", list(queries()))
def test_an_invalid_question_about_an_effect_is_refused(empty: RunningSandbox, query: str) -> None:
    status, answer, _ = ask(empty, "GET", f"/_sandbox/configuration/effects?{query}")
    assert status == 400
    assert "must be" in answer["error"]
