"""KPIs over API and events: recomputed from plain dictionaries, per slice and period, on DuckDB and PostgreSQL."""

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dlt_authsignal.api.webhooks import ACTION_LOG, CHALLENGE_LOG, envelope
from dlt_authsignal.models import Kpi, find_model, install, read
from dlt_authsignal.models.dialects import in_duckdb
from dlt_authsignal.models.kpis.queries import query
from dlt_authsignal.models.tables import existing
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.sandbox import RunningSandbox
from tests import kpi_tenant
from tests.event_spools import at, deliver, load
from tests.kpi_dataset import Made, load_tenant, made_of_seed_1, remembered
from tests.kpi_oracle import PERIODS, Figures, Oracle, wilson
from tests.loaded import copy_project

GRAINS = list(PERIODS)
COMPARED = [name for name in vars(Oracle) if not name.startswith("_")]
"""KPIs that the oracle computes."""


@dataclass
class Loaded:
    """The KPIs of a tenant that was loaded, and what they should be."""

    rows: dict[str, list[Kpi]]
    oracle: Oracle
    tenant: kpi_tenant.Tenant

    def figures(self, name: str) -> Figures:
        return as_figures(self.rows[name])


def as_figures(rows: list[Kpi]) -> Figures:
    found: Figures = {}
    for kpi in rows:
        key = (kpi.measure, kpi.period_grain, kpi.period_start, kpi.dimension, kpi.dimension_value)
        assert key not in found, key
        shown = kpi.value if kpi.unit == "seconds" else kpi.numerator
        found[key] = (None if shown is None else round(float(shown), 6), kpi.denominator)
    return found


def rounded(figures: Figures) -> Figures:
    return {key: (None if n is None else round(float(n), 6), d) for key, (n, d) in figures.items()}


def kpis_of(made: Made, **into: Any) -> Loaded:
    """The KPIs of the tenant that this project has loaded."""
    install(attach(**into))
    by_name: dict[str, list[Kpi]] = defaultdict(list)
    for kpi in read(attach(**into), grains=GRAINS):
        by_name[kpi.model.name].append(kpi)
    return Loaded(by_name, made.oracle(), made.tenant)


def loaded(running: RunningSandbox, seed: int, **into: Any) -> Loaded:
    return kpis_of(load_tenant(running, seed, **into), **into)


def check(found: Loaded) -> None:
    assert len(COMPARED) == 14
    for name in COMPARED:
        expected = rounded(getattr(found.oracle, name)())
        figures = found.figures(name)
        differ = {key: (figures.get(key), expected.get(key)) for key in figures.keys() | expected.keys()}
        assert {key: both for key, both in differ.items() if both[0] != both[1]} == {}, name
        assert len(figures) > 1, name
    check_quality(found)
    for kpis in found.rows.values():
        for kpi in kpis:
            if kpi.unit == "ratio" and kpi.numerator is not None and kpi.denominator:
                interval = wilson(kpi.numerator, kpi.denominator)
                assert (kpi.low, kpi.high) == pytest.approx(interval, abs=1e-9)
            else:
                assert kpi.low is kpi.high is None
    check_sums(found)


def check_quality(found: Loaded) -> None:
    tenant = found.tenant
    quality = {key[0]: figure for key, figure in found.figures("event_quality").items()}
    events = sum(bool(each["event"]) for each in tenant.attempts) + len(tenant.steps) + tenant.unknown
    strange = sum(step["method"] == "PASSKEY" and not step["error"] for step in tenant.steps)
    assert quality == {
        "of an unknown type": (tenant.unknown, events),
        "steps of an unknown type": (strange, len(tenant.steps)),
        "copies": (tenant.copies, events + tenant.copies),
    }


