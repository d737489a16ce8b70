"""Invent one user from a seed and a number: attributes, authenticators, devices and actions.

Everything here is a pure function of (seeding, number), so data can be dropped and created again. All draws of a user
come from one generator in one order: add a new draw last, or everything after it changes. The effects of configuration
changes, and the stories, have their own generators.
"""

import base64
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from dlt_authsignal.sandbox.tenant.catalogue import (
    ABROAD,
    ACTIONS,
    ATTEMPTS_A_DAY,
    COUNTRY,
    HOUR,
    PLATFORM,
    WEEKDAY,
    YUBIKEY,
    Country,
    Platform,
    Provider,
)
from dlt_authsignal.sandbox.tenant.changes.moments import NEW_ACTION, NO_CHANGES, Moments
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator, Credential, Device, User
from dlt_authsignal.sandbox.tenant.invented.changed_attempts import ChangedAttempts
from dlt_authsignal.sandbox.tenant.outcomes import Outcome, draw_outcome, settled
from dlt_authsignal.sandbox.tenant.store import Belongings
from dlt_authsignal.sandbox.tenant.stories.person import told_actions, told_authenticators, told_user
from dlt_authsignal.sandbox.tenant.stories.plan import SIGN_UP, Plan
from dlt_authsignal.sandbox.tenant.stories.told import Told

PEOPLE_KEPT: Final = 2_048
"""Users whose data stays in memory, in about 6 KB each: more than a sync reads between a page and its users."""


@dataclass(frozen=True, slots=True)
class Seeding:
    """The inputs from which users are invented, together with their number.

    Attributes:
        seed: The seed of the tenant.
        days: Days of actions until `now`.
        now: The present, in UTC.
        changes: When the tenant's configuration changes.
        stories: What happens besides. None: nothing.
    """

    seed: int
    days: int
    now: datetime
    changes: Moments = NO_CHANGES
    stories: Plan | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Beginning:
    """A user before the first action, the generator from which the actions are drawn, and what changes them.

    `told` is None without stories.
    """

    rng: random.Random
    user: User
    country: Country
    platform: Platform
    authenticators: list[Authenticator]
    changed: ChangedAttempts
    told: Told | None


def user_of(seeding: Seeding, number: int) -> User:
    """Invent the user without their other data, which is about four times as fast."""
    return _begin(seeding, number).user


@lru_cache(maxsize=PEOPLE_KEPT)
def belongings_of(seeding: Seeding, number: int) -> Belongings:
    """Invent the other data of the user with that number."""
    person = _begin(seeding, number)
    device = Device(user_id=person.user.user_id, device_id=_id(person.rng), created_at=person.user.created_at)
    actions, held = list(_actions(person, seeding)), person.authenticators
    if seeding.stories is not None:
        actions, held = _with_stories(seeding.stories, seeding, number, person, actions)
    return Belongings(
        authenticators={value.user_authenticator_id: value for value in _last_used(held, actions)},
        devices={value.device_id: value for value in _devices(person.rng, device, actions)},
        actions={(action.action_code, action.idempotency_key): action for action in actions},
    )


def _begin(seeding: Seeding, number: int) -> _Beginning:
    rng, now = random.Random(f"{seeding.seed}:{number}"), seeding.now
    country, platform = COUNTRY.draw(rng), PLATFORM.draw(rng)
    created = now - timedelta(days=_age(rng, seeding.days), seconds=rng.randrange(86_400))
    user = _user(rng, number, country, created)
    authenticators = _authenticators(rng, user, platform, seeding)
    if authenticators and authenticators[0].verified_at:
        user = replace(user, default_verification_method=authenticators[0].verification_method)
    told, seed = None, f"{seeding.seed}:{number}:stories"
    if seeding.stories is not None:
        user = told_user(seeding.stories, number, user)
        authenticators = told_authenticators(seeding.stories, number, authenticators)
        told = _told(seeding, seeding.stories, seed, user, platform, authenticators)
    return _Beginning(
        rng=rng,
        user=user,
        country=country,
        platform=platform,
        authenticators=authenticators,
        changed=ChangedAttempts(seeding.changes, f"{seeding.seed}:{number}:changes"),
        told=told,
    )


def _told(seeding: Seeding, plan: Plan, seed: str, user: User, platform: Platform, held: list[Authenticator]) -> Told:
    def passkey(rng: random.Random, made: datetime) -> Authenticator:
        return _webauthn(rng, user, "PASSKEY", platform.providers.draw(rng), platform, made, first=False)

    system, sms_off = platform.agent["os"]["name"], seeding.changes.sms_off
    return Told(plan, seed, system=system, held=held, make_passkey=passkey, sms_off=sms_off)


