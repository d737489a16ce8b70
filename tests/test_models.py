"""KPI views: known people, known answers; the dictionary; what is not available and why."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dlt_authsignal.errors import ConfigurationError, NoData
from dlt_authsignal.models import Model, all_models, availability, find_model, install, lake, read
from dlt_authsignal.models.install import view_query
from dlt_authsignal.models.kpis.forms import COLUMNS
from dlt_authsignal.models.kpis.sources import EVERYTHING
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator, User
from tests.helpers import command, no_midnight_within, sync_from
from tests.loaded import repeat
from tests.tiers import deep_except
from tests.warehouses import Lake

NUMBERS = {number for number in range(1, 23) if number != 21}


def fill(running: RunningSandbox) -> None:
    """Four people: one with a passkey and SMS, one with SMS, one who never finished enrolling, one with nothing."""
    store, now = running.sandbox.store, running.sandbox.clock.now().replace(microsecond=0)
    for name in ("both", "sms", "unfinished", "nothing"):
        store.put_user(User(user_id=name, created_at=now - timedelta(days=200)))
    old = now - timedelta(days=150)
    enrolled: list[tuple[str, str, datetime | None]] = [
        ("both", "PASSKEY", old),
        ("both", "SMS", old),
        ("sms", "SMS", old),
        ("unfinished", "PASSKEY", None),
    ]
    for user_id, method, verified in enrolled:
        store.put_authenticator(
            Authenticator(
                user_authenticator_id=f"{user_id}-{method}",
                user_id=user_id,
                verification_method=method,
                created_at=old,
                verified_at=verified,
                last_verified_at=now if user_id == "both" and method == "PASSKEY" else None,
            )
        )
    attempts: list[tuple[str, str | None, int]] = [
        ("CHALLENGE_SUCCEEDED", "PASSKEY", 6),
        ("CHALLENGE_SUCCEEDED", "PASSKEY", 8),
        ("CHALLENGE_SUCCEEDED", "SMS", 30),
        ("CHALLENGE_FAILED", None, 60),
        ("CHALLENGE_REQUIRED", None, 0),
        ("ALLOW", None, 0),
        ("BLOCK", None, 0),
        ("BLOCK", None, 0),
    ]
    for number, (state, used, seconds) in enumerate(attempts):
        created = now - timedelta(days=2)
        store.put_action(
            Action(
                user_id="both",
                action_code="signIn",
                idempotency_key=str(number),
                created_at=created,
                state=state,
                state_updated_at=created + timedelta(seconds=seconds),
                verification_method=used,
            )
        )


def sync_of_four() -> None:
    """Sync these people. Tests that only add to the database get a copy of the result: `repeat(sync_of_four)`."""
    with run_in_thread(SandboxConfig(seed=1)) as running:
        fill(running)
        sync_from(running)


EXPECTED: dict[tuple[str, str, str], tuple[float | None, float | None, float]] = {
    ("enrolment_coverage", "users", "all"): (1, 4, 0.25),
    ("mfa_coverage", "one or more", "all"): (2, 4, 0.5),
    ("mfa_coverage", "two or more", "all"): (1, 4, 0.25),
    ("phishing_resistant_coverage", "passkey or security key", "all"): (1, 4, 0.25),
    ("phishing_resistant_coverage", "only SMS or e-mail", "all"): (1, 4, 0.25),
    ("passkey_usage_rate", "passkey", "all"): (2, 3, 2 / 3),
    ("challenge_success_rate", "succeeded", "all"): (3, 5, 0.6),
    ("drop_off_rate", "abandoned", "all"): (1, 5, 0.2),
    ("challenge_and_block_rate", "challenged", "all"): (5, 8, 0.625),
    ("challenge_and_block_rate", "blocked", "all"): (2, 8, 0.25),
    ("seconds_to_authenticate", "p25", "all"): (None, 3, 7),
    ("seconds_to_authenticate", "p50", "all"): (None, 3, 8),
    ("seconds_to_authenticate", "p90", "all"): (None, 3, 25.6),
    ("seconds_to_authenticate", "p95", "all"): (None, 3, 27.8),
    ("seconds_to_authenticate", "p50", "PASSKEY"): (None, 2, 7),
    ("passkey_inventory", "passkeys", "unknown"): (1, 1, 1),
    ("dormant_authenticators", "dormant", "all"): (2, 3, 2 / 3),
    ("dormant_authenticators", "dormant", "SMS"): (2, 2, 1),
    ("dormant_authenticators", "never used", "PASSKEY"): (0, 1, 0),
    ("passkeys_per_user", "passkeys", "all"): (1, 1, 1),
    ("passkeys_per_user", "second device", "all"): (0, 1, 0),
    ("active_users", "in a day", "all"): (1, None, 1),
    ("users_not_read", "in 7 days", "all"): (0, 4, 0),
}
LATER = {"stickiness", "active_user_coverage"}
"""KPIs that need a month of attempts."""


Key = tuple[str, str, str]
Figure = tuple[float | None, float | None, float | None]


def figures(pipeline: Any) -> dict[Key, Figure]:
    """Numerator, denominator and value of each slice."""
    found: dict[Key, Figure] = {}
    for kpi in read(pipeline):
        value = None if kpi.value is None else round(kpi.value, 12)
        found[kpi.model.name, kpi.measure, kpi.dimension_value] = (kpi.numerator, kpi.denominator, value)
    return found


def expected() -> dict[Key, Figure]:
    return {key: (numerator, of, round(value, 12)) for key, (numerator, of, value) in EXPECTED.items()}


def test_every_model_has_the_expected_value() -> None:
    repeat(sync_of_four)
    install(attach())
    found = figures(attach())
    assert {key: found.get(key) for key in EXPECTED} == expected()
    assert {name for name, _, _ in found} == {name for name, _, _ in EXPECTED}
    assert not {name for name, _, _ in found} & LATER


@pytest.mark.deep
def test_every_model_has_the_expected_value_after_a_second_load_into_delta_tables(
    empty: RunningSandbox, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Merging writes text as string views, which Arrow cannot compare with the text of a filter."""
    into = Lake("delta", str(workdir / "lake"))
    for name, value in into.env.items():
        monkeypatch.setenv(name, value)
    fill(empty)
    for _ in range(2):
        sync_from(empty, destination=into.destination, full=True)
        pipeline = attach(destination=into.destination)
        found = figures(pipeline)
        assert {key: found.get(key) for key in EXPECTED} == expected()
    with lake.opened(lake.held(pipeline)) as connection:
        for query in (
            "select count(*) from user_actions where state like 'BLOC%'",
            "select count(*) from user_actions join (select 'BLOCK' as state) using (state)",
            "select count(*) from user_actions where state in (select max(state) from user_actions where state < 'C')",
        ):
            assert connection.execute(query).fetchall() == [(2,)]