def check_sums(found: Loaded) -> None:
    """The slices of a dimension add up to the total, in each period."""
    for name, kpis in found.rows.items():
        if not find_model(name).has_total or {kpi.unit for kpi in kpis} & {"seconds", "per user and year"}:
            continue
        sums: dict[tuple[Any, ...], float] = defaultdict(float)
        totals: dict[tuple[Any, ...], float] = {}
        for kpi in kpis:
            place = (kpi.measure, kpi.period_grain, kpi.period_start)
            if kpi.dimension == "all":
                totals[place] = kpi.numerator or 0
            else:
                sums[(*place, kpi.dimension)] += kpi.numerator or 0
        assert {key: total for key, total in sums.items() if total != totals[key[:3]]} == {}, name


def test_every_slice_and_period_on_duckdb_equals_a_computation_in_python(
    tmp_path_factory: pytest.TempPathFactory, workdir: Path
) -> None:
    made = made_of_seed_1(tmp_path_factory)
    copy_project(made, workdir)
    check(kpis_of(remembered(made)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3])  # 1 above, and 2 below
def test_every_slice_and_period_of_a_third_tenant_equals_a_computation_in_python(
    seeded: RunningSandbox, seed: int
) -> None:
    check(loaded(seeded, seed))


@pytest.mark.deep
def test_every_slice_and_period_on_postgresql_equals_a_computation_in_python(
    seeded: RunningSandbox, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres_database)
    check(loaded(seeded, 1, destination="postgres"))


MISTAKES = [
    ("passkey_usage_rate", "and action_code in ({sign_in_actions})", ""),
    ("passkey_usage_among_able", "and enrolled like '%\"PASSKEY\"%'", ""),
    ("passkey_usage_among_able", "and allowed like '%\"PASSKEY\"%'", ""),
    ("passkey_success_rate", "select distinct", "select"),
    ("passkey_success_rate", "verification_method = 'PASSKEY'", "true"),
    ("challenge_success_rate", "is_challenged = 1 and ", ""),
    ("challenge_success_rate", "is_challenged = 1", "state like 'CHALLENGE%'"),
    ("drop_off_rate", "'CHALLENGE_REQUIRED'", "'CHALLENGE_FAILED'"),
    ("error_rate", " or a.state = 'CHALLENGE_FAILED'", ""),
    ("error_rate", " and a.is_reported = 1", ""),
    ("error_rate", "select distinct", "select"),
    ("fallback_rate", " and allowed is not null", ""),
    ("fallback_rate", " or method = 'PASSKEY'", ""),
    ("challenge_and_block_rate", "coalesce(a.outcome, a.state)", "a.state"),
    ("rule_effectiveness", "on r.action_code = a.action_code", "on true"),
    ("rule_effectiveness", "a.priority_rule_id = r.rule_id", "true"),
    ("otp_funnel", "where s.sent_at is not null", ""),
    ("enrolment_rate", "min(created_at) as offered_at", "max(created_at) as offered_at"),
    ("active_users", "day_plus(a.day, w.days)", "day_plus(a.day, w.days + 1)"),
    ("recoveries", "count(distinct case", "count(case"),
]
"""Plausible mistakes: each has to give another number on this tenant, or the test above would not notice it."""


@pytest.mark.deep
def test_another_tenant_has_the_computed_figures_and_mistakes_in_a_query_give_other_numbers(
    seeded: RunningSandbox,
) -> None:
    found = loaded(seeded, 2)
    check(found)
    stored = existing(attach())
    columns = ", ".join(name for name in Kpi.__dataclass_fields__ if name != "model")
    with duckdb.connect("authsignal_pipeline.duckdb", read_only=True) as connection:
        connection.execute("set schema = 'authsignal_data'")
        for name, right, wrong in MISTAKES:
            model = find_model(name)
            assert right in model.sql, (name, right)
            text = in_duckdb(query(replace(model, sql=model.sql.replace(right, wrong)), stored))
            rows = connection.execute(f"select {columns} from ({text}) as k").fetchall()
            names = columns.split(", ")
            figures = as_figures([Kpi(model=model, **dict(zip(names, row, strict=True))) for row in rows])
            assert figures != found.figures(name), (name, right)


