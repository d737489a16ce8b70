"""When each story happens, and which invented users are in it: a pure function of the settings and the seed."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dlt_authsignal.sandbox.core.story_settings import Stories

ROLLOUT: Final = "passkey_rollout"
RELEASE: Final = "broken_release"
ATTACK: Final = "sms_attack"
FATIGUE: Final = "mfa_fatigue"
SHARED_PHONE: Final = "shared_phone"
BRUTE_FORCE: Final = "brute_force"
RECOVERY: Final = "factor_after_recovery"
TRAVEL: Final = "impossible_travel"

SIGN_UP: Final = "signUp"
"""Action code of the attempts in which a new user proves a phone number or an e-mail address."""

CAST: Final[Mapping[str, int]] = {FATIGUE: 3, SHARED_PHONE: 5, BRUTE_FORCE: 3, RECOVERY: 3, TRAVEL: 3}
"""How many users are in each incident."""

ATTACKERS_OF: Final = 40
"""One of this many invented users is an account of the SMS attack."""

_NEEDED: Final = 4 * sum(CAST.values())
"""A tenant with fewer users has no incidents: they would be most of what happens in it."""

_INCIDENTS: Final = {FATIGUE: (4, 1), BRUTE_FORCE: (3, 19), RECOVERY: (2, 13), TRAVEL: (1, 16)}
"""Days before the end and hour of the day."""


@dataclass(frozen=True, slots=True)
class Period:
    """A time from `start` until before `end`."""

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The stories of one tenant. None, or nothing, where a story is left out.

    Attributes:
        settings: What was asked for.
        rollout: From the moment in which a passkey is offered until the end.
        release: While the broken release is out.
        attack: While the attack lasts.
        first_attacker: Number of the first invented user who is an account of the attack; the others follow.
        roles: The incident of each user in one, by number.
        incidents: When each incident starts.
    """

    settings: Stories
    rollout: Period | None = None
    release: Period | None = None
    attack: Period | None = None
    first_attacker: int | None = None
    roles: tuple[tuple[int, str], ...] = ()
    incidents: tuple[tuple[str, datetime], ...] = ()

    def role_of(self, number: int) -> str | None:
        """Return the incident that a user is in, or the attack; None for all others."""
        if self.first_attacker is not None and number >= self.first_attacker:
            return ATTACK
        return next((role for cast, role in self.roles if cast == number), None)

    def starts(self, incident: str) -> datetime:
        """Return when an incident starts."""
        return dict(self.incidents)[incident]


def plan_of(settings: Stories, *, seed: int, users: int, days: int, now: datetime) -> Plan:
    """Return the stories of a tenant. A story that does not fit into its days, or into its users, is left out."""
    first = (now - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)

    def period(week: int | None, *, after: timedelta, lasting: timedelta) -> Period | None:
        if week is None:
            return None
        start = first + timedelta(weeks=week - 1) + after
        return Period(start, start + lasting) if start + lasting <= now else None

    rollout = period(settings.rollout_week, after=timedelta(hours=9), lasting=timedelta(days=7))
    attackers = users // ATTACKERS_OF
    attack = period(settings.attack_week, after=timedelta(days=1, hours=1), lasting=timedelta(hours=64))
    attack = attack if attackers else None
    kept = users - attackers if attack else users
    has_incidents = settings.incidents and kept >= _NEEDED and days >= 7
    return Plan(
        settings=settings,
        rollout=Period(rollout.start, now) if rollout else None,
        release=period(settings.release_week, after=timedelta(hours=10), lasting=timedelta(days=6, hours=4)),
        attack=attack,
        first_attacker=kept if attack else None,
        roles=_roles(seed, kept) if has_incidents else (),
        incidents=_moments(now) if has_incidents else (),
    )


def _roles(seed: int, users: int) -> tuple[tuple[int, str], ...]:
    chosen = iter(random.Random(f"{seed}:cast").sample(range(users), sum(CAST.values())))
    return tuple((next(chosen), role) for role, count in CAST.items() for _ in range(count))


def _moments(now: datetime) -> tuple[tuple[str, datetime], ...]:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return tuple(
        (role, midnight - timedelta(days=days) + timedelta(hours=hour)) for role, (days, hour) in _INCIDENTS.items()
    )
