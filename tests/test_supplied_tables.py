"""Tables that you supply, with wrong columns and values: their KPIs say what they need, and all others stay."""

import pytest

from dlt_authsignal.dashboard.content import open_figures
from dlt_authsignal.dashboard.page import Filters
from dlt_authsignal.models import install, needs_of, read
from dlt_authsignal.models.kpis.catalogue import find_model
from dlt_authsignal.models.tables import existing
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.sandbox import RunningSandbox
from tests.event_spools import at, deliver, load
from tests.helpers import command, sync_from
from tests.loaded import repeat
from tests.test_event_kpis import sent
from tests.test_models import fill, sync_of_four
from tests.tiers import deep_after

PRICES = "create table otp_prices as select 'SMS' as channel, "
TICKETS = "create table support_tickets as select "
WRONG = [
    ("otp_spend", f"{PRICES} 'NZ' as country_code", "the column price in your table otp_prices, as a number"),
    ("otp_avoided", f"{PRICES} 'NZ' as country_code, 'abc' as price", "the column price in your table otp_prices"),
    ("otp_spend", f"{PRICES} 0.5 as price", "the column country_code in your table otp_prices"),
    ("otp_spend", "create table otp_prices as select 1 as channel, null as country_code, 1 as price", "channel"),
    ("support_tickets", f"{TICKETS} 1 as a", "the column opened_at in your table support_tickets, as a time"),
    ("support_tickets", f"{TICKETS} 'yesterday' as opened_at", "the column opened_at in your table support_tickets"),
    ("support_tickets", f"{TICKETS} 17 as opened_at", "the column opened_at in your table support_tickets"),
    ("passkey_usage_rate", "create table sign_in_actions as select 1 as a", "the column action_code in your table"),
    ("passkey_usage_rate", "create table sign_in_actions as select 1 as action_code", "action_code"),
]


@pytest.mark.parametrize("destination", deep_after(1, ["duckdb", "postgres"]))
def test_a_table_that_you_supply_with_wrong_columns_costs_only_its_own_kpis(
    empty: RunningSandbox, destination: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if destination == "postgres":
        monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", request.getfixturevalue("postgres_database"))
        fill(empty)
        sync_from(empty, destination=destination)
    else:
        repeat(sync_of_four)
    pipeline = attach(destination=destination)
    for name, statement, need in WRONG:
        with pipeline.sql_client() as client:
            client.execute_sql(statement)
        assert need in " ".join(needs_of(find_model(name), existing(pipeline))), statement
        with pipeline.sql_client() as client:
            client.execute_sql(f"drop table {statement.split()[2]}")
    with pipeline.sql_client() as client:
        for statement in {each.split()[2]: each for _, each, _ in WRONG}.values():
            client.execute_sql(statement)
    done = install(pipeline)
    assert {"otp_spend", "support_tickets", "passkey_usage_rate"} <= done.needs.keys()
    assert "kpi_mfa_coverage" in done.views
    assert open_figures(pipeline).document(Filters()).pages


def test_times_of_tickets_may_be_missing_or_days() -> None:
    repeat(sync_of_four)
    for column in ("null::timestamp", "current_date", "timestamp '2026-10-30 10:00:00'"):
        with attach().sql_client() as client:
            client.execute_sql("drop table if exists support_tickets")
            client.execute_sql(f"{TICKETS} {column} as opened_at")
        assert "support_tickets" not in install(attach()).needs, column
        assert [kpi for kpi in read(attach()) if kpi.model.name == "support_tickets"], column


def test_prices_that_are_negative_missing_or_not_finite_do_not_count_and_the_highest_of_several_does() -> None:
    deliver([sent(0, "SMS_SENT", "+6421234567")], at(0))
    load()
    with attach().sql_client() as client:
        client.execute_sql("create table otp_prices (channel text, country_code text, price double)")
    install(attach())
    for prices, spent in (("-1", []), ("null", []), ("'nan'", []), ("'infinity'", []), ("1), ('SMS', 3", [3])):
        with attach().sql_client() as client:
            client.execute_sql(
                "create or replace table otp_prices as select channel, null as country_code, price::double as price"
                f" from (values ('SMS', {prices})) as p(channel, price)"
            )
        found = [kpi for kpi in read(attach()) if kpi.model.name == "otp_spend" and kpi.dimension == "all"]
        assert [kpi.numerator for kpi in found if kpi.numerator is not None] == spent, prices


def test_a_dropped_table_is_named_as_the_cause_with_the_next_step() -> None:
    repeat(sync_of_four)
    deliver([sent(0, "SMS_SENT", "+6421234567")], at(0))
    load()
    with attach().sql_client() as client:
        client.execute_sql("drop table action_log")
    for words in (["status"], ["models", "install"]):
        done = command(*words)
        assert done.returncode == 1, words
        assert "Table with name action_log does not exist" in done.stderr
        assert "dlt-authsignal sync. It creates them again. Tables of events: dlt-authsignal events load" in done.stderr
        assert "SELECT" not in done.stderr
