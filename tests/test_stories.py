"""The stories of the invented tenant: what the KPI views say about them, and what the sandbox knows to be so."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest

from dlt_authsignal.models import install
from dlt_authsignal.models.opened import Ask, opened
from dlt_authsignal.models.questions import all_questions, answer
from dlt_authsignal.pipeline.alerts.detect import detect
from dlt_authsignal.pipeline.attach import attach, make_pipeline
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.core.story_settings import Stories
from dlt_authsignal.sandbox.tenant.stories.found import Days, Story
from dlt_authsignal.sandbox.webhooks.past_events import PastEvents
from tests.event_spools import deliver, load
from tests.helpers import MANAGEMENT_SECRET, rows, sync_from
from tests.tiers import deep_after

USERS = 240
DAY = timedelta(days=1)
CASTS = [
    (7, Stories()),
    (11, Stories(rollout_week=2, release_week=6, release_system="iOS", attack_week=6, attack_country="LR")),
    (12, Stories(rollout_week=3, release_week=5, release_system="Windows", attack_week=2, attack_country="TM")),
]
"""Seeds with the stories at other times, on other systems and in other countries: a wrong query gives other numbers."""


@dataclass
class Told:
    """A tenant with stories that was loaded from the API and from events, and what happened in it."""

    settings: Stories
    stories: dict[str, Story]

    def figure(self, story: str, name: str) -> tuple[int, int]:
        return self.stories[story].figures[name]


@pytest.fixture(params=deep_after(0, range(len(CASTS))))
def told(request: pytest.FixtureRequest) -> Told:
    seed, settings = CASTS[request.param]
    with run_in_thread(SandboxConfig(users=USERS, seed=seed, stories=settings)) as running:
        running.sandbox.clock.freeze()
        stories = {story.name: story for story in running.told_stories()}
        load_everything(running)
    with attach().sql_client() as client:
        client.execute_sql(
            "create table otp_prices as select 'SMS' as channel, null::text as country_code, 0.2 as price"
        )
    install(attach())
    detect(make_pipeline())
    return Told(settings, stories)


def load_everything(running: RunningSandbox) -> None:
    """Load all events of the past, and what the API returns."""
    now = running.sandbox.clock.now()
    for chunk in PastEvents(running.sandbox, 60):
        events = [pending.envelope for pending in chunk if pending.envelope]
        for start in range(0, len(events), 500):
            deliver(events[start : start + 500], now)
    load()
    sync_from(running, apis=["server", "management"], management_secret_key=MANAGEMENT_SECRET)


MEASURES = {
    "passkey_usage_rate": "passkey",
    "drop_off_rate": "abandoned",
    "passkey_success_rate": "succeeded",
    "otp_funnel": "entered",
}


def share(kpi: str, days: Days, dimension: str = "all", value: str = "all", *, other: bool = False) -> tuple[int, int]:
    """Numerator and denominator of a KPI over some days: of a slice, or of all others."""
    ((hits, cases),) = rows(
        f"select sum(numerator), sum(denominator) from kpi_{kpi}"
        f" where measure = '{MEASURES[kpi]}' and period_grain = 'day'"
        f" and period_start between '{days.first}' and '{days.last}' and dimension = '{dimension}'"
        f" and dimension_value {'<>' if other else '='} '{value}'"
    )
    return int(hits or 0), int(cases or 0)


def test_the_kpis_and_the_six_questions_say_what_the_sandbox_knows_of_each_story(told: Told) -> None:
    check_kpis(told)
    with opened(attach()) as (ask, _, _):
        assert len(all_questions()) == 6
        check_rollout(told, ask)
        check_release(told, ask)
        check_attack(told, ask)
        check_incidents(told, ask)
        check_trust(ask)
        assert answer(ask, "changes", date.min, date.max) == []  # the configuration was read once


def ratio(figure: tuple[int, int]) -> Any:
    return pytest.approx(figure[0] / figure[1])


def days(told: Told, story: str) -> tuple[date, date]:
    found = told.stories[story].days
    assert found
    return found.first, found.last


def check_rollout(told: Told, ask: Ask) -> None:
    found = {rate: (before, after) for rate, before, after in answer(ask, "rollout", *days(told, "passkey_rollout"))}
    for rate, name in (("sign-ins with a passkey", "passkey usage"), ("abandoned challenges", "drop-off")):
        before, after = (told.figure("passkey_rollout", f"{name}, {when}") for when in ("week before", "week after"))
        assert found[rate] == (ratio(before), ratio(after))
    before, after = found["seconds to sign in"]
    assert after < before


def check_release(told: Told, ask: Ask) -> None:
    """The question finds the system by itself."""
    first, *others = answer(ask, "release", *days(told, "broken_release"))
    system, story = told.settings.release_system, told.stories["broken_release"]
    names = [f"{name} on {system}, {when}" for name in ("drop-off", "passkey success") for when in ("before", "during")]
    assert first[:5] == (system, *(ratio(story.figures[name]) for name in names))
    worked, started = story.figures[f"passkey worked on {system}, during"]
    assert first[6] == started - worked >= len(story.attempts)
    assert first[5] >= len(story.users)
    gave_up = story.figures["gave up"]
    assert gave_up[1] == len(story.attempts) == gave_up[0] + story.figures["used another method"][0]
    assert all(row[0] != system for row in others)


def check_attack(told: Told, ask: Ask) -> None:
    """The question finds the country by itself."""
    country, story = told.settings.attack_country, told.stories["sms_attack"]
    codes, all_codes = story.figures[f"codes to {country}, during"]
    found = answer(ask, "attack", *days(told, "sms_attack"))
    assert found[0][:4] == (country, codes, len(story.users), 0)
    assert float(found[0][4]) == pytest.approx(0.2 * codes)
    assert found[0][5] == "signUp"
    assert sum(row[1] for row in found) == all_codes
    assert story.figures[f"codes to {country}, before"][0] == 0


def check_incidents(told: Told, ask: Ask) -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for rule, user_id, *_ in answer(ask, "attacks", date.min, date.max):
        found[rule].add(user_id)
    for name in ("mfa_fatigue", "brute_force", "shared_phone", "factor_after_recovery"):
        assert found[name] == told.stories[name].users, name
    assert found["impossible_travel"] >= told.stories["impossible_travel"].users  # others really travel


def check_trust(ask: Ask) -> None:
    found = {(figure, of): value for figure, of, value, *_ in answer(ask, "trust", date.min, date.max)}
    assert found["equal", None] > 0
    assert all(value == 0 for (figure, _), value in found.items() if figure == "different in")


def check_kpis(told: Told) -> None:
    rollout, release, attack = (told.stories[name].days for name in ("passkey_rollout", "broken_release", "sms_attack"))
    assert rollout
    assert release
    assert attack
    weeks = {"week before": (-7, -1), "week after": (7, 13)}
    for when, (start, end) in weeks.items():
        week = Days(first=rollout.first + start * DAY, last=rollout.first + end * DAY)
        assert share("passkey_usage_rate", week) == told.figure("passkey_rollout", f"passkey usage, {when}")
        assert share("drop_off_rate", week) == told.figure("passkey_rollout", f"drop-off, {when}")
    system = told.settings.release_system
    for kpi, name in (("drop_off_rate", "drop-off"), ("passkey_success_rate", "passkey success")):
        for when, period in (("before", release.before), ("during", release)):
            expected = told.figure("broken_release", f"{name} on {system}, {when}")
            assert share(kpi, period, "os", system) == expected
            expected = told.figure("broken_release", f"{name} on other systems, {when}")
            assert share(kpi, period, "os", system, other=True) == expected
    country = told.settings.attack_country
    entered = share("otp_funnel", attack, "phone_country", country)
    assert entered == (0, told.figure("sms_attack", f"entered in {country}, during")[1])
