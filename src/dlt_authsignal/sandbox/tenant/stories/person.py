"""One invented user with the stories: other attributes, other attempts, and more of them."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator, User
from dlt_authsignal.sandbox.tenant.outcomes import Outcome
from dlt_authsignal.sandbox.tenant.stories.attack import attack_of, attacker
from dlt_authsignal.sandbox.tenant.stories.ids import random_id
from dlt_authsignal.sandbox.tenant.stories.incidents import SHARED_NUMBER, Victim, happened_to, place_of, starts_of
from dlt_authsignal.sandbox.tenant.stories.plan import ATTACK, SHARED_PHONE, Plan
from dlt_authsignal.sandbox.tenant.stories.sign_ups import sign_up_of

MakeAction = Callable[[str, datetime, Outcome, int], Action]
"""Makes an attempt of sign-up from its key, its time, its outcome and the last part of its IP address."""


def told_user(plan: Plan, number: int, user: User) -> User:
    """Return the attributes that a user has in the stories."""
    role = plan.role_of(number)
    if role == ATTACK and plan.attack is not None:
        return attacker(user, number, plan.attack)
    return replace(user, phone_number=SHARED_NUMBER) if role == SHARED_PHONE else user


def told_authenticators(plan: Plan, number: int, held: list[Authenticator]) -> list[Authenticator]:
    """Return the authenticators that a user has from the start in the stories."""
    role = plan.role_of(number)
    if role == ATTACK:
        return []
    if role != SHARED_PHONE:
        return held
    return [replace(value, phone_number=SHARED_NUMBER) if value.phone_number else value for value in held]


def _shared_phone(user: User, rng: random.Random) -> Authenticator:
    return Authenticator(
        user_authenticator_id=random_id(rng),
        user_id=user.user_id,
        verification_method="SMS",
        created_at=user.created_at + timedelta(minutes=2),
        verified_at=user.created_at + timedelta(minutes=3),
        phone_number=SHARED_NUMBER,
        previous_sms_channel="DEFAULT",
    )


def told_actions(
    plan: Plan,
    number: int,
    user: User,
    actions: list[Action],
    *,
    held: list[Authenticator],
    seed: str,
    country: str,
    agent: str,
    days: tuple[datetime, datetime],
    make: MakeAction,
) -> tuple[list[Action], list[Authenticator]]:
    """Return the attempts of a user with those that the stories add, in order of time, and added authenticators.

    Args:
        plan: The stories of the tenant.
        number: Number of the user.
        user: The user.
        actions: The attempts of the user's ordinary days.
        held: The user's authenticators.
        seed: The seed of the generator.
        country: The country that the user lives in.
        agent: The user agent of the user's device.
        days: The first and the last moment of the actions.
        make: Makes the attempt of the user's sign-up.
    """
    rng, role = random.Random(f"{seed}:more"), plan.role_of(number)
    if role == ATTACK:
        return list(attack_of(user.user_id, number, plan, rng)), []
    found, added = list(actions), list[Authenticator]()
    if sign_up := sign_up_of(held, *days):
        found.append(make(random_id(rng), *sign_up, rng.randrange(1, 255)))
    if role == SHARED_PHONE and all(value.phone_number is None for value in held):
        added.append(_shared_phone(user, rng))
    elif role is not None and role != SHARED_PHONE:
        place = place_of(plan, number, role)
        starts = starts_of(plan, role, place)
        victim = Victim(user=user, country=country, agent=agent, place=place, starts=starts, rng=rng)
        happened = happened_to(victim, role)
        found += happened.actions
        added += happened.authenticators
    return sorted(found, key=lambda action: action.created_at), added
