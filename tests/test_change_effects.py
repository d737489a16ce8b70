"""The effects of configuration changes: equal to the sandbox's own count, with intervals equal to statsmodels'."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.cli.commands.local.demo import days_around, settings_of, sync_earlier_configurations
from dlt_authsignal.cli.output.changes import print_changes
from dlt_authsignal.models import install
from dlt_authsignal.models.configuration.timeline import Change, Timeline, timeline
from dlt_authsignal.models.configuration.views import Effect, read_effects
from dlt_authsignal.pipeline.attach import make_pipeline
from dlt_authsignal.pipeline.sync.run import sync
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.source.clock import dated
from tests.configuration import configured
from tests.helpers import command, rows, sync_from
from tests.loaded import synced
from tests.warehouses import Lake, Postgres, Warehouse

DAY = timedelta(days=1)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def tenant() -> Iterator[RunningSandbox]:
    with run_in_thread(SandboxConfig(users=120, seed=7)) as running:
        yield running


def synced_each_day(tenant: RunningSandbox, destination: str, first: int | None = None) -> Pipeline:
    """Reads the configuration on the days of the demo, up to the first changes, and the actions in the end."""
    for day in days_around([change.at for change in tenant.configuration_changes()[:first]]):
        tenant.configuration_as_of(day)
        configured(tenant, at=day, destination=destination)
    tenant.configuration_as_of(None)
    sync_from(tenant, destination=destination, tables=["user_actions"])
    return make_pipeline(destination=destination)


@pytest.mark.deep
def test_the_command_prints_every_change_with_effects_that_the_sandbox_counts_too(
    tenant: RunningSandbox, workdir: Path
) -> None:
    check_changes(tenant, synced_each_day(tenant, "duckdb"))
    said = command("changes").stdout
    assert "Rule Block sign-ins from other countries of signIn was added" in said
    assert "is_active: true → false" in said
    assert "verification_methods: - SMS" in said
    assert "Action code withdraw was added" in said
    assert all(word in said for word in ("higher", "lower", "no clear difference", "too few attempts to say"))
    assert "may be the cause" in said
    assert "These are the last 1." in command("changes", "--last", "1").stdout
    told = json.loads(command("changes", "--json").stdout)
    assert [change["object"] for change in told["changes"]] == [c.object for c in timeline(make_pipeline(), 7).changes]
    assert told["changes"][0]["effects"][0]["measure"] == "attempts"


@pytest.mark.deep
def test_the_effects_are_the_same_in_postgresql(
    tenant: RunningSandbox, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_changes(tenant, synced_each_day(tenant, found(Postgres(postgres_database), monkeypatch)))


@pytest.mark.deep
def test_the_effects_are_the_same_in_delta_tables(
    tenant: RunningSandbox, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = found(Lake("delta", str(workdir / "lake")), monkeypatch)
    pipeline = synced_each_day(tenant, destination, first=1)  # each sync of a lake takes seconds
    truth = tenant.configuration_changes()[0]
    change = of(timeline(pipeline, 7), truth.table, truth.key, truth.at)
    check(tenant, change, truth.action_codes[0])


def found(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> str:
    """Returns dlt's name of a destination that its settings are set for."""
    for name, value in warehouse.env.items():
        monkeypatch.setenv(name, value)
    return warehouse.destination


def check_changes(tenant: RunningSandbox, pipeline: Pipeline) -> None:
    found = timeline(pipeline, 7)
    expected = {(change.table, change.key, change.change) for change in tenant.configuration_changes()}
    assert {(change.configuration, change.object, change.change) for change in found.changes} == expected
    for truth in tenant.configuration_changes():
        change = of(found, truth.table, truth.key, truth.at)
        assert change.seen_before
        assert change.seen_before < truth.at <= change.seen_at
        assert {effect.action_code for effect in change.effects} == set(truth.action_codes)
        for code in truth.action_codes:
            check(tenant, change, code)
    check_views(pipeline)


def of(found: Timeline, table: str, key: str, at: datetime) -> Change:
    return next(
        change
        for change in found.changes
        if (change.configuration, change.object) == (table, key) and at <= change.seen_at <= at + DAY
    )


def check(tenant: RunningSandbox, change: Change, code: str) -> None:
    assert change.seen_before
    truth = tenant.change_effects(change.seen_before, change.seen_at, code, read_at=datetime.now(change.seen_at.tzinfo))
    before, after = truth.before, truth.after
    assert before
    assert after
    effects = {effect.measure: effect for effect in change.effects if effect.action_code == code}
    days = (before.end - before.start) / DAY
    counts: dict[str, tuple[float, float, float, float]] = {
        "attempts": (before.attempts, days, after.attempts, days),
        "challenge_rate": (before.challenged, before.attempts, after.challenged, after.attempts),
        "block_rate": (before.blocked, before.attempts, after.blocked, after.attempts),
        "success_rate": (before.succeeded, before.settled, after.succeeded, after.settled),
        "drop_off_rate": (before.dropped_off, before.settled, after.dropped_off, after.settled),
    }
    for measure, expected in counts.items():
        effect = effects[measure]
        assert counted(effect) == pytest.approx(expected, rel=1e-6), (measure, code)
        check_interval(effect)


