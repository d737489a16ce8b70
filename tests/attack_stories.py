"""Events of attacks, and of harmless days that look like them: plain records, delivered through the spool."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from dlt_authsignal.api.webhooks import ACTION_LOG, CHALLENGE_LOG, envelope
from dlt_authsignal.source.privacy.policy import KEEP, Privacy
from tests.event_spools import deliver, load

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
END = START + timedelta(days=2)
"""When the last event is received: all tokens have expired by then."""


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def after(minutes: float = 0, seconds: float = 0) -> datetime:
    return START + timedelta(minutes=minutes, seconds=seconds)


@dataclass
class Stories:
    """Events that are delivered together. The prefix keeps ids of two deliveries apart."""

    prefix: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)

    def attempt(self, user: str, at: datetime, state: str = "CHALLENGE_REQUIRED", **more: Any) -> str:
        """An attempt in its last state; returns its idempotency key."""
        key = str(more.pop("key", f"{self.prefix}attempt-{len(self.events)}"))
        record = {
            "userId": user,
            "actionCode": more.pop("action", "signIn"),
            "idempotencyKey": key,
            "createdAt": iso(at),
            "state": state,
            "stateUpdatedAt": iso(more.pop("changed", at)),
            "outcome": "ALLOW" if state == "ALLOW" else "CHALLENGE",
            "ipAddress": more.pop("ip", None),
            "countryCode": more.pop("country", None),
            "verificationMethod": more.pop("method", None),
        }
        self._add(ACTION_LOG, record, at)
        return key

    def step(self, user: str, at: datetime, type: str, method: str, **more: Any) -> None:
        """A step of a challenge; of an attempt of its own if no key is given."""
        number = len(self.events)
        record = {
            "userId": user,
            "actionCode": "signIn",
            "idempotencyKey": more.get("key", f"{self.prefix}attempt-{number}"),
            "createdAt": iso(at),
            "type": type,
            "verificationMethod": method,
            "phoneNumber": more.get("phone"),
        }
        self._add(CHALLENGE_LOG, record, at)

    def authenticator(self, user: str, at: datetime, method: str, phone: str | None = None, **more: Any) -> str:
        """An authenticator that was created, or deleted; returns its id."""
        found = str(more.get("id", f"{self.prefix}authenticator-{len(self.events)}"))
        data = {
            "userId": user,
            "userAuthenticatorId": found,
            "verificationMethod": method,
            "createdAt": iso(at),
            "phoneNumber": phone,
        }
        self._add(f"authenticator.{more.get('change', 'created')}", data, at)
        return found

    def pushes(self, user: str, moments: Iterable[datetime], type: str = "PUSH_CHALLENGE_STARTED") -> None:
        """Push requests, one in each attempt, by a type of event that nobody has published."""
        for at in moments:
            self.step(user, at, type, "PUSH", key=self.attempt(user, at))

    def codes(self, country: str, moments: Iterable[datetime], entered: int = 0, **more: Any) -> None:
        """Codes to numbers of one country, of which those after the first one are entered."""
        for place, at in enumerate(moments):
            number = f"{NUMBERS[country]}{len(self.events) % 10_000:04}"
            user = f"user-{country}-{len(self.events)}"
            key = self.attempt(user, at, "CHALLENGE_SUCCEEDED" if 0 < place <= entered else "CHALLENGE_REQUIRED")
            self.step(user, at, more.get("type", "SMS_SENT"), "SMS", key=key, phone=number)

    def _add(self, kind: str, record: dict[str, Any], at: datetime) -> None:
        content = {name: value for name, value in record.items() if value is not None}
        self.events.append(
            envelope(kind, content, id=f"{self.prefix}event-{len(self.events)}", time=iso(at), tenant_id="t1")
        )

    def load(self, received_at: datetime = END, privacy: Privacy = KEEP, **into: Any) -> None:
        """Deliver the events, and an unknown one that ends the story, and load them."""
        self.step("user-at-the-end", received_at, "TOTP_CEREMONY_ENDED", "AUTHENTICATOR_APP")
        for start in range(0, len(self.events), 400):
            deliver(self.events[start : start + 400], received_at, privacy=privacy)
        load(**into)


NUMBERS = {"BR": "+551191234", "DE": "+491701234", "EE": "+3725123"}
"""Beginnings of numbers by country."""


def every(minutes: float, times: int, first: float = 0) -> list[datetime]:
    """Moments with the same time between them."""
    return [after(first + minutes * place) for place in range(times)]


def spread(minutes: float, times: int) -> list[datetime]:
    """Moments of which the first and the last are so far apart."""
    return every(minutes / (times - 1), times)
