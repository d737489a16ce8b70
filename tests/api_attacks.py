"""Attacks that the sandbox's API returns: attempts and authenticators, just above a threshold or just below."""

from datetime import datetime, timedelta

from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator, User

FOUND = {
    ("brute_force", "forced"),
    ("brute_force", "192.0.2.1"),
    ("factor_after_recovery", "taken"),
    ("impossible_travel", "flying"),
    ("shared_phone", "+491701111111"),
}
"""Rule and subject of each attack."""


def put_attacks(running: RunningSandbox) -> None:
    """Add the attacks, a day before now."""
    start = running.sandbox.clock.now().replace(microsecond=0) - timedelta(days=1)
    _force(running, start)
    _recovery(running, start)
    _travel(running, start)
    for user, phone in (("twin-1", "+491701111111"), ("twin-2", "+491701111111"), ("single", "+491702222222")):
        _authenticator(running, user, start, "SMS", phone)
    _authenticator(running, "unfinished", start, "SMS", "+491702222222", is_verified=False)


def _force(running: RunningSandbox, start: datetime) -> None:
    for number in range(10):
        _action(running, "forced", start + timedelta(minutes=6 * number), "CHALLENGE_FAILED")
    for number in range(9):
        _action(running, "clumsy", start + timedelta(minutes=6 * number), "CHALLENGE_REQUIRED")
    for number in range(20):
        _action(running, f"sprayed-{number}", start + timedelta(minutes=3 * number), "CHALLENGE_FAILED", ip="192.0.2.1")


def _recovery(running: RunningSandbox, start: datetime) -> None:
    for user, method in (("taken", "RECOVERY_CODE"), ("usual", "SMS")):
        _action(running, user, start, "CHALLENGE_SUCCEEDED", method=method)
        _authenticator(running, user, start + timedelta(minutes=5), "PASSKEY")


def _travel(running: RunningSandbox, start: datetime) -> None:
    for user, minutes in (("flying", 59), ("real", 60)):
        _action(running, user, start, "CHALLENGE_SUCCEEDED", country="US")
        _action(running, user, start + timedelta(minutes=minutes), "CHALLENGE_SUCCEEDED", country="SG")


def _user(running: RunningSandbox, user: str, at: datetime) -> None:
    store = running.sandbox.store
    if all(known.user_id != user for known in store.users()):
        store.put_user(User(user_id=user, created_at=at - timedelta(days=90)))


def _action(
    running: RunningSandbox,
    user: str,
    at: datetime,
    state: str,
    *,
    method: str | None = None,
    country: str | None = None,
    ip: str | None = None,
) -> None:
    _user(running, user, at)
    running.sandbox.store.put_action(
        Action(
            user_id=user,
            action_code="signIn",
            idempotency_key=f"{user}-{at:%H%M}",
            created_at=at,
            state=state,
            state_updated_at=at,
            updated_at=at,
            verification_method=method,
            country_code=country,
            ip_address=ip,
        )
    )


def _authenticator(
    running: RunningSandbox,
    user: str,
    at: datetime,
    method: str,
    phone: str | None = None,
    *,
    is_verified: bool = True,
) -> None:
    _user(running, user, at)
    running.sandbox.store.put_authenticator(
        Authenticator(
            user_authenticator_id=f"{user}-{method}",
            user_id=user,
            verification_method=method,
            created_at=at,
            verified_at=at if is_verified else None,
            phone_number=phone,
        )
    )