def counted(effect: Effect) -> tuple[float, float, float, float]:
    return effect.before_numerator, effect.before_denominator, effect.after_numerator, effect.after_denominator


def check_interval(effect: Effect) -> None:
    """The bounds are those of statsmodels."""
    from statsmodels.stats.proportion import confint_proportions_2indep
    from statsmodels.stats.rates import confint_poisson_2indep

    before, of_before, after, of_after = counted(effect)
    if not of_before or not of_after:
        assert effect.difference is None
        return
    if effect.measure == "attempts":
        low, high = confint_poisson_2indep(after, of_after, before, of_before, method="wald", compare="diff")
    else:
        low, high = confint_proportions_2indep(after, of_after, before, of_before, method="newcomb", compare="diff")
    assert (effect.difference_low, effect.difference_high) == pytest.approx((low, high), abs=1e-9)


def check_views(pipeline: Pipeline) -> None:
    """The views show what the command shows."""
    assert {"config_changes", "config_change_effects"} <= set(install(pipeline).views)
    names = list(Effect.__dataclass_fields__)
    with pipeline.sql_client() as client:
        table = client.make_qualified_table_name("config_change_effects")
        query = f"select {', '.join(names)} from {table} order by seen_at, action_code, measure, configuration, object"
        shown = client.execute_sql(query) or ()
    asked = sorted(
        read_effects(pipeline), key=lambda e: (e.seen_at, e.action_code, e.measure, e.configuration, e.object)
    )
    assert [plain(dict(zip(names, row, strict=True))) for row in shown] == [plain(asdict(effect)) for effect in asked]


def plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: round(float(value), 9)
        if not isinstance(value, str | datetime | None)
        else value.astimezone().timestamp()
        if isinstance(value, datetime)
        else value
        for name, value in row.items()
    }


@pytest.mark.deep
@pytest.mark.parametrize("destination", ["duckdb", "postgres"])
def test_the_share_that_a_rule_decided_is_known_where_action_details_are_loaded(
    workdir: Path, postgres_database: str, monkeypatch: pytest.MonkeyPatch, destination: str
) -> None:
    found(Postgres(postgres_database), monkeypatch)
    with run_in_thread(SandboxConfig(users=40, seed=7)) as running:
        pipeline = synced_each_day(running, destination, first=1)
        measures = {effect.measure for effect in read_effects(pipeline)}
        sync_from(running, destination=destination, tables=["user_actions", "action_details"], full=True)
        truth = running.configuration_changes()[0]
        change = of(timeline(pipeline, 7), truth.table, truth.key, truth.at)
        store = running.sandbox.store
        actions = [action for user in store.users() for action in store.actions(user.user_id, EARLIEST)]
    assert "decided_rate" not in measures
    assert change.seen_before
    decided = next(effect for effect in change.effects if effect.measure == "decided_rate")
    length = timedelta(days=decided.window_days)
    signed_in = [action for action in actions if action.action_code == decided.action_code]
    before, after = (
        [
            bool(action.rules) and action.rules[0].rule_id == truth.key
            for action in signed_in
            if start <= action.created_at < end
        ]
        for start, end in ((change.seen_before - length, change.seen_before), (change.seen_at, change.seen_at + length))
    )
    assert sum(after) > sum(before) == 0
    assert counted(decided) == (sum(before), len(before), sum(after), len(after))
    check_interval(decided)
    check_views(pipeline)


def test_without_a_configuration_the_command_says_which_key_is_missing(seeded: RunningSandbox, workdir: Path) -> None:
    synced(seeded)
    done = command("changes")
    assert done.returncode == 2
    assert "management_secret_key" in done.stderr


def test_the_first_read_of_the_configuration_is_not_a_change(empty: RunningSandbox) -> None:
    configured(empty)
    assert timeline(make_pipeline(), 7).changes == []


@pytest.mark.deep
def test_an_interrupted_demo_continues_with_the_missing_days(tenant: RunningSandbox) -> None:
    into: dict[str, Any] = {"pipeline_name": "authsignal_demo"}
    settings = settings_of(tenant, seed=7)
    days = days_around([change.at for change in tenant.configuration_changes()])
    for day in days[:2]:
        tenant.configuration_as_of(day)
        with dated(day):
            sync(make_pipeline(**into), **{**settings, "apis": ["management"]})
    tenant.configuration_as_of(None)
    sync_earlier_configurations(tenant, into, settings)
    reads = rows("select distinct read_at from configuration_reads order by 1", "authsignal_demo.duckdb")
    assert [at for (at,) in reads] == days


@pytest.mark.deep
def test_a_change_of_an_action_without_attempts_is_printed_also_over_a_year(
    tenant: RunningSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = synced_each_day(tenant, "duckdb", first=1)
    with pipeline.sql_client() as client:
        client.execute_sql("update user_actions set action_code = 'other'")
    for days in (25, 365):  # 25 days have more milliseconds than 32 bits
        effects = read_effects(pipeline, days)
        assert effects
        for each in effects:
            figures = (each.before_numerator, each.before_denominator, each.after_numerator, each.after_denominator)
            assert None not in figures
    print_changes(timeline(pipeline, 365), 20)
    assert "(0 of 0)" in capsys.readouterr().out
