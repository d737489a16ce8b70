"""The figures of the dashboard: those of the KPIs, for any filters; a document for any state of the data."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dlt.pipeline.pipeline import Pipeline
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlt_authsignal.dashboard.content import Figures, open_figures
from dlt_authsignal.dashboard.content.data.cubes import CUBED
from dlt_authsignal.dashboard.content.data.selection import dimension_of, ignored
from dlt_authsignal.dashboard.content.text import findings
from dlt_authsignal.dashboard.page import Card, Chart, Document, Filters, Number, Table
from dlt_authsignal.dashboard.render import html
from dlt_authsignal.models import Kpi, Model, all_models, find_model, install, needs_of, read
from dlt_authsignal.models.dialects import in_duckdb, qualified
from dlt_authsignal.models.kpis.forms import GRAINS
from dlt_authsignal.models.kpis.queries import query
from dlt_authsignal.models.opened import Stored
from dlt_authsignal.models.tables import existing
from dlt_authsignal.pipeline.attach import attach, make_pipeline
from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.sandbox.tenant.entities import User
from tests.helpers import MANAGEMENT_SECRET, rows, sync_from
from tests.kpi_dataset import made_of_seed_1
from tests.kpi_oracle import wilson
from tests.loaded import Loaded, copy_project, loaded, project, synced
from tests.test_models import fill
from tests.tiers import examples
from tests.warehouses import Lake

__all__ = ["loaded"]

PAGES = ["overview", "adoption", "funnel", "reliability", "changes", "security", "trust"]
NOTHING = Filters()
SHOWN = tuple(name for name in Kpi.__dataclass_fields__ if name != "model")


def as_rows(kpis: Iterable[Kpi]) -> set[tuple[Any, ...]]:
    """Rows to compare: with rounded figures, and without order."""
    return {tuple(_rounded(getattr(kpi, name)) for name in SHOWN) for kpi in kpis}


def _rounded(value: Any) -> Any:
    return round(value, 9) if isinstance(value, float) else value


def cards(document: Document) -> Iterator[Card]:
    for page in document.pages:
        for section in page.sections:
            yield from section.cards


@pytest.fixture
def tenant(tmp_path_factory: pytest.TempPathFactory, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    copy_project(made_of_seed_1(tmp_path_factory), workdir)
    return attach()


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Figures, Stored, Path]]:
    """The figures of that tenant, for tests that only look at them."""
    folder = tmp_path_factory.mktemp("figures") / "copy"
    copy_project(made_of_seed_1(tmp_path_factory), folder)
    with project(folder):
        pipeline = attach()
        yield open_figures(pipeline), existing(pipeline), folder / "authsignal_pipeline.duckdb"


@pytest.fixture
def figures(opened: tuple[Figures, Stored, Path]) -> Figures:
    return opened[0]


def rows_of(figures: Figures, model: Model, filters: Filters = NOTHING) -> set[tuple[Any, ...]]:
    return as_rows(figures.rows(model.name, filters))


def test_figures_without_filters_are_those_of_the_views(tenant: Pipeline) -> None:
    figures, by_model = open_figures(tenant), defaultdict(list)
    install(tenant)
    for kpi in read(tenant, GRAINS):
        by_model[kpi.model.name].append(kpi)
    assert len(by_model) > 20
    for model in all_models():
        assert rows_of(figures, model) == as_rows(by_model[model.name]), model.name


def filtered(model: Model, filters: Filters) -> Model:
    """The KPI with the filter in its own query."""
    without = ignored(model, filters)
    conditions = ["1 = 1"]
    for name in ("action", "method", "country"):
        value = getattr(filters, name)
        if value is not None and name not in without:
            conditions.append(f"c.{dimension_of(model, name)} = '{value}'")
    conditions += [f"c.day >= date '{filters.since}'"] if filters.since else []
    conditions += [f"c.day <= date '{filters.until}'"] if filters.until else []
    return replace(model, sql=f"select c.* from ({model.sql}) as c where {' and '.join(conditions)}")


CUBES = [model for model in all_models() if model.form in CUBED]


DAYS = st.dates(date(2026, 9, 10), date(2026, 11, 5))


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.crash) for part in (1, 2))])
@given(
    model=st.sampled_from(CUBES),
    days=st.tuples(st.none() | DAYS, st.none() | DAYS),
    action=st.sampled_from([None, "signIn", "payment", "logIn"]),
    method=st.sampled_from([None, "PASSKEY", "SMS"]),
    country=st.sampled_from([None, "US", "DE", "unknown"]),
)
@settings(
    max_examples=examples(50, 8),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_filtered_figures_are_those_of_the_kpi_with_the_filter_in_its_own_query(
    opened: tuple[Figures, Stored, Path],
    part: int,
    model: Model,
    days: tuple[date | None, date | None],
    action: str | None,
    method: str | None,
    country: str | None,
) -> None:
    figures, stored, file = opened
    if needs_of(model, stored):
        return
    since, until = sorted(days) if all(days) else days  # type: ignore[type-var]
    filters = Filters(since=since, until=until, action=action, method=method, country=country)
    text = qualified(in_duckdb(query(filtered(model, filters), stored)), '"authsignal_data"', stored)
    known = len(SHOWN) - 1  # `is_complete` also depends on the days that are chosen
    expected = {
        tuple(map(_rounded, row))[:known] for row in rows(f"select {', '.join(SHOWN)} from ({text})", str(file))
    }
    assert {row[:known] for row in rows_of(figures, model, filters)} == expected


def test_slices_add_up_to_the_total_under_filters(figures: Figures) -> None:
    filters = Filters(since=date(2026, 10, 5), until=date(2026, 10, 25), action="signIn")
    added = 0
    for model in CUBES:
        found = figures.rows(model.name, filters)
        if model.form != "cases" or not model.has_total:
            continue
        for dimension in model.dimensions:
            sums: dict[Any, list[float]] = defaultdict(lambda: [0.0, 0.0])
            for row in found:
                if row.dimension in ("all", dimension):
                    sums[row.measure, row.period_grain, row.period_start][row.dimension != "all"] += row.numerator or 0
            assert all(total == parts for total, parts in sums.values()), (model.name, dimension)
            added += len(sums)
    assert added > 100


def test_states_of_users_are_those_at_the_end_of_the_chosen_days(figures: Figures) -> None:
    days = {
        row.period_start: row
        for row in figures.rows("active_users")
        if row.period_grain == "day" and row.measure == "in 7 days"
    }
    day = sorted(each for each in days if each)[3]
    found = figures.rows("active_users", Filters(since=day - timedelta(days=1), until=day))
    (total,) = (row for row in found if row.period_grain == "all" and row.measure == "in 7 days")
    assert (total.value, total.period_start) == (days[day].value, None)


def test_a_period_is_compared_with_the_one_before_only_if_that_is_loaded(figures: Figures) -> None:
    first = figures.choices.first_day
    assert first
    for since, is_loaded in ((first + timedelta(days=7), True), (first + timedelta(days=3), False)):
        document = figures.document(Filters(since=since, until=since + timedelta(days=6)), "overview")
        (dropped,) = (card for card in cards(document) if card.title == "Challenges that were abandoned")
        assert isinstance(dropped, Number)
        assert (dropped.before is not None) == is_loaded
        if dropped.before:
            earlier = figures.document(
                Filters(since=since - timedelta(days=7), until=since - timedelta(days=1)), "overview"
            )
            assert dropped.before.value in [
                card.point.value for card in cards(earlier) if isinstance(card, Number) and card.point
            ]


def test_a_card_names_the_filters_that_it_does_not_have(figures: Figures) -> None:
    document = figures.document(Filters(action="signIn", method="SMS"), "overview")
    ignoring = {card.title: card.ignores for card in cards(document) if isinstance(card, Number)}
    assert ignoring["Users with a passkey"] == ("action", "method")
    assert ignoring["Challenges that were abandoned"] == ("method",)
    assert ignoring["Time to authenticate, median"] == ()


def test_pages_show_no_user(loaded: Loaded) -> None:
    with project(loaded.folder):
        document = open_figures(attach()).document()
        shown = repr(document)
        people = rows("select user_id, email, phone_number from users", str(loaded.file))
    assert [page.key for page in document.pages] == PAGES
    values = {str(value) for row in people for value in row if value}
    assert len(values) > 80
    assert not [value for value in values if value in shown]


def test_each_definition_that_a_card_names_is_in_the_document(figures: Figures) -> None:
    for page in PAGES:
        document = figures.document(NOTHING, page)
        assert {card.definition for card in cards(document) if card.definition} <= document.definitions.keys()


def check_empty(document: Document) -> None:
    for card in cards(document):
        assert card.needs, card.title
        assert not (isinstance(card, Number) and card.point)
        assert not (isinstance(card, Table) and card.rows)
        assert not (isinstance(card, Chart) and card.series)


def test_without_data_each_card_says_what_to_load() -> None:
    figures = open_figures(make_pipeline())
    check_empty(figures.document())
    assert {source.state for source in figures.document().sources} == {"missing"}
    assert figures.document().check_state == "missing"
    assert figures.document(Filters(since=date(2026, 10, 1)), "funnel").pages


def test_without_events_and_configuration_their_cards_say_what_to_load(seeded: RunningSandbox) -> None:
    synced(seeded)
    figures = open_figures(attach())
    found = {card.title: card for card in cards(figures.document())}
    for title, needed in (
        ("Challenges with an error", "events load"),
        ("Rates before and after each change", "management_secret_key"),
        ("Detections by week", "dlt-authsignal alerts"),
        ("Spent on codes", "otp_prices"),
    ):
        assert needed in found[title].needs
    shown = found["Challenges that succeeded"]
    assert isinstance(shown, Number)
    assert shown.point
    assert not shown.needs
    assert [(source.name, source.state) for source in figures.document().sources] == [
        ("API", "ok"),
        ("Events", "missing"),
        ("Configuration", "missing"),
    ]


@pytest.mark.deep
def test_days_of_the_first_years_are_shown(empty: RunningSandbox) -> None:
    fill(empty)
    sync_from(empty)
    with attach().sql_client() as client:
        for table in ("user_actions", "users_history"):
            column = "created_at" if table == "user_actions" else "valid_from"
            client.execute_sql(f"update {table} set {column} = '0001-01-02 00:00:00+00' where {column} is not null")
    figures = open_figures(attach())
    assert figures.choices.first_day == date(1, 1, 2)
    text = html(figures.document(), page="overview")
    assert "0001-01-02" in text


@pytest.mark.deep
@pytest.mark.parametrize("users", [0, 1])
def test_a_tenant_with_hardly_any_user_has_every_page(empty: RunningSandbox, users: int) -> None:
    for number in range(users):
        created = empty.sandbox.clock.now() - timedelta(days=3)
        empty.sandbox.store.put_user(User(user_id=f"user-{number}", created_at=created))
    sync_from(empty)
    figures = open_figures(attach())
    for page in PAGES:
        for filters in (NOTHING, Filters(since=date(2026, 10, 1), until=date(2026, 10, 7))):
            assert figures.document(filters, page).pages[0].sections


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_other_destinations_show_the_same_pages(
    seeded: RunningSandbox,
    postgres_database: str,
    workdir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seeded.sandbox.clock.freeze()
    arguments = {"apis": ["server", "management"], "management_secret_key": MANAGEMENT_SECRET}
    sync_from(seeded, **arguments)
    expected = open_figures(attach())
    into = Lake("delta", str(workdir / "lake"))
    environment = {"DESTINATION__POSTGRES__CREDENTIALS": postgres_database, **into.env}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    known = {model.name: rows_of(expected, model) for model in all_models()}
    for other in ("postgres", "filesystem"):
        sync_from(seeded, destination=other, pipeline_name=f"in_{other}", **arguments)
        figures = open_figures(attach(destination=other, pipeline_name=f"in_{other}"))
        for model in all_models():
            assert rows_of(figures, model) == known[model.name], (other, model.name)
        assert [page.key for page in figures.document().pages] == PAGES


def kpi(value: tuple[int, int], week: int = 0, where: tuple[str, str] = ("all", "all")) -> Kpi:
    low, high = wilson(*value)
    return Kpi(
        model=find_model("drop_off_rate"),
        measure="abandoned",
        period_grain="week",
        period_start=date(2026, 10, 5) + timedelta(days=7 * week),
        dimension=where[0],
        dimension_value=where[1],
        numerator=value[0],
        denominator=value[1],
        value=value[0] / value[1],
        low=low,
        high=high,
        unit="ratio",
        is_complete=True,
    )


@pytest.mark.deep
@given(st.integers(1, 400), st.integers(1, 400), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=examples(300, 30), deadline=None)
def test_the_interval_of_a_change_is_newcombes(cases: int, others: int, one: float, other: float) -> None:
    from statsmodels.stats.proportion import confint_proportions_2indep

    before, after = (round(one * cases), cases), (round(other * others), others)
    change = findings.between(kpi(before), kpi(after, 1))
    assert change
    expected = confint_proportions_2indep(*after, *before, method="newcomb", compare="diff")
    assert (change.low, change.high) == pytest.approx(expected, abs=1e-6)


def test_the_largest_change_is_said_with_its_slice_and_week() -> None:
    weeks = [
        kpi((12, 100), 0, ("os", "Android")),
        kpi((31, 100), 1, ("os", "Android")),
        kpi((12, 100), 0, ("os", "iOS")),
        kpi((13, 100), 1, ("os", "iOS")),
        kpi((9, 20), 0, ("os", "Linux")),
        kpi((0, 20), 1, ("os", "Linux")),
        kpi((24, 200), 0),
        kpi((44, 200), 1),
    ]
    found = findings.weekly_changes(weeks)
    assert [change.where for change in found] == ["on Android", ""]
    assert findings.said(found[0], "abandonment") == (
        "Abandonment on Android rose from 12.0 % to 31.0 % in the week of 12 Oct (31 of 100; 95 % interval of the"
        " change: +7.7 to +29.8 points)."
    )


def test_a_slice_with_all_cases_is_said_once() -> None:
    of_all = [kpi((12, 100)), kpi((40, 100), 1)]
    same = [kpi((12, 100), 0, ("action_code", "signIn")), kpi((40, 100), 1, ("action_code", "signIn"))]
    found = findings.per_slice(findings.weekly_changes([*same, *of_all]))
    assert [change.where for change in found] == [""]


def test_detections_are_counted_by_rule_and_week_without_their_subjects(seeded: RunningSandbox) -> None:
    synced(seeded)
    moment = datetime(2026, 10, 14, 12, tzinfo=UTC)
    found = [
        {
            "rule": rule,
            "severity": "high",
            "subject_kind": "user_id",
            "subject": f"victim-{number}",
            "first_seen": moment - timedelta(minutes=30),
            "last_seen": moment + timedelta(days=7 * (number // 2)),
            "event_count": 5,
        }
        for number, rule in enumerate(["mfa_fatigue", "mfa_fatigue", "otp_pumping"])
    ]
    make_pipeline().run(found, table_name="detections")
    document = open_figures(attach()).document(NOTHING, "security")
    shown = {card.title: card for card in cards(document)}
    by_week, by_rule = shown["Detections by week"], shown["Detections by rule"]
    assert isinstance(by_week, Chart)
    assert isinstance(by_rule, Table)
    assert {series.name: [point.value for point in series.points] for series in by_week.series} == {
        "MFA fatigue": [2, 0],
        "OTP pumping": [0, 1],
    }
    assert by_week.caption == (
        "3 detections. The most in one week: 2 of MFA fatigue in the week of 12 Oct. Not available: MFA fatigue and OTP"
        " pumping. Receive events with dlt-authsignal receive, then run dlt-authsignal events load."
    )
    assert [row[:3] for row in by_rule.rows] == [("MFA fatigue", 2, 10), ("OTP pumping", 1, 5)]
    assert "victim" not in repr(document)
