"""The JSON objects of Authsignal's responses as types, and how stored values become them.

Unknown values are left out, never null: every optional field defaults to None, and defaults are not written.
"""

from datetime import datetime
from functools import cache
from typing import Any

from msgspec import Struct

from dlt_authsignal.sandbox.core.clock import iso
from dlt_authsignal.sandbox.tenant import entities

Json = dict[str, Any]


class Answer(Struct, rename="camel", omit_defaults=True):
    """Base of all responses."""


class Success(Answer, kw_only=True):
    """The response to a deletion."""

    success: bool


class Person(Answer, kw_only=True):
    """The fields of every full view of a user."""

    user_id: str
    email: str | None = None
    email_verified: bool
    phone_number: str | None = None
    phone_number_verified: bool
    username: str | None = None
    display_name: str | None = None


class UserAttributes(Person, kw_only=True):
    """The response of `PATCH /users/{userId}`."""

    default_verification_method: str | None = None
    custom: Json | None = None
    locale: str | None = None


class ListedUser(Person, kw_only=True):
    """A row of `GET /users`: the union of what the docs page and the SDK types show."""

    is_enrolled: bool
    enrolled_verification_methods: list[str]
    created_at: str


class UserList(Answer, kw_only=True):
    """`GET /users`: one page; without a cursor it is the last."""

    users: list[ListedUser]
    last_evaluated_user_id: str | None = None
    token_payload: Json | None = None


class UserPage(Answer, kw_only=True):
    """`GET /users/{userId}`; an unknown user is simply not enrolled."""

    is_enrolled: bool
    email: str | None = None
    email_verified: bool | None = None
    phone_number: str | None = None
    phone_number_verified: bool | None = None
    username: str | None = None
    display_name: str | None = None
    default_verification_method: str | None = None
    custom: Json | None = None
    locale: str | None = None
    allowed_verification_methods: list[str] | None = None
    enrolled_verification_methods: list[str] | None = None


class AaguidMapping(Answer, kw_only=True):
    """A passkey provider's name and icons."""

    name: str
    svg_icon_light: str
    svg_icon_dark: str


class WebauthnCredential(Answer, kw_only=True):
    """The WebAuthn side of an authenticator."""

    credential_id: str
    device_id: str
    name: str
    aaguid: str | None = None
    aaguid_mapping: AaguidMapping | None = None
    credential_backed_up: bool | None = None
    credential_device_type: str | None = None
    authenticator_attachment: str | None = None
    parsed_user_agent: Json | None = None


class Authenticator(Answer, kw_only=True):
    """A row of `GET /users/{userId}/authenticators`, or of the client API: `isDefault` there, no `userId`."""

    user_id: str | None = None
    user_authenticator_id: str
    verification_method: str
    created_at: str
    verified_at: str | None = None
    last_verified_at: str | None = None
    is_default: bool | None = None
    email: str | None = None
    phone_number: str | None = None
    username: str | None = None
    display_name: str | None = None
    previous_sms_channel: str | None = None
    device_platform: str | None = None
    webauthn_credential: WebauthnCredential | None = None


class Enrolled(Answer, kw_only=True):
    """`POST /users/{userId}/authenticators`."""

    authenticator: Authenticator
    recovery_codes: list[str] | None = None


class ActionRow(Answer, kw_only=True):
    """A row of `GET /users/{userId}/actions`: no user id, no rules."""

    action_code: str
    idempotency_key: str
    created_at: str
    updated_at: str | None = None
    state: str
    state_updated_at: str | None = None
    verification_method: str | None = None
    verified_by_authenticator_id: str | None = None
    user_agent: str | None = None
    ip_address: str | None = None
    country_code: str | None = None


class FiredRule(Answer, kw_only=True):
    """A rule as it was when it fired."""

    rule_id: str
    name: str
    description: str | None = None


class ActionDetail(Answer, kw_only=True):
    """`GET /users/{userId}/actions/{action}/{idempotencyKey}`: no keys in the body."""

    state: str
    created_at: str
    state_updated_at: str
    verification_method: str | None = None
    output: Json
    rule_ids: list[str]
    priority_rule_id: str | None = None
    rules: list[FiredRule]


class Tracked(Answer, kw_only=True):
    """`POST /users/{userId}/actions/{action}`."""

    idempotency_key: str
    state: str
    url: str
    token: str
    is_enrolled: bool
    enrolled_verification_methods: list[str]
    allowed_verification_methods: list[str]
    default_verification_method: str | None = None
    rule_ids: list[str]


class Validated(Answer, kw_only=True):
    """`POST /validate`. Half of the SDKs read `action`, half `actionCode`."""

    is_valid: bool
    state: str | None = None
    state_updated_at: str | None = None
    user_id: str | None = None
    action: str | None = None
    action_code: str | None = None
    idempotency_key: str | None = None
    verification_method: str | None = None
    error: str | None = None


class Device(Answer, kw_only=True):
    """A row of `GET /users/{userId}/devices`."""

    user_id: str
    device_id: str
    created_at: str
    authenticated_at: str | None = None
    invalidated_at: str | None = None
    remembered_until: str | None = None
    last_verification_method: str | None = None