def sent(number: int, kind: str, phone: str | None = None) -> dict[str, Any]:
    record = {"userId": "u", "actionCode": "signIn", "idempotencyKey": f"k{number}", "type": kind}
    record |= {"createdAt": "2026-11-01T10:00:00.000Z"} | ({"phoneNumber": phone} if phone else {})
    return envelope(CHALLENGE_LOG, record, id=f"e{number}", time="2026-11-01T10:00:00.000Z", tenant_id="t")


@pytest.mark.deep
def test_sent_codes_cost_the_price_of_their_channel_and_country() -> None:
    kinds = [
        ("SMS_SENT", "+6421234567"),
        ("SMS_SENT", "+41791234567"),
        ("SMS_CODE_VALID", "+6421234567"),  # not sent
        ("WHATSAPP_SENT", "+6421234567"),  # without a price
        ("EMAIL_OTP_SENT", None),
    ]
    deliver([sent(number, kind, phone) for number, (kind, phone) in enumerate(kinds)], at(0))
    load()
    assert install(attach()).needs["otp_spend"] == ("your table otp_prices",)
    with attach().sql_client() as client:
        prices = "values ('SMS', 'NZ', 0.25), ('SMS', null, 0.5), ('EMAIL_OTP', null, 0.125)"
        client.execute_sql(f"create table otp_prices as select * from ({prices}) as p(channel, country_code, price)")
    install(attach())
    found = {
        (kpi.period_grain, kpi.dimension_value): (float(kpi.numerator or 0), kpi.denominator)
        for kpi in read(attach(), grains=GRAINS)
        if kpi.model.name == "otp_spend" and kpi.denominator
    }
    costs = {"all": (0.875, 3), "SMS": (0.75, 2), "EMAIL_OTP": (0.125, 1)}
    assert found == {(grain, channel): cost for grain in ("all", "month") for channel, cost in costs.items()}


def passed(number: int, method: str) -> dict[str, Any]:
    record = {"userId": "u", "actionCode": "signIn", "idempotencyKey": f"k{number}", "state": "CHALLENGE_SUCCEEDED"}
    record |= {"createdAt": "2026-11-01T10:00:00.000Z", "stateUpdatedAt": "2026-11-01T10:00:09.000Z"}
    record |= {"verificationMethod": method}
    return envelope(ACTION_LOG, record, id=f"a{number}", time="2026-11-01T10:01:00.000Z", tenant_id="t")


@pytest.mark.deep
def test_a_passkey_saves_what_codes_cost_per_challenge_that_succeeded_by_another_method() -> None:
    methods = ["SMS", "SMS", "EMAIL_OTP", "AUTHENTICATOR_APP", "PASSKEY", "PASSKEY", "PASSKEY"]
    phone = "+6421234567"
    codes = [
        sent(0, "SMS_SENT", phone),
        sent(1, "SMS_SENT", phone),
        sent(1, "SMS_SENT", phone) | {"id": "resent"},
        sent(2, "EMAIL_OTP_SENT"),
        *(sent(number, "SMS_SENT", phone) for number in range(20, 40)),  # an attack: no challenge of it succeeded
    ]
    deliver([*(passed(number, method) for number, method in enumerate(methods)), *codes], at(0))
    load()
    with attach().sql_client() as client:
        prices = "values ('SMS', 0.25), ('EMAIL_OTP', 0.125)"
        client.execute_sql(
            f"create table otp_prices as select *, null as country_code from ({prices}) as p(channel, price)"
        )
    install(attach())
    found = {
        kpi.period_grain: (float(kpi.numerator or 0), kpi.denominator, kpi.value)
        for kpi in read(attach(), grains=GRAINS)
        if kpi.model.name == "otp_avoided"
    }
    each = (3 * 0.25 + 0.125) / 4
    assert found == {"all": (3 * each, 3, each), "month": (3 * each, 3, each)}
