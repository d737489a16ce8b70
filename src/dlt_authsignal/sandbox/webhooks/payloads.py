"""The payload of each webhook event. Unknown values are left out, never null."""

import base64
from datetime import datetime
from typing import Any, Final

from dlt_authsignal.sandbox.core.clock import iso
from dlt_authsignal.sandbox.sessions.outbox import Message
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator
from dlt_authsignal.sandbox.tenant.policy import enrolled_methods
from dlt_authsignal.sandbox.tenant_state import TenantState

Json = dict[str, Any]

CHALLENGE_FIELDS: Final = {
    "user_id": "userId",
    "action_code": "actionCode",
    "idempotency_key": "idempotencyKey",
    "verification_method": "verificationMethod",
    "email": "email",
    "phone_number": "phoneNumber",
    "error_description": "errorDescription",
    "status_code": "statusCode",
    "data": "data",
}
"""The fields of a `challenge.log_created` record, by the sandbox's names."""


def action_record(state: TenantState, action: Action) -> Json | None:
    """`action.log_created`: the current action. None if it was deleted in the meantime.

    Assumed, because the documentation describes these in words only: the keys `deviceId`, `custom` and
    `enrolledVerificationMethods`, and rules as in `GET …/actions/{action}/{idempotencyKey}`. Also assumed: a deleted
    action has no record.
    """
    now = state.store.get_action(action.user_id, action.action_code, action.idempotency_key)
    if now is None:
        return None
    return record_of(state, now, state.store.authenticators(now.user_id))


def record_of(state: TenantState, now: Action, authenticators: list[Authenticator]) -> Json:
    """Return the record of an attempt of a user who had these authenticators."""
    user = state.store.get_user(now.user_id)
    rules = [_known(ruleId=rule.rule_id, name=rule.name, description=rule.description) for rule in now.rules]
    return _known(
        tenantId=state.config.tenant_id,
        userId=now.user_id,
        actionCode=now.action_code,
        idempotencyKey=now.idempotency_key,
        createdAt=iso(now.created_at),
        updatedAt=iso(now.updated_at or now.created_at),
        state=now.state,
        stateUpdatedAt=iso(now.state_updated_at or now.created_at),
        outcome=now.result or _outcome(now.state),
        verificationMethod=now.verification_method,
        allowedVerificationMethods=list(now.allowed_methods or state.allowed_methods()) or None,
        rules=rules or None,
        priorityRuleId=now.rules[0].rule_id if now.rules else None,
        ipAddress=now.ip_address,
        countryCode=now.country_code,
        email=user.email if user else None,
        phoneNumber=user.phone_number if user else None,
        deviceId=now.device_id,
        enrolledVerificationMethods=enrolled_methods(authenticators) or None,
        custom=dict(now.custom) if now.custom else None,
    )


def _outcome(state: str) -> str:
    """Return the decision that must have led to a state: invented attempts keep only the state."""
    return state.partition("_")[0]


def challenge_record(state: TenantState, at: datetime, type: str, about: Json) -> Json:
    """`challenge.log_created`: one step of a challenge. Only the keys in `CHALLENGE_FIELDS` are used."""
    facts = {name: about.get(known) for known, name in CHALLENGE_FIELDS.items()}
    return _known(tenantId=state.config.tenant_id, createdAt=iso(at), type=type, **facts)


def authenticator_data(value: Authenticator, *, with_public_key: bool, deleted_at: datetime | None = None) -> Json:
    """`authenticator.created`, `.updated` and `.deleted`.

    Assumed, because they are not documented: `.updated` has the fields of `.created`, the time of deletion is called
    `deletedAt`, and the public key is base64url without padding.
    """
    return _known(
        userId=value.user_id,
        userAuthenticatorId=value.user_authenticator_id,
        verificationMethod=value.verification_method,
        createdAt=iso(value.created_at),
        email=value.email,
        phoneNumber=value.phone_number,
        deletedAt=iso(deleted_at) if deleted_at else None,
        **_passkey(value, with_public_key=with_public_key),
    )


def _passkey(value: Authenticator, *, with_public_key: bool) -> Json:
    credential = value.credential
    if credential is None or value.verification_method != "PASSKEY":
        return {}
    shows_key = with_public_key and credential.public_key
    key = base64.urlsafe_b64encode(credential.public_key or b"").decode().rstrip("=")
    return {
        "credentialId": credential.credential_id,
        "credentialPublicKey": key if shows_key else None,
        "aaguid": credential.aaguid,
        "credentialName": credential.name,
    }


def message_data(state: TenantState, message: Message) -> Json:
    """`email.created`, `sms.created` and `push.created`, by the method of the message."""
    key = idempotency_key(state, message)
    action = _action(state, message, key)
    user = state.store.get_user(message.user_id) if message.user_id else None
    about = {"userId": message.user_id, "idempotencyKey": key, "actionCode": message.action_code}
    device = {"userAgent": action.user_agent, "ipAddress": action.ip_address} if action else {}
    if message.method == "PUSH":
        return _known(challengeId=message.challenge_id, **about, **device)
    locale = user.locale if user else None
    if message.method == "SMS":
        return _known(to=message.to, code=message.code, **about, locale=locale)
    return _known(
        to=message.to,
        code=message.code,
        url=message.url,
        **about,
        verificationMethod=message.method,
        **device,
        locale=locale,
    )


def idempotency_key(state: TenantState, message: Message) -> str | None:
    """Return the idempotency key of the attempt that a message belongs to."""
    challenge = state.challenges.get(message.challenge_id, state.clock.now())
    return challenge.idempotency_key if challenge else None


def _action(state: TenantState, message: Message, key: str | None) -> Action | None:
    if message.user_id is None or message.action_code is None or key is None:
        return None
    return state.store.get_action(message.user_id, message.action_code, key)


def verify_data(action: Action, verified_at: datetime, method: str, authenticator: Authenticator | None) -> Json:
    """`action.verify`: a challenge was met, if the receiver approves."""
    return _known(
        userId=action.user_id,
        action=action.action_code,
        idempotencyKey=action.idempotency_key,
        verifiedAt=iso(verified_at),
        state="CHALLENGE_SUCCEEDED",
        verificationMethod=method,
        userAuthenticatorId=authenticator.user_authenticator_id if authenticator else None,
    )


def _known(**values: Any) -> Json:
    return {name: value for name, value in values.items() if value is not None}
