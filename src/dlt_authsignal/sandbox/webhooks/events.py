"""Records what happens to authenticators, actions and challenges, and hands it to the webhooks."""

from datetime import datetime
from typing import Any, Literal

from dlt_authsignal.api.webhooks import ACTION_LOG, CHALLENGE_LOG, CHALLENGE_WEBHOOKS
from dlt_authsignal.sandbox.core.refusals import Refusal, invalid
from dlt_authsignal.sandbox.sessions.outbox import Message
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator, Event
from dlt_authsignal.sandbox.tenant_state import TenantState
from dlt_authsignal.sandbox.webhooks import payloads
from dlt_authsignal.sandbox.webhooks.delivery import Webhooks
from dlt_authsignal.sandbox.webhooks.delivery_log import Delivery

AuthenticatorChange = Literal["created", "updated", "deleted"]


class Events:
    """Records events in the tenant's state and queues a webhook for each.

    Args:
        state: The tenant.
        webhooks: Where its webhooks are queued.
    """

    def __init__(self, state: TenantState, webhooks: Webhooks) -> None:
        self._state, self._webhooks = state, webhooks
        self._recorded = state.recorded_events  # a webhook that answers after a reset adds nothing to the new log

    def authenticator(self, at: datetime, change: AuthenticatorChange, value: Authenticator) -> None:
        """An authenticator was created, updated or deleted."""
        event = Event(at=at, type=f"authenticator.{change}", about=value)
        self._recorded.append(event)
        deleted_at = at if change == "deleted" else None

        def data() -> dict[str, Any]:
            with_key = self._webhooks.settings.include_public_keys
            return payloads.authenticator_data(value, with_public_key=with_key, deleted_at=deleted_at)

        self._webhooks.queue(event.type, at, data)

    def action(self, at: datetime, action: Action) -> None:
        """An action was created. Its log record follows when its token has expired."""
        self._recorded.append(Event(at=at, type=ACTION_LOG, about=action))
        self._webhooks.queue(ACTION_LOG, at, lambda: payloads.action_record(self._state, action))

    def challenge(self, at: datetime, type: str, **about: Any) -> None:
        """A challenge made a step, such as `SMS_SENT`."""
        self._recorded.append(Event(at=at, type=CHALLENGE_LOG, about={"type": type, **about}))
        self._webhooks.queue(CHALLENGE_LOG, at, lambda: payloads.challenge_record(self._state, at, type, about))

    async def send(self, message: Message) -> None:
        """Send a message to the webhook that is the provider of its method, if there is one.

        Documented: the call fails if the webhook does. Assumed: with 400 `invalid_configuration`. For push, the type of
        the challenge event is assumed too, because the list of types is not published in full.

        Raises:
            Refusal: The webhook did not accept the message.
        """
        configured = self._state.tenant.method(message.method) or {}
        url = configured.get("webhookUrl") or self._webhooks.settings.provider_urls.get(message.method)
        if url is None or message.method not in CHALLENGE_WEBHOOKS:
            return
        data = payloads.message_data(self._state, message)
        delivery = await self._webhooks.ask(url, CHALLENGE_WEBHOOKS[message.method], data)
        if delivery.accepted:
            return
        self.challenge(
            self._state.clock.now(),
            f"{message.method}_SEND_DOWNSTREAM_FAILED",
            user_id=message.user_id,
            action_code=message.action_code,
            idempotency_key=payloads.idempotency_key(self._state, message),
            verification_method=message.method,
            email=message.to if message.channel == "email" else None,
            phone_number=message.to if message.channel in ("sms", "whatsapp") else None,
            error_description=_answered(delivery),
            status_code=None if delivery.status is None else str(delivery.status),
        )
        raise Refusal(400, "invalid_configuration", f"The webhook that sends {message.method} {_answered(delivery)}.")

    async def confirm(self, action: Action, method: str, authenticator: Authenticator | None) -> None:
        """Request approval of a met challenge from the action's `verificationWebhookUrl`, if it has one.

        Documented: only a 2xx response approves. Assumed: otherwise the call fails with 400 `invalid_request`.

        Raises:
            Refusal: The webhook did not approve.
        """
        configured = self._state.tenant.actions.get(action.action_code, {}).get("verificationWebhookUrl")
        url = configured or self._webhooks.settings.verification_urls.get(action.action_code)
        if url is None:
            return
        data = payloads.verify_data(action, self._state.clock.now(), method, authenticator)
        delivery = await self._webhooks.ask(url, "action.verify", data)
        if not delivery.accepted:
            raise invalid(f"The action's verification webhook {_answered(delivery)}.")


def _answered(delivery: Delivery) -> str:
    return "did not respond" if delivery.status is None else f"responded with {delivery.status}"
