"""Stored values as the JSON objects Authsignal answers with. What is not known is left out, never null."""

from datetime import datetime
from functools import cache
from typing import Any

from dlt_authsignal.sandbox.clock import iso
from dlt_authsignal.sandbox.entities import Action, Authenticator, Credential, Device, Rule, TenantAuthenticator, User

Json = dict[str, Any]


def _known(**fields: Any) -> Json:
    return {
        name: iso(value) if isinstance(value, datetime) else value
        for name, value in fields.items()
        if value is not None
    }


def user_attributes(user: User) -> Json:
    """What `PATCH /users/{userId}` echoes."""
    return _known(
        userId=user.user_id,
        email=user.email,
        emailVerified=user.email_verified,
        phoneNumber=user.phone_number,
        phoneNumberVerified=user.phone_number_verified,
        username=user.username,
        displayName=user.display_name,
        defaultVerificationMethod=user.default_verification_method,
        custom=user.custom,
        locale=user.locale,
    )


def listed_user(user: User, enrolled: list[str]) -> Json:
    """A row of `GET /users`: the union of what the docs page and the SDK types show."""
    return _known(
        userId=user.user_id,
        email=user.email,
        emailVerified=user.email_verified,
        phoneNumber=user.phone_number,
        phoneNumberVerified=user.phone_number_verified,
        username=user.username,
        displayName=user.display_name,
        isEnrolled=bool(enrolled),
        enrolledVerificationMethods=enrolled,
        createdAt=user.created_at,
    )


def user_page(user: User | None, enrolled: list[str], allowed: list[str]) -> Json:
    """`GET /users/{userId}`; an unknown user is simply not enrolled."""
    if user is None:
        return {"isEnrolled": False}
    attributes = user_attributes(user)
    del attributes["userId"]
    return {
        "isEnrolled": bool(enrolled),
        **attributes,
        "allowedVerificationMethods": allowed,
        "enrolledVerificationMethods": enrolled,
    }


def authenticator(value: Authenticator, *, flavour: str = "server") -> Json:
    """A row of `GET /users/{userId}/authenticators`, or of the client API, which has `isDefault` and no `userId`."""
    client = flavour == "client"
    return _known(
        userId=None if client else value.user_id,
        userAuthenticatorId=value.user_authenticator_id,
        verificationMethod=value.verification_method,
        createdAt=value.created_at,
        verifiedAt=value.verified_at,
        lastVerifiedAt=value.last_verified_at,
        isDefault=value.is_default if client else None,
        email=value.email,
        phoneNumber=value.phone_number,
        username=value.username,
        displayName=value.display_name,
        previousSmsChannel=value.previous_sms_channel,
        webauthnCredential=_credential(value.credential) if value.credential else None,
    )


def _credential(value: Credential) -> Json:
    return _known(
        credentialId=value.credential_id,
        deviceId=value.device_id,
        name=value.name,
        aaguid=value.aaguid,
        aaguidMapping=_mapping(value.provider) if value.provider else None,
        credentialBackedUp=value.backed_up,
        credentialDeviceType=value.device_type,
        authenticatorAttachment=value.attachment,
        parsedUserAgent=value.agent,
    )


@cache
def _mapping(provider: str) -> Json:
    icon = "data:image/svg+xml;base64," + ("PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciPg" * 24)
    return {"name": provider, "svgIconLight": icon, "svgIconDark": icon}


def action_row(value: Action) -> Json:
    """A row of `GET /users/{userId}/actions`: no user id, no rules."""
    return _known(
        actionCode=value.action_code,
        idempotencyKey=value.idempotency_key,
        createdAt=value.created_at,
        updatedAt=value.updated_at,
        state=value.state,
        stateUpdatedAt=value.state_updated_at,
        verificationMethod=value.verification_method,
        verifiedByAuthenticatorId=value.verified_by,
        userAgent=value.user_agent,
        ipAddress=value.ip_address,
        countryCode=value.country_code,
    )


def action_detail(value: Action) -> Json:
    """`GET /users/{userId}/actions/{action}/{idempotencyKey}`: no keys in the body."""
    return _known(
        state=value.state,
        createdAt=value.created_at,
        stateUpdatedAt=value.state_updated_at or value.created_at,
        verificationMethod=value.verification_method,
        output={"custom": dict(value.custom or {})},
        ruleIds=[rule.rule_id for rule in value.rules],
        priorityRuleId=value.rules[0].rule_id if value.rules else None,
        rules=[_rule(rule) for rule in value.rules],
    )


def _rule(value: Rule) -> Json:
    return {"ruleId": value.rule_id, "name": value.name, "description": value.description}


def device(value: Device) -> Json:
    """A row of `GET /users/{userId}/devices`."""
    return _known(
        userId=value.user_id,
        deviceId=value.device_id,
        createdAt=value.created_at,
        authenticatedAt=value.authenticated_at,
        invalidatedAt=value.invalidated_at,
        lastVerificationMethod=value.last_verification_method,
    )


def tenant_authenticator(value: TenantAuthenticator) -> Json:
    """A row of `GET /authenticators`."""
    return _known(
        authenticatorId=value.authenticator_id,
        verificationMethod=value.verification_method,
        isActive=value.is_active,
        isEditableByUser=value.is_editable_by_user,
        isHiddenToUser=value.is_hidden_to_user,
        smsChannel=value.sms_channel,
    )
