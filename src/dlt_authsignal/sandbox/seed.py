"""A tenant out of one integer: people, their authenticators, devices and what they did.

Each person follows from (seed, number) alone, so a larger tenant begins with the same people as a smaller one.
"""

import base64
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from dlt_authsignal.api.endpoints import TOKEN_MINUTES
from dlt_authsignal.sandbox.catalogue import (
    ACTIONS,
    COUNTRIES,
    HABITS,
    HOUR,
    PLATFORMS,
    WEEKDAY,
    YUBIKEY,
    Country,
    Platform,
    Provider,
)
from dlt_authsignal.sandbox.clock import IdMaker, seeded_ids
from dlt_authsignal.sandbox.entities import Action, Authenticator, Credential, Device, Rule, User
from dlt_authsignal.sandbox.store import Store

T = TypeVar("T")

BLOCK_RULE: Final = Rule(
    rule_id="0b6f1c9e-5d0f-4b6e-9a57-6d0a4f0f7a01",
    name="Block anonymous networks",
    description="Blocks sign-ins from anonymous IP addresses.",
)
REVIEW_RULE: Final = Rule(
    rule_id="0b6f1c9e-5d0f-4b6e-9a57-6d0a4f0f7a02",
    name="Review impossible travel",
    description="Sends attempts that imply impossible travel to review.",
)

GONE_EVERY: Final = 60
"""After so many people the listing has places of deleted ones, now and then enough of them for a whole empty page."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Everything the tenant knows of one person."""

    user: User
    authenticators: list[Authenticator]
    devices: list[Device]
    actions: list[Action]


def populate(store: Store, *, users: int, days: int, seed: int, now: datetime) -> None:
    """Fills a store with `users` people and `days` days of what they did until `now`."""
    for number in range(users):
        add(store, person(seed, number, days=days, now=now))
        if number % GONE_EVERY == GONE_EVERY - 1:
            _add_gone(store, seed, number)


def add(store: Store, value: Person) -> None:
    """Puts one person into the store."""
    store.put_user(value.user)
    for authenticator in value.authenticators:
        store.put_authenticator(authenticator)
    for device in value.devices:
        store.put_device(device)
    for action in value.actions:
        store.put_action(action)


def _add_gone(store: Store, seed: int, number: int) -> None:
    places = 250 if number % (5 * GONE_EVERY) == 5 * GONE_EVERY - 1 else 3
    for place in range(places):
        store.put_gone(f"gone-{seed}-{number}-{place}")


def person(seed: int, number: int, *, days: int, now: datetime) -> Person:
    """Person `number` of the tenant that `seed` names."""
    rng = random.Random(f"{seed}:{number}")
    ids = seeded_ids(rng)
    country = _weighted(rng, [(value, value.weight) for value in COUNTRIES])
    platform = _weighted(rng, [(value, value.weight) for value in PLATFORMS])
    created = now - timedelta(days=_age(rng, days), seconds=rng.randrange(86_400))
    user = _user(rng, ids, number, country, created)
    authenticators = _authenticators(rng, ids, user, platform, now, days)
    device = Device(user_id=user.user_id, device_id=ids(), created_at=created)
    actions = list(_actions(rng, ids, user, authenticators, country, platform, now, days))
    return Person(
        user=replace(user, default_verification_method=_default(authenticators)),
        authenticators=_last_used(authenticators, actions),
        devices=list(_devices(rng, ids, device, actions)),
        actions=actions,
    )


def _weighted(rng: random.Random, choices: list[tuple[T, float]]) -> T:
    return rng.choices([value for value, _ in choices], [weight for _, weight in choices])[0]


def _age(rng: random.Random, days: int) -> int:
    """Days since sign-up: most people were there before the window, the rest joined during it, more of them lately."""
    return days + rng.randrange(700) if rng.random() < 0.75 else int(days * rng.random() ** 1.4)


