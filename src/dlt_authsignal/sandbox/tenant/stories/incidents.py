"""Attacks on a few users each, in the last days: what the detections look for."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator, Step, User
from dlt_authsignal.sandbox.tenant.stories.ids import random_id
from dlt_authsignal.sandbox.tenant.stories.plan import (
    BRUTE_FORCE,
    FATIGUE,
    RECOVERY,
    TRAVEL,
    Plan,
)

SHARED_NUMBER: Final = "+447700900123"
"""A number that Britain reserves for films and examples."""

PUSHES: Final = 8
GUESSES: Final = 14
_ATTACKERS_NETWORK: Final = "2001:db8:bad:{place:x}::{host:x}"
_AGENT: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0"


@dataclass(frozen=True, kw_only=True, slots=True)
class Victim:
    """A user in an incident.

    Attributes:
        user: The user.
        country: The country that the user lives in.
        agent: The user agent of the user's device.
        place: Which of the users in the same incident this is, from 0.
        starts: When the incident starts for this user.
        rng: The generator of this user's incident.
    """

    user: User
    country: str
    agent: str
    place: int
    starts: datetime
    rng: random.Random


@dataclass(frozen=True, slots=True)
class Happened:
    """What an incident adds to a user."""

    actions: tuple[Action, ...] = ()
    authenticators: tuple[Authenticator, ...] = ()


def happened_to(victim: Victim, incident: str) -> Happened:
    """Return what an incident adds to a user: nothing to a user who did not exist yet."""
    if incident not in _INCIDENTS or victim.user.created_at > victim.starts:
        return Happened()
    return _INCIDENTS[incident](victim)


def place_of(plan: Plan, number: int, incident: str) -> int:
    """Return which of the users in an incident a user is, from 0."""
    return [cast for cast, role in plan.roles if role == incident].index(number)


def starts_of(plan: Plan, incident: str, place: int) -> datetime:
    """Return when an incident starts for one of its users: some hours apart."""
    return plan.starts(incident) + timedelta(minutes=97 * place)


def _fatigue(victim: Victim) -> Happened:
    """One push request after another at night, until the user approves the last one."""
    push = _authenticator(victim, "PUSH", victim.starts - timedelta(days=60))
    actions = [
        _attempt(
            victim,
            FATIGUE,
            at=victim.starts + timedelta(seconds=110 * turn),
            state="CHALLENGE_SUCCEEDED" if turn == PUSHES - 1 else "CHALLENGE_REQUIRED",
            by=push if turn == PUSHES - 1 else None,
            steps=(_step(victim.starts + timedelta(seconds=110 * turn), "PUSH"),),
        )
        for turn in range(PUSHES)
    ]
    return Happened(tuple(actions), (push,))


def _brute_force(victim: Victim) -> Happened:
    """Guessed codes by e-mail, attempt after attempt."""
    email = _authenticator(victim, "EMAIL_OTP", victim.starts - timedelta(days=90))
    actions = []
    for turn in range(GUESSES):
        at = victim.starts + timedelta(seconds=140 * turn)
        guesses = (_step(at + timedelta(seconds=9 + 7 * each), "EMAIL_OTP", _WRONG, email) for each in range(4))
        steps = (_step(at, "EMAIL_OTP", "EMAIL_OTP_SENT", email), *guesses)
        actions.append(_attempt(victim, BRUTE_FORCE, at=at, state="CHALLENGE_FAILED", steps=steps))
    return Happened(tuple(actions), (email,))


_WRONG: Final = "EMAIL_OTP_CODE_INVALID_OR_EXPIRED"


def _recovery(victim: Victim) -> Happened:
    """A recovery code is used from another country, and minutes later there is a new authenticator."""
    at = victim.starts
    recovered = _attempt(victim, RECOVERY, at=at, state="CHALLENGE_SUCCEEDED", method="RECOVERY_CODE")
    app = _authenticator(victim, "AUTHENTICATOR_APP", at + timedelta(minutes=4 + victim.place))
    later = at + timedelta(minutes=40)
    used = _attempt(victim, RECOVERY, at=later, state="CHALLENGE_SUCCEEDED", by=app)
    return Happened((recovered, used), (app,))


def _travel(victim: Victim) -> Happened:
    """A sign-in at home, and one on another continent half an hour later."""
    app = _authenticator(victim, "AUTHENTICATOR_APP", victim.starts - timedelta(days=70))
    home = _attempt(victim, TRAVEL, at=victim.starts, state="CHALLENGE_SUCCEEDED", by=app, is_at_home=True)
    away = victim.starts + timedelta(minutes=31 + 5 * victim.place)
    return Happened((home, _attempt(victim, TRAVEL, at=away, state="CHALLENGE_SUCCEEDED", by=app)), (app,))


_INCIDENTS: Final[dict[str, Callable[[Victim], Happened]]] = {
    FATIGUE: _fatigue,
    BRUTE_FORCE: _brute_force,
    RECOVERY: _recovery,
    TRAVEL: _travel,
}


def _attempt(
    victim: Victim,
    story: str,
    *,
    at: datetime,
    state: str,
    by: Authenticator | None = None,
    method: str | None = None,
    steps: tuple[Step, ...] = (),
    is_at_home: bool = False,
) -> Action:
    is_met = state == "CHALLENGE_SUCCEEDED"
    ended = at + timedelta(milliseconds=victim.rng.randrange(6_000, 38_000)) if state != "CHALLENGE_REQUIRED" else at
    host = victim.rng.randrange(1, 0xFFFF)
    return Action(
        user_id=victim.user.user_id,
        action_code="signIn",
        idempotency_key=random_id(victim.rng),
        created_at=at,
        state=state,
        updated_at=ended,
        state_updated_at=ended,
        verification_method=(by.verification_method if by else method) if is_met else None,
        verified_by=by.user_authenticator_id if by else None,
        user_agent=victim.agent if is_at_home else _AGENT,
        ip_address=f"203.0.113.{1 + host % 254}"
        if is_at_home
        else _ATTACKERS_NETWORK.format(place=victim.place, host=host),
        country_code=victim.country if is_at_home else ABROAD,
        steps=steps,
        stories=(story,),
    )


ABROAD: Final = "BR"
"""Country from which the attackers come. No invented user lives there."""


def _authenticator(victim: Victim, method: str, created: datetime) -> Authenticator:
    created = max(created, victim.user.created_at)
    return Authenticator(
        user_authenticator_id=random_id(victim.rng),
        user_id=victim.user.user_id,
        verification_method=method,
        created_at=created,
        verified_at=created + timedelta(seconds=20),
        email=victim.user.email if method == "EMAIL_OTP" else None,
    )


def _step(at: datetime, method: str, type: str | None = None, to: Authenticator | None = None) -> Step:
    return Step(at=at, method=method, type=type, email=to.email if to else None)