class TenantAuthenticator(Answer, kw_only=True):
    """A row of `GET /authenticators`."""

    authenticator_id: str
    verification_method: str
    is_active: bool
    is_editable_by_user: bool
    is_hidden_to_user: bool
    sms_channel: str | None = None


def _moment(value: datetime | None) -> str | None:
    return None if value is None else iso(value)


def user_attributes(user: entities.User) -> UserAttributes:
    return UserAttributes(
        **_person(user),
        default_verification_method=user.default_verification_method,
        custom=_custom(user),
        locale=user.locale,
    )


def _person(user: entities.User) -> Json:
    return {name: getattr(user, name) for name in Person.__struct_fields__}


def _custom(user: entities.User) -> Json | None:
    return None if user.custom is None else dict(user.custom)


def listed_user(user: entities.User, enrolled: list[str]) -> ListedUser:
    return ListedUser(
        **_person(user),
        is_enrolled=bool(enrolled),
        enrolled_verification_methods=enrolled,
        created_at=iso(user.created_at),
    )


def user_page(user: entities.User | None, enrolled: list[str], allowed: list[str]) -> UserPage:
    if user is None:
        return UserPage(is_enrolled=False)
    return UserPage(
        is_enrolled=bool(enrolled),
        email=user.email,
        email_verified=user.email_verified,
        phone_number=user.phone_number,
        phone_number_verified=user.phone_number_verified,
        username=user.username,
        display_name=user.display_name,
        default_verification_method=user.default_verification_method,
        custom=_custom(user),
        locale=user.locale,
        allowed_verification_methods=allowed,
        enrolled_verification_methods=enrolled,
    )


def authenticator(value: entities.Authenticator, *, client: bool = False) -> Authenticator:
    return Authenticator(
        user_id=None if client else value.user_id,
        user_authenticator_id=value.user_authenticator_id,
        verification_method=value.verification_method,
        created_at=iso(value.created_at),
        verified_at=_moment(value.verified_at),
        last_verified_at=_moment(value.last_verified_at),
        is_default=value.is_default if client else None,
        email=value.email,
        phone_number=value.phone_number,
        username=value.username,
        display_name=value.display_name,
        previous_sms_channel=value.previous_sms_channel,
        device_platform=value.app.platform if value.app else None,
        webauthn_credential=_credential(value.credential) if value.credential else None,
    )


def _credential(value: entities.Credential) -> WebauthnCredential:
    return WebauthnCredential(
        credential_id=value.credential_id,
        device_id=value.device_id,
        name=value.name,
        aaguid=value.aaguid,
        aaguid_mapping=_mapping(value.provider) if value.provider else None,
        credential_backed_up=value.backed_up,
        credential_device_type=value.device_type,
        authenticator_attachment=value.attachment,
        parsed_user_agent=dict(value.agent),
    )


@cache
def _mapping(provider: str) -> AaguidMapping:
    icon = "data:image/svg+xml;base64," + ("PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciPg" * 24)
    return AaguidMapping(name=provider, svg_icon_light=icon, svg_icon_dark=icon)


def action_row(value: entities.Action) -> ActionRow:
    return ActionRow(
        action_code=value.action_code,
        idempotency_key=value.idempotency_key,
        created_at=iso(value.created_at),
        updated_at=_moment(value.updated_at),
        state=value.state,
        state_updated_at=_moment(value.state_updated_at),
        verification_method=value.verification_method,
        verified_by_authenticator_id=value.verified_by,
        user_agent=value.user_agent,
        ip_address=value.ip_address,
        country_code=value.country_code,
    )


def action_detail(value: entities.Action) -> ActionDetail:
    return ActionDetail(
        state=value.state,
        created_at=iso(value.created_at),
        state_updated_at=iso(value.state_updated_at or value.created_at),
        verification_method=value.verification_method,
        output={"custom": dict(value.custom or {}), **dict(value.output or {})},
        rule_ids=[rule.rule_id for rule in value.rules],
        priority_rule_id=value.rules[0].rule_id if value.rules else None,
        rules=[FiredRule(rule_id=rule.rule_id, name=rule.name, description=rule.description) for rule in value.rules],
    )


def device(value: entities.Device) -> Device:
    return Device(
        user_id=value.user_id,
        device_id=value.device_id,
        created_at=iso(value.created_at),
        authenticated_at=_moment(value.authenticated_at),
        invalidated_at=_moment(value.invalidated_at),
        remembered_until=_moment(value.remembered_until),
        last_verification_method=value.last_verification_method,
    )


def tenant_authenticator(value: Json) -> TenantAuthenticator:
    """The short form of an authenticator configuration."""
    return TenantAuthenticator(
        authenticator_id=value["authenticatorId"],
        verification_method=value["verificationMethod"],
        is_active=value.get("isActive", True),
        is_editable_by_user=value.get("isEditableByUser", True),
        is_hidden_to_user=value.get("isHiddenToUser", False),
        sms_channel=value.get("smsChannel"),
    )
