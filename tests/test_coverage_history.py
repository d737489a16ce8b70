"""Coverage on days before the first read: what events of authenticators tell, against the sandbox's own truth."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from dlt_authsignal.api.webhooks import envelope
from dlt_authsignal.dashboard.content import open_figures
from dlt_authsignal.dashboard.page import Chart
from dlt_authsignal.models import install, read
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.sandbox.tenant.entities import Authenticator, User
from dlt_authsignal.sandbox.tenant.expected import truth
from dlt_authsignal.sandbox.webhooks.payloads import authenticator_data
from tests.event_spools import deliver
from tests.event_spools import load as load_spool
from tests.helpers import no_midnight_within, sync_from
from tests.tiers import deep_after

COVERAGE = {
    "enrolment_coverage": ["users"],
    "mfa_coverage": ["one or more", "two or more"],
    "phishing_resistant_coverage": ["passkey or security key", "only SMS or e-mail"],
}
DAYS = 8
Counts = tuple[float | None, int | None]


class Told:
    """A tenant that changes day by day, with the events that it sends and its truth at the end of each day.

    Args:
        running: The sandbox, without users.
    """

    def __init__(self, running: RunningSandbox) -> None:
        self.store = running.sandbox.store
        self.noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
        self.events: list[dict[str, Any]] = []
        self.truth: dict[date, Mapping[str, Any]] = {}

    def at(self, day: int) -> datetime:
        """Noon of a day before today."""
        return self.noon - timedelta(days=DAYS - day)

    def user(self, name: str, day: int) -> None:
        self.store.put_user(User(user_id=name, created_at=self.at(day)))

    def enrols(self, name: str, method: str, day: int, *, is_told: bool = True) -> None:
        at = self.at(day)
        made = Authenticator(
            user_authenticator_id=f"{name}-{method}",
            user_id=name,
            verification_method=method,
            created_at=at,
            verified_at=at,
        )
        self.store.put_authenticator(made)
        if is_told:
            self._tell("created", made, at)

    def removes(self, name: str, method: str, day: int) -> None:
        held = next(each for each in self.store.authenticators(name) if each.verification_method == method)
        self.store.remove_authenticator(name, held.user_authenticator_id)
        self._tell("deleted", held, self.at(day))

    def _tell(self, what: str, about: Authenticator, at: datetime) -> None:
        data = authenticator_data(about, with_public_key=False, deleted_at=at if what == "deleted" else None)
        number = len(self.events)
        time = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.events.append(envelope(f"authenticator.{what}", data, id=f"event-{number}", time=time, tenant_id="tenant"))

    def day_is_over(self, day: int) -> None:
        self.truth[self.at(day).date()] = truth(self.store, self.at(day))


def live(told: Told) -> None:
    """Eight days: methods come and go, and some exist at no time at which they could be read."""
    for name in ("keeps", "loses", "swaps", "weak", "never"):
        told.user(name, 0)
    told.enrols("loses", "PASSKEY", 0, is_told=False)  # before the first event, and removed later
    told.enrols("weak", "SMS", 0, is_told=False)
    told.day_is_over(0)
    steps = {
        1: [("enrols", "keeps", "PASSKEY"), ("enrols", "swaps", "SMS")],
        2: [("enrols", "swaps", "PASSKEY"), ("enrols", "keeps", "EMAIL_OTP")],
        3: [("removes", "swaps", "SMS")],
        4: [("removes", "loses", "PASSKEY")],
        5: [("removes", "swaps", "PASSKEY"), ("enrols", "swaps", "SECURITY_KEY")],
        6: [("removes", "weak", "SMS"), ("enrols", "loses", "SMS")],
        7: [],
    }
    for day, done in steps.items():
        for what, name, method in done:
            getattr(told, what)(name, method, day)
        if day == 6:
            told.user("late", day)
        told.day_is_over(day)


def by_day() -> dict[str, dict[date | None, Counts]]:
    """Each measure of coverage by day, as the views have it."""
    install(attach())
    found: dict[str, dict[date | None, Counts]] = {}
    for kpi in read(attach(), grains=["day"]):
        if kpi.model.name in COVERAGE:
            found.setdefault(kpi.measure, {})[kpi.period_start] = (kpi.numerator, kpi.denominator)
    return found


def expected(told: Told, kpi: str, measure: str, days: range) -> dict[date, Counts]:
    rows = {told.at(day).date(): told.truth[told.at(day).date()][kpi].get(f"{measure} / all") for day in days}
    return {day: (row["numerator"], row["denominator"]) for day, row in rows.items() if row}


@pytest.mark.parametrize("has_events", deep_after(1, [True, False]))
def test_coverage_on_each_day_from_the_second_day_with_events_is_the_sandboxs_truth(
    empty: RunningSandbox, *, has_events: bool
) -> None:
    no_midnight_within(20)
    told = Told(empty)
    live(told)
    if has_events:
        deliver(told.events, datetime.now(UTC))
        load_spool()
    sync_from(empty)
    found, days = by_day(), range(2, DAYS) if has_events else range(0)
    today = told.noon.date()
    for kpi, measures in COVERAGE.items():
        for measure in measures:
            past = {day: counts for day, counts in found[measure].items() if day != today}
            assert past == expected(told, kpi, measure, days), measure
    chart = next(
        card
        for section in open_figures(attach()).document(page="adoption").pages[0].sections
        for card in section.cards
        if isinstance(card, Chart) and card.title == "Users with a passkey over time"
    )
    every = next(series for series in chart.series if series.name == "All users")
    assert len(every.points) == (DAYS - 1 if has_events else 1)
