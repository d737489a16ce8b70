"""Open challenges. Each can be used once and expires."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

Ceremony = Literal["register", "authenticate"]

SWEEP_EVERY: Final = 1000
"""Expired challenges are deleted each time this many new ones were added."""

KEPT: Final = timedelta(hours=1)
"""How long an expired challenge is kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """One challenge.

    Attributes:
        challenge_id: Id of the challenge.
        method: Verification method. `ANY`: an action started the challenge, and no method uses it yet.
        created_at: Start of its lifetime.
        expires_at: End of its lifetime.
        user_id: The user. None until a discoverable passkey, a claim or the app identifies the user.
        action_code: The action it belongs to, if any.
        idempotency_key: The attempt it belongs to, if any.
        user_authenticator_id: The authenticator challenged or being enrolled.
        email: Address that a code or link was sent to.
        phone_number: Number that a code was sent to.
        sms_channel: Channel by which it was sent.
        code: The code that was sent, or that a push notification shows.
        link: Secret of a magic link.
        ceremony: The WebAuthn ceremony it belongs to.
        webauthn: Its WebAuthn challenge: the bytes that the authenticator signs.
        about: User name and display name of a registration, or the data of a QR code.
        scope: Scope of the token that success gives.
        attempts: Number of wrong codes so far.
        verified_at: When it was met.
        device_code: Secret of the browser that polls.
        claimed_by: Authenticator of the app that scanned the QR code.
        approved: Whether the app approved it. None: not answered yet.
        consumed: Whether its success was returned to a caller.
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
    """All challenges of a tenant, by id, in order of creation."""

    def __init__(self, known: dict[str, Challenge] | None = None) -> None:
        self._known = dict(known or {})
        self._until_sweep = SWEEP_EVERY

    def copy(self) -> "Challenges":
        return Challenges(self._known)

    def __iter__(self) -> Iterator[Challenge]:
        return iter(list(self._known.values()))

    def put(self, challenge: Challenge) -> Challenge:
        """Store a new challenge, or replace it by a changed one."""
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
        """Return the challenge if it has not expired."""
        found = self._known.get(challenge_id)
        return found if found and found.is_live(now) else None

    def take(self, challenge_id: str, now: datetime) -> Challenge | None:
        """Remove and return the challenge, so that it is used only once."""
        found = self.get(challenge_id, now)
        if found:
            del self._known[challenge_id]
        return found

    def live(self, now: datetime) -> Iterator[Challenge]:
        """Iterate over the challenges that have not expired, newest first."""
        return (value for value in reversed(list(self._known.values())) if value.is_live(now))

    def forget_user(self, user_id: str) -> None:
        self._known = {key: value for key, value in self._known.items() if value.user_id != user_id}
