"""KPI views: known people, known answers."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dlt_authsignal.errors import ConfigurationError, NoData
from dlt_authsignal.models import Model, all_models, find_model, install, lake, read
from dlt_authsignal.models.install import view_sql
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator, User
from tests.helpers import sync_from
from tests.warehouses import Lake


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


EXPECTED = {
    ("enrolment_coverage", "all"): (1, 4),
    ("mfa_coverage", "one or more"): (2, 4),
    ("mfa_coverage", "two or more"): (1, 4),
    ("phishing_resistant_coverage", "all"): (1, 4),
    ("passkey_usage_rate", "signIn"): (2, 3),
    ("challenge_success_rate", "signIn"): (3, 5),
    ("drop_off_rate", "signIn"): (1, 5),
    ("block_rate", "signIn"): (2, 8),
    ("seconds_to_authenticate", "PASSKEY"): (7, 1),
    ("seconds_to_authenticate", "SMS"): (30, 1),
    ("passkey_inventory", "unknown"): (1, 1),
    ("dormant_authenticators", "PASSKEY"): (0, 1),
    ("dormant_authenticators", "SMS"): (2, 2),
}


def test_every_model_has_the_expected_value(empty: RunningSandbox) -> None:
    fill(empty)
    sync_from(empty)
    install(attach())
    found = {(kpi.model.name, kpi.slice): (kpi.numerator, kpi.denominator) for kpi in read(attach())}
    assert found == EXPECTED
    assert {name for name, _ in found} == {model.name for model in all_models()}


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
        assert {(kpi.model.name, kpi.slice): (kpi.numerator, kpi.denominator) for kpi in read(pipeline)} == EXPECTED
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
    assert all(kpi.value is None for kpi in read(attach()) if kpi.denominator == 0)


def test_views_before_the_first_sync_say_what_to_do() -> None:
    with pytest.raises(NoData, match="dlt-authsignal sync"):
        install(attach())


def test_models_with_missing_tables_are_skipped_and_reported(empty: RunningSandbox) -> None:
    sync_from(empty, tables=["users", "user_authenticators"])
    installed = install(attach())
    assert installed.skipped["drop_off_rate"] == ["user_actions"]
    assert "kpi_mfa_coverage" in installed.views


def test_an_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="drop_off_rate"):
        find_model("nope")


@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.name)
def test_every_model_states_its_question_and_its_rule(model: object) -> None:
    found = find_model(model.name)  # type: ignore[attr-defined]
    assert found.question.endswith("?")
    assert found.definition


@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.name)
@pytest.mark.parametrize("dialect", ["databricks", "redshift", "bigquery", "snowflake"])
def test_every_view_can_be_parsed_in_its_own_dialect(model: Model, dialect: str) -> None:
    from sqlglot import exp, parse_one

    parsed = parse_one(view_sql(model, "authsignal_data", dialect), dialect=dialect)
    assert isinstance(parsed, exp.Create)
    assert not list(parsed.find_all(exp.Filter))
