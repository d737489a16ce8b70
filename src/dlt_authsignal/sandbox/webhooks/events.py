"""What happened: authenticator events, and the log of actions and challenges; kept, and handed to the webhooks."""

from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from dlt_authsignal.api.webhooks import ACTION_LOG, CHALLENGE_LOG, CHALLENGE_WEBHOOKS
from dlt_authsignal.sandbox.core.refusals import Refusal, invalid
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator, Event
from dlt_authsignal.sandbox.webhooks import payloads

if TYPE_CHECKING:
    from dlt_authsignal.sandbox.sandbox import Sandbox
    from dlt_authsignal.sandbox.sessions.outbox import Message
    from dlt_authsignal.sandbox.webhooks.delivery import Delivery

LENGTH: Final = 10_000

AuthenticatorChange = Literal["created", "updated", "deleted"]


class Events:
    """The last events, oldest first.

    Args:
        sandbox: Whose they are, and whose webhooks take them.
    """

    def __init__(self, sandbox: "Sandbox") -> None:
        self._sandbox = sandbox
        self.recorded: deque[Event] = deque(maxlen=LENGTH)

    def authenticator(self, at: datetime, change: AuthenticatorChange, value: Authenticator) -> None:
        sandbox, event = self._sandbox, Event(at=at, type=f"authenticator.{change}", about=value)
        self.recorded.append(event)
        deleted_at = at if change == "deleted" else None
        sandbox.webhooks.queue(event.type, at, lambda: payloads.authenticator_data(sandbox, value, deleted_at))

    def action(self, at: datetime, action: Action) -> None:
        """A new action: its log record follows once its token has expired."""
        sandbox = self._sandbox
        self.recorded.append(Event(at=at, type=ACTION_LOG, about=action))
        sandbox.webhooks.queue(ACTION_LOG, at, lambda: payloads.action_record(sandbox, action))

    def challenge(self, at: datetime, type: str, **about: Any) -> None:
        """A step of a challenge, such as `SMS_SENT`."""
        sandbox = self._sandbox
        self.recorded.append(Event(at=at, type=CHALLENGE_LOG, about={"type": type, **about}))
        sandbox.webhooks.queue(CHALLENGE_LOG, at, lambda: payloads.challenge_record(sandbox, at, type, about))

    async def send(self, sandbox: "Sandbox", message: "Message") -> None:
        """Hands a message to the tenant's own webhook, where one is set as the provider of that method.

        That the call then fails is documented; that it fails with 400 `invalid_configuration` is assumed. So is, for
        push, the type of the challenge event, whose list is not published in full.

        Raises:
            Refusal: The webhook did not take it.
        """
        configured = sandbox.tenant.method(message.method) or {}
        url = configured.get("webhookUrl") or sandbox.webhooks.settings.provider_urls.get(message.method)
        if url is None or message.method not in CHALLENGE_WEBHOOKS:
            return
        data = payloads.message_data(sandbox, message)
        delivery = await sandbox.webhooks.ask(url, CHALLENGE_WEBHOOKS[message.method], data)
        if delivery.accepted:
            return
        self.challenge(
            sandbox.clock.now(),
            f"{message.method}_SEND_DOWNSTREAM_FAILED",
            user_id=message.user_id,
            action_code=message.action_code,
            idempotency_key=payloads.idempotency_key(sandbox, message),
            verification_method=message.method,
            email=message.to if message.channel == "email" else None,
            phone_number=message.to if message.channel in ("sms", "whatsapp") else None,
            error_description=_answered(delivery),
            status_code=None if delivery.status is None else str(delivery.status),
        )
        raise Refusal(400, "invalid_configuration", f"The webhook that sends {message.method} {_answered(delivery)}.")

    async def confirm(
        self, sandbox: "Sandbox", action: Action, method: str, authenticator: Authenticator | None
    ) -> None:
        """Asks the action configuration's `verificationWebhookUrl`, where one is set, whether the challenge counts.

        That it does not count without a 2xx is documented; that the call fails with 400 `invalid_request` is assumed.

        Raises:
            Refusal: It did not agree.
        """
        configured = sandbox.tenant.actions.get(action.action_code, {}).get("verificationWebhookUrl")
        url = configured or sandbox.webhooks.settings.verification_urls.get(action.action_code)
        if url is None:
            return
        data = payloads.verify_data(action, sandbox.clock.now(), method, authenticator)
        delivery = await sandbox.webhooks.ask(url, "action.verify", data)
        if not delivery.accepted:
            raise invalid(f"The action's verification webhook {_answered(delivery)}.")


def _answered(delivery: "Delivery") -> str:
    return "did not answer" if delivery.status is None else f"answered {delivery.status}"