def test_views_of_an_empty_tenant_do_not_divide_by_zero(empty: RunningSandbox) -> None:
    sync_from(empty)
    install(attach())
    assert read(attach()) == []


def test_views_before_the_first_sync_say_what_to_do() -> None:
    with pytest.raises(NoData, match="dlt-authsignal sync"):
        install(attach())


def test_models_with_missing_tables_are_not_available_and_say_what_they_need(empty: RunningSandbox) -> None:
    sync_from(empty, tables=["users", "user_authenticators"])
    installed = install(attach())
    assert installed.needs["drop_off_rate"] == ("user_actions or events",)
    assert "kpi_mfa_coverage" in installed.views
    listed = command("models", "list")
    assert "not available: needs" in " ".join(listed.stdout.split())


@pytest.mark.deep
def test_the_coverage_of_a_past_day_stays_as_it_was_after_passkeys_and_users_are_deleted(empty: RunningSandbox) -> None:
    no_midnight_within(20)
    fill(empty)
    sync_from(empty)
    with attach().sql_client() as client:  # as if that sync had been five days ago
        for table in ("users_history", "user_authenticators_history"):
            client.execute_sql(f"update {table} set valid_from = valid_from - interval 5 day")
    empty.sandbox.store.remove_authenticator("both", "both-PASSKEY")
    empty.sandbox.store.remove_user("nothing", actions=True)
    sync_from(empty, accept_deletes=True)
    install(attach())
    days = {
        kpi.period_start: (kpi.numerator, kpi.denominator)
        for kpi in read(attach(), grains=["day"])
        if kpi.model.name == "enrolment_coverage"
    }
    today = max(day for day in days if day)
    assert days == {today - timedelta(days=back): (1, 4) if back else (0, 3) for back in range(6)}


def test_tables_that_you_supply_make_kpis_available_and_declare_the_sign_in_actions() -> None:
    repeat(sync_of_four)
    assert install(attach()).needs["support_tickets"] == ("your table support_tickets",)
    with attach().sql_client() as client:
        client.execute_sql("create table support_tickets as select created_at as opened_at from user_actions limit 1")
        client.execute_sql("create table sign_in_actions as select 'payment' as action_code")
    assert "support_tickets" not in install(attach()).needs
    found = figures(attach())
    assert found["support_tickets", "tickets", "all"] == (365, 1, 365)
    assert ("passkey_usage_rate", "passkey", "all") not in found


def test_an_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="drop_off_rate"):
        find_model("nope")


def test_the_dictionary_explains_every_kpi() -> None:
    for model in all_models():
        assert model.question.endswith("?"), model.name
        assert all((model.population, model.numerator, model.denominator, model.window, model.measures)), model.name
        assert {*model.units, *model.share_measures, *model.warm_up, *model.shown_measures} <= {*model.measures}
        assert set(model.percentiles) in (set(), set(model.measures)), model.name
    assert len({model.name for model in all_models()}) == len(all_models())


@pytest.mark.parametrize("model", deep_except([all_models()[0]], all_models()), ids=lambda model: model.name)
@pytest.mark.parametrize("dialect", ["databricks", "redshift", "bigquery", "snowflake"])
def test_every_view_can_be_parsed_in_its_own_dialect(model: Model, dialect: str) -> None:
    from sqlglot import exp, parse_one

    assert availability(model, {**EVERYTHING, **{name: {} for name in model.tables if name not in EVERYTHING}})
    text = view_query(model, EVERYTHING, "authsignal_data", dialect)
    parsed = parse_one(text, dialect=dialect)
    assert isinstance(parsed, exp.Select)
    assert [column.alias_or_name for column in parsed.selects] == list(COLUMNS)
    assert not list(parsed.find_all(exp.Filter))
    assert not any(macro in text.lower() for macro in ("utc_day(", "week_of(", "month_of(", "json_text("))
