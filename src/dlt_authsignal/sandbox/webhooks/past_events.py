"""The past of a tenant as webhook events: what a receiver would have been sent if it had existed then.

An invented tenant has no record of the steps of its challenges, except with stories. So two documented steps are
derived from each attempt with a code by e-mail or SMS that was entered correctly: the code was sent, and it was valid.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from dlt_authsignal.api.webhooks import ACTION_LOG, CHALLENGE_LOG, envelope
from dlt_authsignal.sandbox.core.clock import iso
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator, Event, Step
from dlt_authsignal.sandbox.tenant_state import TenantState
from dlt_authsignal.sandbox.webhooks import payloads
from dlt_authsignal.sandbox.webhooks.queue import Pending

Json = dict[str, Any]

USERS_AT_ONCE: Final = 200
"""Events are in order of time among this many users. Authsignal promises no order at all."""

CODE_METHODS: Final = ("SMS", "EMAIL_OTP")


class PastEvents:
    """The events of the last days of a tenant.

    The same event has the same id each time, so sending the past twice is a repetition that receivers can recognise.

    Args:
        state: The tenant.
        days: How many days of its past.
        with_public_keys: Whether events of passkeys contain the public key.
    """

    def __init__(self, state: TenantState, days: float, *, with_public_keys: bool = False) -> None:
        self._state = state
        self._until = state.clock.now()
        self._since = self._until - timedelta(days=days)
        self._wait = timedelta(minutes=state.config.token_minutes)
        self._with_public_keys = with_public_keys
        self._recorded: dict[str, list[Event]] = defaultdict(list)
        for event in list(state.recorded_events):
            self._recorded[_user_of(event)].append(event)

    def __iter__(self) -> Iterator[list[Pending]]:
        """Yield the events of a number of users at a time. Log events whose token is valid still are not due yet."""
        users = self._state.store.users()
        while chunk := list(islice(users, USERS_AT_ONCE)):
            events = [event for user in chunk for event in self._of(user.user_id)]
            due = (event for event in events if self._since <= event.time <= self._until)
            yield sorted(due, key=lambda event: event.time)

    def _of(self, user_id: str) -> Iterator[Pending]:
        recorded = self._recorded.get(user_id, [])
        held = self._state.store.authenticators(user_id)
        yield from (self._authenticator("created", value, value.created_at) for value in held)
        known = {value.user_authenticator_id for value in held}
        stepped = set()
        for event in recorded:
            if event.type == CHALLENGE_LOG:
                stepped.add(event.about.get("idempotency_key"))
                yield self._step(event.at, event.about["type"], event.about)
            elif isinstance(event.about, Authenticator):
                change = event.type.rpartition(".")[2]
                if change != "created" or event.about.user_authenticator_id not in known:
                    yield self._authenticator(change, event.about, event.at)
        for action in self._state.store.actions(user_id, self._since):
            yield self._action(action, [value for value in held if value.created_at <= action.created_at])
            if action.idempotency_key not in stepped:
                yield from self._steps(action)

    def _action(self, action: Action, enrolled: list[Authenticator]) -> Pending:
        record = payloads.record_of(self._state, action, enrolled)
        return self._event(
            ACTION_LOG,
            action.created_at + self._wait,
            record,
            action.user_id,
            action.action_code,
            action.idempotency_key,
        )

    def _steps(self, action: Action) -> Iterator[Pending]:
        if action.steps is not None:
            yield from self._known_steps(action, action.steps)
            return
        method = action.verification_method
        if method not in CODE_METHODS or action.state != "CHALLENGE_SUCCEEDED":
            return
        about = {
            "user_id": action.user_id,
            "action_code": action.action_code,
            "idempotency_key": action.idempotency_key,
            "verification_method": method,
        }
        yield self._step(action.created_at, f"{method}_SENT", about)
        yield self._step(action.state_updated_at or action.created_at, f"{method}_CODE_VALID", about)

    def _known_steps(self, action: Action, steps: tuple[Step, ...]) -> Iterator[Pending]:
        for step in steps:
            kind = step.type or self._state.config.unpublished_steps.get(step.method)
            if kind is not None:
                about = {
                    "user_id": action.user_id,
                    "action_code": action.action_code,
                    "idempotency_key": action.idempotency_key,
                    "verification_method": step.method,
                    "phone_number": step.phone_number,
                    "email": step.email,
                }
                yield self._step(step.at, kind, about)

    def _step(self, at: datetime, type: str, about: Json) -> Pending:
        record = payloads.challenge_record(self._state, at, type, {**about, "type": type})
        return self._event(CHALLENGE_LOG, at + self._wait, record, *map(str, (about.get("idempotency_key"), type, at)))

    def _authenticator(self, change: str, value: Authenticator, at: datetime) -> Pending:
        deleted_at = at if change == "deleted" else None
        data = payloads.authenticator_data(value, with_public_key=self._with_public_keys, deleted_at=deleted_at)
        return self._event(f"authenticator.{change}", at, data, value.user_authenticator_id, str(at))

    def _event(self, type: str, at: datetime, payload: Json, *key: str) -> Pending:
        tenant_id = self._state.config.tenant_id
        event_id = str(uuid.uuid5(uuid.NAMESPACE_URL, "\0".join((tenant_id, type, *key))))
        sealed = envelope(type, payload, id=event_id, time=iso(at), tenant_id=tenant_id)
        return Pending(type=type, time=at, make=lambda: None, envelope=sealed)


def _user_of(event: Event) -> str:
    return str(event.about.get("user_id") if isinstance(event.about, dict) else event.about.user_id)