def _with_stories(
    plan: Plan, seeding: Seeding, number: int, person: _Beginning, actions: list[Action]
) -> tuple[list[Action], list[Authenticator]]:
    """Return the actions and the authenticators of a user with those that the stories add."""

    def sign_up(key: str, when: datetime, outcome: Outcome, address: int) -> Action:
        return _action(person, SIGN_UP, key, when, outcome, address, person.country.code)

    held = person.authenticators
    if person.told and person.told.passkey:
        held = [*held, person.told.passkey]
    found, added = told_actions(
        plan,
        number,
        person.user,
        actions,
        held=held,
        seed=f"{seeding.seed}:{number}:stories",
        country=person.country.code,
        agent=person.platform.user_agent,
        days=(seeding.now - timedelta(days=seeding.days), seeding.now),
        make=sign_up,
    )
    return found, [*held, *added]


def _id(rng: random.Random) -> str:
    """Return a random UUID like `clock.seeded_ids`, without creating a UUID object."""
    bits = rng.getrandbits(128) & ~(0xF000 << 64 | 0xC000 << 48) | 0x4000 << 64 | 0x8000 << 48
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _age(rng: random.Random, days: int) -> int:
    """Return the days since sign-up: most users signed up before the window, the others during it."""
    return days + rng.randrange(700) if rng.random() < 0.75 else int(days * rng.random() ** 1.4)


def _user(rng: random.Random, number: int, country: Country, created: datetime) -> User:
    phone = f"{country.dial}{rng.randrange(10**6, 10**7)}" if rng.random() < 0.62 else None
    email = f"person{number}@example.com" if rng.random() < 0.95 else None
    return User(
        user_id=_user_id(rng, number),
        created_at=created,
        email=email,
        email_verified=email is not None and rng.random() < 0.9,
        phone_number=phone,
        phone_number_verified=phone is not None and rng.random() < 0.85,
        username=email if rng.random() < 0.5 else None,
        display_name=f"Person {number}" if rng.random() < 0.7 else None,
        locale=country.locale if rng.random() < 0.8 else None,
        custom=_custom(rng) if rng.random() < 0.4 else None,
    )


def _user_id(rng: random.Random, number: int) -> str:
    """Return a user id: mostly UUIDs, some with characters that URLs must encode, because ids are free text."""
    kind = rng.random()
    if kind < 0.93:
        return _id(rng)
    if kind < 0.96:
        return f"auth0|{rng.getrandbits(96):024x}"
    return f"crm:{number}" if kind < 0.985 else f"legacy/{number}?tenant=zürich"


def _custom(rng: random.Random) -> dict[str, Any]:
    return {
        "plan": rng.choice(["free", "plus", "business"]),
        "loyaltyPoints": rng.randrange(5000),
        "betaTester": rng.random() < 0.1,
        "interests": rng.sample(["travel", "food", "sport", "music"], k=2),
    }


def _authenticators(rng: random.Random, user: User, platform: Platform, seeding: Seeding) -> list[Authenticator]:
    """Return the user's authenticators. The first is the default."""
    if rng.random() < 0.12:
        return []
    found: list[Authenticator] = []
    for method in _plain_methods(rng, user):
        found.append(_plain(rng, user, method, seeding.now, first=not found))
    if (made := _passkey_day(rng, user, seeding)) is not None:
        found.append(_webauthn(rng, user, "PASSKEY", platform.providers.draw(rng), platform, made, first=not found))
    if rng.random() < 0.02:
        made = _between(rng, user.created_at, seeding.now)
        found.append(_webauthn(rng, user, "SECURITY_KEY", YUBIKEY, platform, made, first=not found))
    return found


def _plain_methods(rng: random.Random, user: User) -> list[str]:
    methods = []
    if user.phone_number and rng.random() < 0.75:
        methods.append("SMS")
    if user.email and rng.random() < 0.55:
        methods.append("EMAIL_OTP")
    if rng.random() < 0.22:
        methods.append("AUTHENTICATOR_APP")
    return methods


def _plain(rng: random.Random, user: User, method: str, now: datetime, *, first: bool) -> Authenticator:
    created = _between(rng, user.created_at, min(now, user.created_at + timedelta(days=20)))
    verified = created + timedelta(seconds=rng.randrange(8, 90))
    return Authenticator(
        user_authenticator_id=_id(rng),
        user_id=user.user_id,
        verification_method=method,
        created_at=created,
        verified_at=verified if rng.random() < 0.96 and verified <= now else None,
        is_default=first,
        email=user.email if method == "EMAIL_OTP" else None,
        phone_number=user.phone_number if method == "SMS" else None,
        previous_sms_channel="DEFAULT" if method == "SMS" else None,
    )


def _passkey_day(rng: random.Random, user: User, seeding: Seeding) -> datetime | None:
    """Return when the user created a passkey: some before the window, more on each day of it."""
    chance, window = rng.random(), seeding.now - timedelta(days=seeding.days)
    start = max(user.created_at, window)
    if chance < 0.2:
        return _between(rng, user.created_at, start)
    if chance < 0.42:
        later: float = rng.random() ** 0.7
        return start + (seeding.now - start) * later
    return None


