"""Challenges that wait for their answer: single use, expiring, one value each."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

Ceremony = Literal["register", "authenticate"]

SWEEP_EVERY: Final = 1000
"""Expired challenges are thrown away after so many new ones."""

KEPT: Final = timedelta(hours=1)
"""How long an expired challenge can still be told from one that never was."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """One challenge.

    Attributes:
        challenge_id: Its id.
        method: Verification method; `ANY` for one that an action has begun and no method has taken up yet.
        created_at: When it was made.
        expires_at: When it ends.
        user_id: Whom it challenges; None until a discoverable passkey, a claim or the app says so.
        action_code: The action it belongs to, if any.
        idempotency_key: The attempt it belongs to, if any.
        user_authenticator_id: The authenticator challenged or being enrolled.
        email: Where a code or link went.
        phone_number: The same.
        sms_channel: How it went there.
        code: What was sent, or is shown in a push notification.
        link: Secret of a magic link.
        ceremony: Which WebAuthn ceremony it belongs to.
        webauthn: Its WebAuthn challenge, the bytes the authenticator signs.
        about: What registration was asked with (username, display name), what a QR code carries.
        scope: Scope of the token that success gives.
        attempts: Wrong answers so far.
        verified_at: When it was met.
        device_code: Secret of the browser that polls.
        claimed_by: Authenticator of the app that scanned the QR code.
        approved: What the app answered.
        consumed: Whether its success has been handed out.
    """

    challenge_id: str
    method: str
    created_at: datetime
    expires_at: datetime
    user_id: str | None = None
    action_code: str | None = None
    idempotency_key: str | None = None
    user_authenticator_id: str | None = None
    email: str | None = None
    phone_number: str | None = None
    sms_channel: str | None = None
    code: str | None = None
    link: str | None = None
    ceremony: Ceremony | None = None
    webauthn: bytes | None = None
    about: dict[str, Any] = field(default_factory=dict)
    scope: str | None = None
    attempts: int = 0
    verified_at: datetime | None = None
    device_code: str | None = None
    claimed_by: str | None = None
    approved: bool | None = None
    consumed: bool = False

    def is_live(self, now: datetime) -> bool:
        return now < self.expires_at


class Challenges:
    """All challenges of a tenant, by id, in the order they were made."""

    def __init__(self, known: dict[str, Challenge] | None = None) -> None:
        self._known = dict(known or {})
        self._until_sweep = SWEEP_EVERY

    def copy(self) -> "Challenges":
        return Challenges(self._known)

    def put(self, challenge: Challenge) -> Challenge:
        """Keeps a new challenge, or a changed one in its place."""
        if challenge.challenge_id not in self._known:
            self._until_sweep -= 1
            if self._until_sweep <= 0:
                self._sweep(challenge.created_at)
        self._known[challenge.challenge_id] = challenge
        return challenge

    def _sweep(self, now: datetime) -> None:
        self._known = {key: value for key, value in self._known.items() if value.expires_at + KEPT > now}
        self._until_sweep = SWEEP_EVERY

    def get(self, challenge_id: str, now: datetime) -> Challenge | None:
        """The challenge, if it has not expired."""
        found = self._known.get(challenge_id)
        return found if found and found.is_live(now) else None

    def take(self, challenge_id: str, now: datetime) -> Challenge | None:
        """The challenge, which nobody can take again."""
        found = self.get(challenge_id, now)
        if found:
            del self._known[challenge_id]
        return found

    def live(self, now: datetime) -> Iterator[Challenge]:
        """Those that have not expired, newest first."""
        return (value for value in reversed(list(self._known.values())) if value.is_live(now))

    def forget_user(self, user_id: str) -> None:
        self._known = {key: value for key, value in self._known.items() if value.user_id != user_id}
