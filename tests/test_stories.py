"""The stories of the invented tenant: what the KPI views say about them, and what the sandbox knows to be so."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from dlt_authsignal.models import install
from dlt_authsignal.pipeline.attach import attach
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


@pytest.fixture(params=deep_after(1, range(len(CASTS))))
def told(request: pytest.FixtureRequest) -> Told:
    seed, settings = CASTS[request.param]
    with run_in_thread(SandboxConfig(users=USERS, seed=seed, stories=settings)) as running:
        running.sandbox.clock.freeze()
        stories = {story.name: story for story in running.told_stories()}
        load_everything(running)
    install(attach())
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


def test_the_kpis_of_each_story_equal_the_sandboxs_truth(told: Told) -> None:
    rollout, release, attack = (told.stories[name].days for name in ("passkey_rollout", "broken_release", "sms_attack"))
    assert rollout
    assert release
    assert attack
    weeks = {"week before": (-7, -1), "week after": (7, 13)}
    for when, (start, end) in weeks.items():
        days = Days(first=rollout.first + start * DAY, last=rollout.first + end * DAY)
        assert share("passkey_usage_rate", days) == told.figure("passkey_rollout", f"passkey usage, {when}")
        assert share("drop_off_rate", days) == told.figure("passkey_rollout", f"drop-off, {when}")
    system = told.settings.release_system
    for kpi, name in (("drop_off_rate", "drop-off"), ("passkey_success_rate", "passkey success")):
        for when, days in (("before", release.before), ("during", release)):
            expected = told.figure("broken_release", f"{name} on {system}, {when}")
            assert share(kpi, days, "os", system) == expected
            expected = told.figure("broken_release", f"{name} on other systems, {when}")
            assert share(kpi, days, "os", system, other=True) == expected
    country = told.settings.attack_country
    entered = share("otp_funnel", attack, "phone_country", country)
    assert entered == (0, told.figure("sms_attack", f"entered in {country}, during")[1])
