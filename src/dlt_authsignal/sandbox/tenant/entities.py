"""Entities of a tenant, as frozen values. A change replaces the value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """A user."""

    user_id: str
    created_at: datetime
    email: str | None = None
    email_verified: bool = False
    phone_number: str | None = None
    phone_number_verified: bool = False
    username: str | None = None
    display_name: str | None = None
    default_verification_method: str | None = None
    locale: str | None = None
    custom: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """The WebAuthn side of a passkey or security key. `private_key`, as PEM, is of those that a fixture has made."""

    credential_id: str
    device_id: str
    name: str
    aaguid: str
    provider: str | None
    backed_up: bool
    device_type: str
    attachment: str
    agent: Mapping[str, Any]
    public_key: bytes | None = None
    private_key: str | None = field(default=None, repr=False)
    sign_count: int = 0
    transports: tuple[str, ...] = ()
    enrolled_by_ceremony: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AppCredential:
    """The public key of a mobile app that is enrolled for push, QR code or in-app verification."""

    public_key: str
    device_name: str | None
    platform: str
    push_token: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Totp:
    """The secret of an authenticator app, and how it makes codes.

    Attributes:
        secret: In base32, in capital letters without padding.
        digits: Number of digits of a code.
        period: How many seconds a code is shown.
        algorithm: SHA1, SHA256 or SHA512.
    """

    secret: str = field(repr=False)
    digits: int = 6
    period: int = 30
    algorithm: str = "SHA1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Authenticator:
    """An authenticator of a user."""

    user_authenticator_id: str
    user_id: str
    verification_method: str
    created_at: datetime
    verified_at: datetime | None = None
    last_verified_at: datetime | None = None
    is_default: bool = False
    email: str | None = None
    phone_number: str | None = None
    username: str | None = None
    display_name: str | None = None
    previous_sms_channel: str | None = None
    credential: Credential | None = None
    app: AppCredential | None = None
    totp: Totp | None = None
    totp_step: int = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A rule that fired."""

    rule_id: str
    name: str
    description: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A step of an invented challenge.

    Attributes:
        at: When it happened.
        method: Verification method.
        type: Type of the event. None: Authsignal does not publish it, see `SandboxConfig.unpublished_steps`.
        phone_number: Where a code was sent.
        email: Where a code was sent.
    """

    at: datetime
    method: str
    type: str | None = None
    phone_number: str | None = None
    email: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """One attempt of an action.

    `steps` and `stories` are of invented attempts only: the steps of the challenge, None if they are not known, and the
    names of the stories that the attempt is part of. No API shows the latter.
    """

    user_id: str
    action_code: str
    idempotency_key: str
    created_at: datetime
    state: str
    updated_at: datetime | None = None
    state_updated_at: datetime | None = None
    verification_method: str | None = None
    verified_by: str | None = None
    user_agent: str | None = None
    ip_address: str | None = None
    country_code: str | None = None
    custom: Mapping[str, Any] | None = None
    output: Mapping[str, Any] | None = None
    device_id: str | None = None
    result: str | None = None
    allowed_methods: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    redirect_url: str | None = None
    steps: tuple[Step, ...] | None = None
    stories: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """A device that a user has used."""

    user_id: str
    device_id: str
    created_at: datetime
    authenticated_at: datetime | None = None
    invalidated_at: datetime | None = None
    remembered_until: datetime | None = None
    last_verification_method: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One entry of the tenant's event log.

    Attributes:
        at: When it happened.
        type: Type of the webhook event, such as `authenticator.created`.
        about: The authenticator or action it is about, or the fields of a step of a challenge.
    """

    at: datetime
    type: str
    about: Any
