"""The SMS attack: new accounts make the tenant send codes to one foreign country, and enter none of them."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from dlt_authsignal.sandbox.core.story_settings import PUMPED_COUNTRIES
from dlt_authsignal.sandbox.tenant.entities import Action, Step, User
from dlt_authsignal.sandbox.tenant.stories.ids import random_id
from dlt_authsignal.sandbox.tenant.stories.plan import ATTACK, SIGN_UP, Period, Plan

EVERY: Final = timedelta(hours=8)
"""Between two waves of the attack."""

ATTEMPTS: Final = 2
CODES: Final = 5
"""Attempts of an account in a wave, and codes that each of them asks for."""

COUNTRIES: Final = ("NL", "SG", "US")
"""Countries of the rented machines from which the attack comes."""

AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"


def attacker(user: User, number: int, attack: Period) -> User:
    """Return an account of the attack in place of a user: created when the attack starts, with little else."""
    created = attack.start + timedelta(seconds=40 * (number % 30))
    return User(user_id=user.user_id, created_at=created, email=f"account{number}@example.net", email_verified=False)


def attack_of(user_id: str, number: int, plan: Plan, rng: random.Random) -> Iterator[Action]:
    """Iterate over the attempts of one account, in order of time."""
    if plan.attack is None:
        return
    country, wave = rng.choice(COUNTRIES), plan.attack.start
    while wave in plan.attack:
        for turn in range(ATTEMPTS):
            at = wave + timedelta(minutes=21 + 19 * turn, milliseconds=rng.randrange(900_000))
            yield Action(
                user_id=user_id,
                action_code=SIGN_UP,
                idempotency_key=random_id(rng),
                created_at=at,
                state="CHALLENGE_REQUIRED",
                updated_at=at,
                state_updated_at=at,
                user_agent=AGENT,
                ip_address=f"2001:db8:{number:x}::{rng.randrange(1, 0xFFFF):x}",
                country_code=country,
                steps=tuple(_steps(rng, at, PUMPED_COUNTRIES[plan.settings.attack_country])),
                stories=(ATTACK,),
            )
        wave += EVERY


def _steps(rng: random.Random, began: datetime, dial: str) -> Iterator[Step]:
    """Iterate over the codes that one attempt asks for, each to another number."""
    for turn in range(CODES):
        at = began + timedelta(seconds=2 + 31 * turn, milliseconds=rng.randrange(1000))
        number = f"{dial}3{rng.randrange(10**5, 10**6)}"
        sent = Step(at=at, method="SMS", type="SMS_SENT", phone_number=number)
        yield sent
        if rng.random() < 0.9:
            yield replace(sent, at=at + timedelta(seconds=5), type="SMS_DELIVERED")