def _user(rng: random.Random, ids: IdMaker, number: int, country: Country, created: datetime) -> User:
    phone = f"{country.dial}{rng.randrange(10**6, 10**7)}" if rng.random() < 0.62 else None
    email = f"person{number}@example.com" if rng.random() < 0.95 else None
    return User(
        user_id=_user_id(rng, ids, number),
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


def _user_id(rng: random.Random, ids: IdMaker, number: int) -> str:
    """Ids are the customer's own free text: mostly UUIDs, some with characters that URLs must encode."""
    kind = rng.random()
    if kind < 0.93:
        return ids()
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


def _authenticators(
    rng: random.Random, ids: IdMaker, user: User, platform: Platform, now: datetime, days: int
) -> list[Authenticator]:
    if rng.random() < 0.12:
        return []
    found = [_plain(rng, ids, user, method, now) for method in _plain_methods(rng, user)]
    if (made := _passkey_day(rng, user, now, days)) is not None:
        found.append(_passkey(rng, ids, user, _weighted(rng, list(platform.providers)), platform, made))
    if rng.random() < 0.02:
        made = _between(rng, user.created_at, now)
        found.append(replace(_passkey(rng, ids, user, YUBIKEY, platform, made), verification_method="SECURITY_KEY"))
    return [replace(found[0], is_default=True), *found[1:]] if found else []


def _plain_methods(rng: random.Random, user: User) -> list[str]:
    methods = []
    if user.phone_number and rng.random() < 0.75:
        methods.append("SMS")
    if user.email and rng.random() < 0.55:
        methods.append("EMAIL_OTP")
    if rng.random() < 0.22:
        methods.append("AUTHENTICATOR_APP")
    return methods


def _plain(rng: random.Random, ids: IdMaker, user: User, method: str, now: datetime) -> Authenticator:
    created = _between(rng, user.created_at, min(now, user.created_at + timedelta(days=20)))
    verified = created + timedelta(seconds=rng.randrange(8, 90))
    return Authenticator(
        user_authenticator_id=ids(),
        user_id=user.user_id,
        verification_method=method,
        created_at=created,
        verified_at=verified if rng.random() < 0.96 and verified <= now else None,
        email=user.email if method == "EMAIL_OTP" else None,
        phone_number=user.phone_number if method == "SMS" else None,
        previous_sms_channel="DEFAULT" if method == "SMS" else None,
    )


def _passkey_day(rng: random.Random, user: User, now: datetime, days: int) -> datetime | None:
    """When the person made a passkey: a third had one before the window, and each day of it adds more."""
    chance = rng.random()
    if chance < 0.2:
        return _between(rng, user.created_at, max(user.created_at, now - timedelta(days=days)))
    if chance < 0.42:
        start = max(user.created_at, now - timedelta(days=days))
        later: float = rng.random() ** 0.7
        return start + (now - start) * later
    return None


def _passkey(
    rng: random.Random, ids: IdMaker, user: User, provider: Provider, platform: Platform, made: datetime
) -> Authenticator:
    credential = base64.urlsafe_b64encode(rng.getrandbits(256).to_bytes(32, "big")).decode().rstrip("=")
    return Authenticator(
        user_authenticator_id=ids(),
        user_id=user.user_id,
        verification_method="PASSKEY",
        created_at=made,
        verified_at=made,
        username=user.email,
        display_name=user.display_name,
        credential=Credential(
            credential_id=credential,
            device_id=ids(),
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


def _default(authenticators: list[Authenticator]) -> str | None:
    return next((value.verification_method for value in authenticators if value.is_default and value.verified_at), None)


def _actions(
    rng: random.Random,
    ids: IdMaker,
    user: User,
    authenticators: list[Authenticator],
    country: Country,
    platform: Platform,
    now: datetime,
    days: int,
) -> Iterator[Action]:
    per_day = _weighted(rng, [(0.7, 0.12), (0.25, 0.3), (0.06, 0.43), (0.0, 0.15)])
    for when in _moments(rng, user.created_at, country, per_day, now, days):
        action = Action(
            user_id=user.user_id,
            action_code=_weighted(rng, list(ACTIONS)),
            idempotency_key=ids(),
            created_at=when,
            state="ALLOW",
            user_agent=platform.user_agent,
            ip_address=f"203.0.113.{rng.randrange(1, 255)}",
            country_code=country.code if rng.random() < 0.97 else rng.choice(["FR", "JP", "BR"]),
        )
        yield _outcome(rng, action, [value for value in authenticators if _usable(value, when)], now)


def _moments(
    rng: random.Random, created: datetime, country: Country, per_day: float, now: datetime, days: int
) -> Iterator[datetime]:
    first = (now - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(days + 1):
        midnight = first + timedelta(days=day)
        for _ in range(3):
            if rng.random() < per_day * WEEKDAY[midnight.weekday()] / 2:
                hour = (_weighted(rng, list(enumerate(HOUR))) - country.utc_offset) % 24
                when = midnight + timedelta(hours=hour, milliseconds=rng.randrange(3_600_000))
                if created <= when <= now:
                    yield when


def _usable(value: Authenticator, when: datetime) -> bool:
    return value.verified_at is not None and value.verified_at <= when


def _outcome(rng: random.Random, action: Action, usable: list[Authenticator], now: datetime) -> Action:
    luck = rng.random()
    if luck < 0.012:
        return _settled(action, "BLOCK", 0, now, rules=(BLOCK_RULE,))
    if luck < 0.018:
        state = rng.choice(["REVIEW_REQUIRED", "REVIEW_SUCCEEDED", "REVIEW_FAILED"])
        delay = 0 if state == "REVIEW_REQUIRED" else rng.randrange(3_600, 172_800)
        return _settled(action, state, delay, now, rules=(REVIEW_RULE,))
    if not usable or action.action_code == "updateProfile":
        return _settled(action, "ALLOW", 0, now)
    return _challenge(rng, action, usable, now)


def _challenge(rng: random.Random, action: Action, usable: list[Authenticator], now: datetime) -> Action:
    passkeys = [value for value in usable if value.verification_method == "PASSKEY"]
    used = passkeys[0] if passkeys and rng.random() < 0.8 else rng.choice(usable)
    habit = HABITS[used.verification_method]
    if rng.random() < habit.success:
        seconds = habit.median_seconds * rng.lognormvariate(0, 0.5)
        done = _settled(action, "CHALLENGE_SUCCEEDED", seconds, now)
        if done.state == "CHALLENGE_SUCCEEDED":
            return replace(done, verification_method=used.verification_method, verified_by=used.user_authenticator_id)
        return done
    if rng.random() < habit.failed_of_rest:
        return _settled(action, "CHALLENGE_FAILED", rng.randrange(20, 60 * TOKEN_MINUTES), now)
    return _settled(action, "CHALLENGE_REQUIRED", 0, now)


def _settled(action: Action, state: str, seconds: float, now: datetime, rules: tuple[Rule, ...] = ()) -> Action:
    """The action in its state; what would happen after `now` has not happened."""
    when = action.created_at + timedelta(milliseconds=int(seconds * 1000))
    if when > now:
        state, when = "REVIEW_REQUIRED" if rules else "CHALLENGE_REQUIRED", action.created_at
    return replace(action, state=state, state_updated_at=when, updated_at=when, rules=rules)


def _last_used(authenticators: list[Authenticator], actions: list[Action]) -> list[Authenticator]:
    used = {action.verified_by: action.state_updated_at for action in actions if action.verified_by}
    return [replace(value, last_verified_at=used.get(value.user_authenticator_id)) for value in authenticators]


def _devices(rng: random.Random, ids: IdMaker, first: Device, actions: list[Action]) -> Iterator[Device]:
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
            device_id=ids(),
            authenticated_at=None,
            last_verification_method=None,
            invalidated_at=first.created_at + timedelta(days=1) if rng.random() < 0.2 else None,
        )
