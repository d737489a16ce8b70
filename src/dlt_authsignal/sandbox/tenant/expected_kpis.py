"""The expected result of every KPI for a store, counted in Python, independently of the KPIs' SQL.

A sync that loses, duplicates or changes a row gives other numbers. The store is read user by user and only counts are
kept, so memory does not grow with the tenant.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from dlt_authsignal.api.endpoints import ACTION_WINDOW_DAYS
from dlt_authsignal.sandbox.core.clock import to_the_millisecond
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator
from dlt_authsignal.sandbox.tenant.store import Store, window_start

SETTLED_AFTER: Final = timedelta(minutes=10)
"""A challenge that is not met by then is never met."""

DORMANT_AFTER: Final = timedelta(days=90)

MILLISECOND: Final = timedelta(milliseconds=1)

Answer = dict[str, float | None]
Answers = dict[str, dict[str, Answer]]


@dataclass
class _Tally:
    """Counts by slice: `hits` of `cases`. A slice exists from its first case."""

    hits: Counter[str] = field(default_factory=Counter)
    cases: Counter[str] = field(default_factory=Counter)

    def add(self, slice_name: str, *, hit: bool) -> None:
        self.cases[slice_name] += 1
        self.hits[slice_name] += hit

    def answers(self) -> dict[str, Answer]:
        return {name: _answer(self.hits[name], cases) for name, cases in self.cases.items()}


@dataclass
class _Tallies:
    """All counts."""

    of_users: int = 0
    with_passkey: int = 0
    phishing_resistant: int = 0
    with_one_method: int = 0
    with_two_methods: int = 0
    providers: Counter[str] = field(default_factory=Counter)
    dormant: _Tally = field(default_factory=_Tally)
    blocked: _Tally = field(default_factory=_Tally)
    succeeded: _Tally = field(default_factory=_Tally)
    abandoned: _Tally = field(default_factory=_Tally)
    by_passkey: _Tally = field(default_factory=_Tally)
    milliseconds: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))


def truth(store: Store, now: datetime, *, read_at: datetime | None = None) -> Answers:
    """Return numerator and denominator of every KPI by name and slice, over the data that a sync at `now` reads.

    These are the users who exist, all their authenticators, and their actions of the last `ACTION_WINDOW_DAYS` days.

    Args:
        store: The users of the tenant.
        now: Time of the sandbox's clock. The window of actions ends there.
        read_at: Time of the sync by its own clock, up to which ages are counted. Default: `now`. They differ where
            the sandbox's clock does not show the present.

    Returns:
        `{"block_rate": {"signIn": {"numerator": 12, "denominator": 900}}, …}`; the numerator of
        `seconds_to_authenticate` is in seconds, None where no duration is known. Slices without a case are missing.
    """
    tallies, at, since = _Tallies(), read_at or now, window_start(now, ACTION_WINDOW_DAYS)
    for user in store.users():
        _count_user(tallies, store.authenticators(user.user_id), at)
        for action in store.actions(user.user_id, since):
            _count_action(tallies, action, at)
    return _named(tallies)


def _answer(numerator: float | None, denominator: float) -> Answer:
    return {"numerator": numerator, "denominator": denominator}


def _count_user(tallies: _Tallies, authenticators: list[Authenticator], at: datetime) -> None:
    verified = [value for value in authenticators if value.verified_at is not None]
    methods = {value.verification_method for value in verified}
    tallies.of_users += 1
    tallies.with_passkey += "PASSKEY" in methods
    tallies.phishing_resistant += bool(methods & {"PASSKEY", "SECURITY_KEY"})
    tallies.with_one_method += len(methods) >= 1
    tallies.with_two_methods += len(methods) >= 2
    for value in verified:
        if value.verification_method == "PASSKEY":
            tallies.providers[(value.credential.provider if value.credential else None) or "unknown"] += 1
        if to_the_millisecond(value.created_at) < at - DORMANT_AFTER:
            used = value.last_verified_at
            tallies.dormant.add(
                value.verification_method, hit=used is None or to_the_millisecond(used) < at - DORMANT_AFTER
            )


def _count_action(tallies: _Tallies, action: Action, at: datetime) -> None:
    code, state = action.action_code, action.state
    tallies.blocked.add(code, hit=state == "BLOCK")
    if state.startswith("CHALLENGE") and to_the_millisecond(action.created_at) <= at - SETTLED_AFTER:
        tallies.succeeded.add(code, hit=state == "CHALLENGE_SUCCEEDED")
        tallies.abandoned.add(code, hit=state == "CHALLENGE_REQUIRED")
    if state == "CHALLENGE_SUCCEEDED":
        tallies.by_passkey.add(code, hit=action.verification_method == "PASSKEY")
        if action.verification_method is not None:
            tallies.milliseconds[action.verification_method].update(_durations(action))


def _durations(action: Action) -> Iterator[int]:
    if action.state_updated_at is not None:
        yield (to_the_millisecond(action.state_updated_at) - to_the_millisecond(action.created_at)) // MILLISECOND


def _named(tallies: _Tallies) -> Answers:
    users, passkeys = tallies.of_users, tallies.providers.total()
    return {
        "block_rate": tallies.blocked.answers(),
        "challenge_success_rate": tallies.succeeded.answers(),
        "dormant_authenticators": tallies.dormant.answers(),
        "drop_off_rate": tallies.abandoned.answers(),
        "enrolment_coverage": {"all": _answer(tallies.with_passkey, users)},
        "mfa_coverage": {
            "one or more": _answer(tallies.with_one_method, users),
            "two or more": _answer(tallies.with_two_methods, users),
        },
        "passkey_inventory": {name: _answer(count, passkeys) for name, count in tallies.providers.items()},
        "passkey_usage_rate": tallies.by_passkey.answers(),
        "phishing_resistant_coverage": {"all": _answer(tallies.phishing_resistant, users)},
        "seconds_to_authenticate": {
            method: _answer(_median_seconds(durations), 1) for method, durations in tallies.milliseconds.items()
        },
    }


def _median_seconds(milliseconds: Counter[int]) -> float | None:
    """Return the median."""
    total = milliseconds.total()
    if total == 0:
        return None
    low, high = _ranked(milliseconds, (total - 1) // 2), _ranked(milliseconds, total // 2)
    return (low + high) / 2 / 1000


def _ranked(counts: Counter[int], rank: int) -> int:
    """Return the value at a position of the sorted values, starting at 0."""
    for value in sorted(counts):
        rank -= counts[value]
        if rank < 0:
            return value
    raise IndexError(rank)
