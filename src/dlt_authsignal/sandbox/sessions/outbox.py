"""The outbox: codes, links and push notifications that would have been sent."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dlt_authsignal.sandbox.core.clock import iso

LENGTH: Final = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message.

    Attributes:
        sent_at: When it would have been sent.
        channel: `email`, `sms`, `whatsapp` or `push`.
        to: Address, number, or the id of the app's authenticator.
        user_id: The user, if known.
        method: Verification method.
        challenge_id: The challenge it belongs to.
        action_code: The action it belongs to.
        code: The one-time code.
        url: The magic link.
    """

    sent_at: datetime
    channel: str
    to: str
    user_id: str | None
    method: str
    challenge_id: str
    action_code: str | None
    code: str | None = None
    url: str | None = None

    def shown(self) -> dict[str, str]:
        """Its entry in `GET /_sandbox/outbox`, without unknown values."""
        values = {
            "sentAt": iso(self.sent_at),
            "channel": self.channel,
            "to": self.to,
            "userId": self.user_id,
            "verificationMethod": self.method,
            "challengeId": self.challenge_id,
            "actionCode": self.action_code,
            "code": self.code,
            "url": self.url,
        }
        return {name: value for name, value in values.items() if value is not None}


class Outbox:
    """The last messages, oldest first."""

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self._messages: deque[Message] = deque(messages, maxlen=LENGTH)

    def copy(self) -> "Outbox":
        return Outbox(self._messages)

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        return iter(list(self._messages))

    def add(self, message: Message) -> None:
        self._messages.append(message)

    def clear(self) -> None:
        self._messages.clear()

    def last(self, to: str | None = None) -> Message | None:
        """Return the newest message, or the newest one to an address, a number or a user id."""
        for message in reversed(self._messages):
            if to is None or to in (message.to, message.user_id):
                return message
        return None
