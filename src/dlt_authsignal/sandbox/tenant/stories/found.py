"""What the stories did, counted in Python over the store: the users that they hit, and the rates before and during.

It is independent of the KPIs' SQL. The store is read user by user, and only once.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

from dlt_authsignal.sandbox.core.clock import to_the_millisecond
from dlt_authsignal.sandbox.core.story_settings import PUMPED_COUNTRIES
from dlt_authsignal.sandbox.tenant.entities import Action
from dlt_authsignal.sandbox.tenant.expected.attempts import dimensions
from dlt_authsignal.sandbox.tenant.store import Store
from dlt_authsignal.sandbox.tenant.stories.incidents import SHARED_NUMBER
from dlt_authsignal.sandbox.tenant.stories.plan import (
    ATTACK,
    BRUTE_FORCE,
    FATIGUE,
    RECOVERY,
    RELEASE,
    ROLLOUT,
    SHARED_PHONE,
    TRAVEL,
    Period,
    Plan,
)

Key = tuple[str, str, str]
"""User id, action code and idempotency key of an attempt."""

EVER: Final = datetime(2000, 1, 1, tzinfo=UTC)
WEEK: Final = timedelta(days=7)
BEFORE: Final = timedelta(days=5)
INCIDENTS: Final = (FATIGUE, BRUTE_FORCE, RECOVERY, TRAVEL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Days:
    """Whole days in UTC: the KPIs count by day.

    Attributes:
        first: The first day.
        last: The last day, which is one of them.
    """

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    @property
    def before(self) -> "Days":
        """The five days before the first. Of the release they lie within the 30 days that the API returns."""
        return Days(first=self.first - BEFORE, last=self.first - timedelta(days=1))


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """What one story did.

    Attributes:
        name: Its name; that of an incident is the name of the detection that finds it.
        days: Its days, from the first attempt or offer to the last; of the rollout the week in which it began. None for
            a story without attempts.
        users: Ids of the users that it hit.
        attempts: The attempts that it hit or added.
        figures: Numerator and denominator by name, such as `drop-off on Android, during`; before: see `Days.before`.
    """

    name: str
    days: Days | None
    users: frozenset[str]
    attempts: frozenset[Key]
    figures: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def stories_of(store: Store, plan: Plan | None) -> tuple[Story, ...]:
    """Return what the stories of a tenant did. Nothing without stories."""
    if plan is None:
        return ()
    counted = _Counted(plan)
    for user in store.users():
        for action in store.actions(user.user_id, EVER):
            counted.add(action)
        if user.phone_number == SHARED_NUMBER:
            counted.users[SHARED_PHONE].add(user.user_id)
    return tuple(counted.stories())


def days_of(period: Period) -> Days:
    """Return the days that a period touches."""
    return Days(first=period.start.date(), last=(period.end - timedelta(milliseconds=1)).date())


class _Counted:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.users: dict[str, set[str]] = {name: set() for name in (ROLLOUT, RELEASE, ATTACK, SHARED_PHONE, *INCIDENTS)}
        self._attempts: dict[str, set[Key]] = {name: set() for name in self.users}
        self._at: dict[str, list[date]] = {name: [] for name in self.users}
        self._hits: Counter[tuple[str, str]] = Counter()
        self._cases: Counter[tuple[str, str]] = Counter()
        self._count = tuple(self._counters())

    def _counters(self) -> Iterator[Callable[[Action, date], None]]:
        plan = self._plan
        if plan.rollout:
            start = plan.rollout.start
            before = Days(first=(start - WEEK).date(), last=(start - timedelta(days=1)).date())
            after = Days(first=(start + WEEK).date(), last=(start + 2 * WEEK - timedelta(days=1)).date())
            yield self._rollout({"week before": before, "week after": after})
        if plan.release:
            days = days_of(plan.release)
            yield self._release({"before": days.before, "during": days}, plan.settings.release_system)
        if plan.attack:
            days = days_of(plan.attack)
            country = plan.settings.attack_country
            yield self._attack({"before": days.before, "during": days}, country, PUMPED_COUNTRIES[country])

    def add(self, action: Action) -> None:
        day = to_the_millisecond(action.created_at).date()
        for story in action.stories:
            self.users[story].add(action.user_id)
            self._attempts[story].add((action.user_id, action.action_code, action.idempotency_key))
            self._at[story].append(day)
        for count in self._count:
            count(action, day)

    def _put(self, story: str, name: str, *, hit: bool) -> None:
        self._cases[story, name] += 1
        self._hits[story, name] += hit

    def _rollout(self, periods: Mapping[str, Days]) -> Callable[[Action, date], None]:
        def count(action: Action, day: date) -> None:
            for when in _names(periods, day):
                if action.state == "CHALLENGE_SUCCEEDED" and action.action_code == "signIn":
                    self._put(ROLLOUT, f"passkey usage, {when}", hit=action.verification_method == "PASSKEY")
                if action.state.startswith("CHALLENGE"):
                    self._put(ROLLOUT, f"drop-off, {when}", hit=action.state == "CHALLENGE_REQUIRED")

        return count

    def _release(self, periods: Mapping[str, Days], system: str) -> Callable[[Action, date], None]:
        def count(action: Action, day: date) -> None:
            if not action.state.startswith("CHALLENGE"):
                return
            where = system if dimensions(action)["os"] == system else "other systems"
            for when in _names(periods, day):
                place = f"on {where}, {when}"
                self._put(RELEASE, f"drop-off {place}", hit=action.state == "CHALLENGE_REQUIRED")
                if any(step.method == "PASSKEY" for step in action.steps or ()):
                    self._put(RELEASE, f"passkey success {place}", hit=action.state == "CHALLENGE_SUCCEEDED")
                    self._put(RELEASE, f"passkey worked {place}", hit=action.verification_method == "PASSKEY")
            if RELEASE in action.stories:
                self._put(RELEASE, "gave up", hit=action.state != "CHALLENGE_SUCCEEDED")
                self._put(RELEASE, "used another method", hit=action.state == "CHALLENGE_SUCCEEDED")

        return count

    def _attack(self, periods: Mapping[str, Days], country: str, dial: str) -> Callable[[Action, date], None]:
        def count(action: Action, day: date) -> None:
            sent = [step for step in action.steps or () if step.type == "SMS_SENT"]
            is_there = any((step.phone_number or "").startswith(dial) for step in sent)
            for when in _names(periods, day):
                for step in sent:
                    self._put(ATTACK, f"codes to {country}, {when}", hit=(step.phone_number or "").startswith(dial))
                if is_there:
                    entered = any(step.type == "SMS_CODE_VALID" for step in action.steps or ())
                    self._put(ATTACK, f"entered in {country}, {when}", hit=entered)

        return count

    def stories(self) -> Iterator[Story]:
        for name, users in self.users.items():
            if users:
                yield Story(
                    name=name,
                    days=self._days(name),
                    users=frozenset(users),
                    attempts=frozenset(self._attempts[name]),
                    figures={label: (self._hits[name, label], cases) for label, cases in self._of(name)},
                )

    def _of(self, story: str) -> Iterable[tuple[str, int]]:
        return ((label, cases) for (name, label), cases in self._cases.items() if name == story)

    def _days(self, story: str) -> Days | None:
        periods = {RELEASE: self._plan.release, ATTACK: self._plan.attack}
        if period := periods.get(story):
            return days_of(period)
        if story == ROLLOUT and self._plan.rollout:
            start = self._plan.rollout.start
            return days_of(Period(start, start + WEEK))
        at = self._at[story]
        return Days(first=min(at), last=max(at)) if at else None


def _names(periods: Mapping[str, Days], day: date) -> Iterator[str]:
    return (name for name, days in periods.items() if day in days)
