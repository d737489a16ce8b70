"""Rules that look for attacks: each fires on its story, and not on one that is just below its thresholds."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from dlt_authsignal.models.detections.find import Finding, Found, find
from dlt_authsignal.models.detections.thresholds import checked, defaults
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.sandbox import RunningSandbox
from tests.api_attacks import FOUND, put_attacks
from tests.attack_stories import NUMBERS, Stories, after, every, spread
from tests.helpers import sync_from
from tests.tiers import deep_after
from tests.warehouses import DuckDB, Lake, Postgres, Warehouse

MILLISECOND = timedelta(milliseconds=1)


def found(stories: Stories, into: dict[str, Any], **settings: Any) -> Found:
    stories.load(**into)
    return find(attach(**into), checked(settings))


def by_rule(result: Found, rule: str) -> dict[str, Finding]:
    """Findings of one rule by their subject."""
    own = [each for each in result.findings if each.rule == rule]
    assert len({each.subject for each in own}) == len(own)
    return {each.subject: each for each in own}


Write = Callable[[Stories], None]


def tell_all(stories: Stories) -> None:
    """One story that fires and one that does not, for each rule and each threshold."""
    push_fatigue(stories)
    one_phone(stories)
    pumping(stories)
    force(stories)
    recovery(stories)
    travel(stories)


def push_fatigue(stories: Stories) -> None:
    stories.pushes("tired", spread(30, 5))
    stories.pushes("calm", spread(30, 4))
    stories.pushes("slow", [*spread(30, 5)[:-1], after(30) + MILLISECOND])
    at = after(0.5)
    approved = stories.attempt("fooled", at, "CHALLENGE_SUCCEEDED", method="PUSH")
    stories.step("fooled", at, "PUSH_OF_A_LATER_VERSION", "PUSH", key=approved)
    stories.step("fooled", at, "PUSH_ANSWERED", "PUSH", key=approved)
    stories.pushes("fooled", every(5, 4))


def one_phone(stories: Stories) -> None:
    for user in ("twin-1", "twin-2"):
        stories.authenticator(user, after(5), "SMS", phone="+4917011111")
    stories.authenticator("alone", after(5), "SMS", phone="+4917022222")
    stories.authenticator("alone", after(6), "WHATSAPP", phone="+4917022222")
    gone = stories.authenticator("past-1", after(5), "SMS", phone="+4917033333")
    stories.authenticator("past-1", after(6), "SMS", id=gone, change="deleted")
    stories.authenticator("past-2", after(7), "SMS", phone="+4917033333")


def pumping(stories: Stories) -> None:
    stories.codes("BR", spread(60, 22), entered=2)  # 20 of 22 are not entered: 9 % are
    stories.codes("DE", spread(60, 25), entered=5)  # 20 are not entered, 20 % are
    stories.codes("EE", spread(60, 19))


def force(stories: Stories) -> None:
    for at in spread(60, 10):
        stories.attempt("forced", at, "CHALLENGE_FAILED", ip="192.0.2.9")
    stories.attempt("forced", after(119), "CHALLENGE_SUCCEEDED", ip="192.0.2.9")
    for at in spread(60, 9):
        stories.attempt("clumsy", at, "CHALLENGE_FAILED")
    for place, at in enumerate(spread(60, 20)):
        stories.attempt(f"sprayed-{place}", at, ip="192.0.2.1")
    for place, at in enumerate(spread(60, 19)):
        stories.attempt(f"office-{place}", at, ip="192.0.2.2")


def recovery(stories: Stories) -> None:
    def recovered(user: str, minutes: float, **more: Any) -> None:
        stories.attempt(user, after(), "CHALLENGE_SUCCEEDED", changed=after(10), **more)
        stories.authenticator(user, after(10 + minutes), "PASSKEY")

    recovered("taken", 24 * 60, method="RECOVERY_CODE")
    recovered("late", 24 * 60 + 1 / 60, method="RECOVERY_CODE")
    recovered("usual", 5, method="SMS")
    recovered("helped", 5, method="EMAIL_OTP", action="recoverAccount")
    stories.attempt("new-codes", after(), "CHALLENGE_SUCCEEDED", method="RECOVERY_CODE")
    stories.authenticator("new-codes", after(5), "RECOVERY_CODE")
    stories.authenticator("before", after(-5), "PASSKEY")
    stories.attempt("before", after(), "CHALLENGE_SUCCEEDED", method="RECOVERY_CODE")


def travel(stories: Stories) -> None:
    def seen(user: str, minutes: float, country: str | None, state: str = "CHALLENGE_SUCCEEDED") -> None:
        stories.attempt(user, after(minutes), state, country=country)

    seen("flying", 0, "US")
    seen("flying", 30, None)  # without a country
    seen("flying", 59.999, "SG")
    seen("real", 0, "US")
    seen("real", 60, "SG")
    seen("attacked", 0, "US")
    seen("attacked", 5, "SG", state="CHALLENGE_FAILED")
    seen("border", 0, "DE", state="ALLOW")
    seen("border", 5, "AT", state="ALLOW")


def warehouse(kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """An empty destination."""
    made: Warehouse = DuckDB()
    if kind == "postgres":
        made = Postgres(request.getfixturevalue("postgres_database"))
    elif kind != "duckdb":
        made = Lake(kind, str(request.getfixturevalue("tmp_path") / "lake"))
    for name, value in made.env.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.mark.parametrize(
    "kind", [*deep_after(1, ["duckdb", "postgres", "delta"]), pytest.param("iceberg", marks=pytest.mark.slow)]
)
def test_each_rule_fires_on_its_attack_and_on_nothing_just_below_its_thresholds(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    into = {"destination": warehouse(kind, request, monkeypatch).destination}
    stories = Stories()
    tell_all(stories)
    result = found(stories, into)
    assert (result.needs, result.cut, result.switched_off) == ({}, [], [])

    fatigue = by_rule(result, "mfa_fatigue")
    assert {user: (each.event_count, each.severity) for user, each in fatigue.items()} == {
        "tired": (5, "high"),
        "fooled": (5, "critical"),
    }
    assert (fatigue["tired"].first_seen, fatigue["tired"].last_seen) == (after(), after(30))
    assert fatigue["fooled"].evidence == {"attempts": 5, "approved": 1, "countries": 0}
    assert fatigue["tired"].thresholds == {"pushes": 5, "minutes": 30, "push_type": ""}

    shared = by_rule(result, "shared_phone")
    assert {phone: each.event_count for phone, each in shared.items()} == {"+4917011111": 2}

    pumped = by_rule(result, "otp_pumping")
    assert pumped.keys() == {"BR"}
    assert pumped["BR"].event_count == 20
    assert pumped["BR"].evidence == {"codes_sent": 22, "codes_entered": 2, "users": 22, "unknown_steps": 0}

    forced = by_rule(result, "brute_force")
    own = {subject: each for subject, each in forced.items() if not subject.startswith(("user-", "tired", "fooled"))}
    assert {subject: (each.subject_kind, each.event_count, each.severity) for subject, each in own.items()} == {
        "forced": ("user_id", 10, "high"),
        "192.0.2.1": ("ip_address", 20, "medium"),
    }
    assert own["192.0.2.1"].evidence == {"abandoned": 20, "users": 20, "succeeded": 0}
    assert own["forced"].evidence == {"abandoned": 0, "users": 1, "succeeded": 1}

    taken = by_rule(result, "factor_after_recovery")
    assert taken.keys() == {"taken"}
    assert taken["taken"].evidence == {
        "authenticators": 1,
        "first_method": "PASSKEY",
        "recovered_by": "code",
        "minutes_after": 1440,
    }

    travelled = by_rule(result, "impossible_travel")
    assert travelled.keys() == {"flying", "border"}
    assert travelled["flying"].evidence == {
        "changes": 1,
        "country_a": "SG",
        "country_b": "US",
        "shortest_minutes": 59.9,
    }
    assert len({each.detection_id for each in result.findings}) == len(result.findings)


@pytest.mark.parametrize(
    "kind",
    [
        *deep_after(1, ["duckdb", "postgres"]),
        *(pytest.param(lake, marks=pytest.mark.slow) for lake in ("delta", "iceberg")),
    ],
)
def test_without_events_rules_use_the_rows_of_the_api(
    kind: str, empty: RunningSandbox, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    into: dict[str, Any] = {"destination": warehouse(kind, request, monkeypatch).destination}
    put_attacks(empty)
    sync_from(empty, **into)
    result = find(attach(**into), defaults())
    assert {(each.rule, each.subject) for each in result.findings} == FOUND
    assert result.needs == {"mfa_fatigue": ("events",), "otp_pumping": ("events",)}


def test_rules_compare_hashes_and_are_not_available_without_identifiers(empty: RunningSandbox) -> None:
    put_attacks(empty)
    sync_from(
        empty, privacy="pseudonymize", privacy_key="5b1f9c0e7a3d42868d7f1e0b6c9a42f3d8e7b6a5c4f3021e9d8c7b6a5f4e3d2c"
    )
    hashed = find(attach(), defaults())
    assert Counter(each.rule for each in hashed.findings) == Counter(rule for rule, _ in FOUND)
    assert not {each.subject for each in hashed.findings} & {"192.0.2.1", "+491701111111"}
    into = {"pipeline_name": "without_a_key"}
    sync_from(empty, privacy="pseudonymize", **into)
    result = find(attach(**into), defaults())
    network = {("brute_force", "192.0.2.0")}  # by default, addresses are truncated
    assert {(each.rule, each.subject) for each in result.findings} == network | {
        (rule, subject) for rule, subject in FOUND if subject not in ("192.0.2.1", "+491701111111")
    }
    assert result.needs.keys() == {"mfa_fatigue", "otp_pumping", "shared_phone"}


def test_thresholds_decide_what_fires() -> None:
    stories = Stories()
    tell_all(stories)
    result = found(
        stories,
        {},
        mfa_fatigue={"pushes": 4, "minutes": 31},
        shared_phone={"users": 3},
        otp_pumping={"codes": 19, "prefix_digits": 4},
        brute_force={"enabled": False},
        factor_after_recovery={"hours": 25, "recovery_actions": ["recoverAccount"]},
        impossible_travel={"only_successful": False, "ignored_pairs": ["AT-DE"]},
    )
    assert by_rule(result, "mfa_fatigue").keys() == {"tired", "fooled", "calm", "slow"}
    assert by_rule(result, "shared_phone") == {}
    assert by_rule(result, "otp_pumping").keys() == {NUMBERS[country][:5] for country in ("BR", "EE")}
    assert result.switched_off == ["brute_force"]
    assert by_rule(result, "factor_after_recovery").keys() == {"taken", "late", "helped"}
    assert by_rule(result, "impossible_travel").keys() == {"flying", "attacked"}


def test_defaults_are_valid_settings() -> None:
    assert checked({}) == defaults()
    assert checked({name: dict(values) for name, values in defaults().items()}) == defaults()