def _webauthn(
    rng: random.Random, user: User, method: str, provider: Provider, platform: Platform, made: datetime, *, first: bool
) -> Authenticator:
    credential = base64.urlsafe_b64encode(rng.getrandbits(256).to_bytes(32, "big")).decode().rstrip("=")
    return Authenticator(
        user_authenticator_id=_id(rng),
        user_id=user.user_id,
        verification_method=method,
        created_at=made,
        verified_at=made,
        is_default=first,
        username=user.email,
        display_name=user.display_name,
        credential=Credential(
            credential_id=credential,
            device_id=_id(rng),
            name=provider.name,
            aaguid=provider.aaguid,
            provider=provider.name,
            backed_up=provider.synced,
            device_type="multiDevice" if provider.synced else "singleDevice",
            attachment=provider.attachment,
            agent=platform.agent,
        ),
    )


def _between(rng: random.Random, start: datetime, end: datetime) -> datetime:
    return start + (end - start) * rng.random()


def _actions(person: _Beginning, seeding: Seeding) -> Iterator[Action]:
    rng, country, changed, told = person.rng, person.country, person.changed, person.told
    for when in _moments(rng, person.user.created_at, country, seeding):
        code, key, address = ACTIONS.draw(rng), _id(rng), rng.randrange(1, 255)
        place = country.code if rng.random() < 0.97 else rng.choice(ABROAD)
        usable = [value for value in person.authenticators if value.verified_at and value.verified_at <= when]
        outcome = draw_outcome(rng, code, usable)
        if told is not None:
            outcome, usable = told.outcome(outcome, code, when, usable), told.usable(usable, when)
        outcome = settled(changed.outcome(outcome, code, when, place, usable), when, seeding.now)
        if told is not None:
            outcome = told.offered(code, when, outcome, seeding.now)
        yield _action(person, code, key, when, outcome, address, place)
        if withdrawal := changed.withdrawal(code, when, outcome, usable, seeding.now):
            yield _action(person, NEW_ACTION, _id(changed.rng), *withdrawal, address, place)


def _action(
    person: _Beginning, code: str, key: str, when: datetime, outcome: Outcome, address: int, country: str
) -> Action:
    return Action(
        user_id=person.user.user_id,
        action_code=code,
        idempotency_key=key,
        created_at=when,
        state=outcome.state,
        updated_at=when + outcome.after,
        state_updated_at=when + outcome.after,
        verification_method=outcome.used.verification_method if outcome.used else None,
        verified_by=outcome.used.user_authenticator_id if outcome.used else None,
        user_agent=person.platform.user_agent,
        ip_address=f"203.0.113.{address}",
        country_code=country,
        rules=outcome.rules,
        steps=person.told.steps(outcome, when) if person.told else None,
        stories=outcome.stories,
    )


def _moments(rng: random.Random, created: datetime, country: Country, seeding: Seeding) -> Iterator[datetime]:
    """Iterate over the times of actions, day by day. The caller draws from the same generator in between."""
    per_day, random = ATTEMPTS_A_DAY.draw(rng), rng.random
    for midnight, rhythm in _rhythm(seeding):
        chance = per_day * rhythm
        for _ in range(3):
            if random() < chance:
                hour = (HOUR.draw(rng) - country.utc_offset) % 24
                when = midnight + timedelta(hours=hour, milliseconds=rng.randrange(3_600_000))
                if created <= when <= seeding.now:
                    yield when


@lru_cache(maxsize=8)
def _rhythm(seeding: Seeding) -> tuple[tuple[datetime, float], ...]:
    """Return the midnights of the window, and the activity of each day."""
    first = (seeding.now - timedelta(days=seeding.days)).replace(hour=0, minute=0, second=0, microsecond=0)
    days = (first + timedelta(days=day) for day in range(seeding.days + 1))
    return tuple((midnight, WEEKDAY[midnight.weekday()] / 2) for midnight in days)


def _last_used(authenticators: list[Authenticator], actions: list[Action]) -> list[Authenticator]:
    used = {action.verified_by: action.state_updated_at for action in actions if action.verified_by}
    return [
        replace(value, last_verified_at=used[value.user_authenticator_id])
        if value.user_authenticator_id in used
        else value
        for value in authenticators
    ]


def _devices(rng: random.Random, first: Device, actions: list[Action]) -> Iterator[Device]:
    done = [action for action in actions if action.verification_method]
    if done:
        last = max(done, key=lambda action: action.created_at)
        first = replace(
            first, authenticated_at=last.state_updated_at, last_verification_method=last.verification_method
        )
    if actions:
        yield first
    if rng.random() < 0.2:
        yield replace(
            first,
            device_id=_id(rng),
            authenticated_at=None,
            last_verification_method=None,
            invalidated_at=first.created_at + timedelta(days=1) if rng.random() < 0.2 else None,
        )
