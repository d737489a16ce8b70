"""What happened: authenticator events, and the log of actions and challenges."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from dlt_authsignal.sandbox.entities import Action, Authenticator

if TYPE_CHECKING:
    from dlt_authsignal.sandbox.outbox import Message
    from dlt_authsignal.sandbox.state import Sandbox

LENGTH: Final = 10_000

AuthenticatorChange = Literal["created", "updated", "deleted"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One event."""

    at: datetime
    type: str
    about: Any


class Events:
    """The last events, oldest first."""

    def __init__(self) -> None:
        self.recorded: deque[Event] = deque(maxlen=LENGTH)

    def authenticator(self, at: datetime, change: AuthenticatorChange, value: Authenticator) -> None:
        self.recorded.append(Event(at=at, type=f"authenticator.{change}", about=value))

    def action(self, at: datetime, action: Action) -> None:
        """A new action: its log record follows once its token has expired."""
        self.recorded.append(Event(at=at, type="action.log_created", about=action))

    def challenge(self, at: datetime, type: str, **about: Any) -> None:
        """A step of a challenge, such as `SMS_SENT`."""
        self.recorded.append(Event(at=at, type="challenge.log_created", about={"type": type, **about}))

    async def send(self, sandbox: "Sandbox", message: "Message") -> None:
        """Hands a message to the tenant's own webhook, where one is set as the provider of that method.

        Raises:
            Refusal: The webhook did not take it.
        """

    async def confirm(
        self, sandbox: "Sandbox", action: Action, method: str, authenticator: Authenticator | None
    ) -> None:
        """Asks the action configuration's `verificationWebhookUrl`, where one is set, whether the challenge counts.

        Raises:
            Refusal: It did not agree.
        """
