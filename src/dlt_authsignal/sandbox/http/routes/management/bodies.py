"""Request bodies of the Management API: the documented fields and their values."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from dlt_authsignal.sandbox.core.bodies import Body

Json = dict[str, Any]
Result = Literal["ALLOW", "BLOCK", "CHALLENGE", "REVIEW"]
Text = str | UnsetType
Flag = bool | UnsetType
Methods = list[str] | UnsetType


class Changes(Body, omit_defaults=True):
    """Base of bodies that write. A missing field keeps its value, null removes the value."""


class TenantChanges(Changes, kw_only=True):
    """`PATCH /tenant`."""

    name: Text = UNSET
    allow_disabling_mfa: Flag = UNSET
    hide_authsignal_logo: Flag = UNSET
    custom_domain: str | UnsetType | None = UNSET
    redirect_on_session_expiry: Flag = UNSET
    allow_deleting_user_authenticators: Flag = UNSET
    disable_recovery_codes: Flag = UNSET
    skip_recovery_codes_on_programmatic_enrollment: Flag = UNSET
    hide_recovery_codes_on_enrollment: Flag = UNSET
    hide_success_screen_on_enrollment: Flag = UNSET
    token_duration_in_minutes: Annotated[int, Meta(ge=1, le=1440)] | UnsetType = UNSET


class ActionChanges(Changes, kw_only=True):
    """`POST` and `PATCH /action-configurations`."""

    action_code: Text = UNSET
    default_user_action_result: Result | UnsetType = UNSET
    messaging_templates: Json | UnsetType | None = UNSET
    verification_methods: Methods | None = UNSET
    prompt_to_enroll_verification_methods: list[Literal["PASSKEY"]] | UnsetType | None = UNSET
    default_verification_method: str | UnsetType | None = UNSET
    verification_webhook_url: str | UnsetType | None = UNSET


class RuleChanges(Changes, kw_only=True):
    """`POST` and `PATCH …/rules`; priority 0 is evaluated first. Each priority is unique in its action."""

    name: Text = UNSET
    description: str | UnsetType | None = UNSET
    is_active: Flag = UNSET
    priority: Annotated[int, Meta(ge=0, le=99)] | UnsetType = UNSET
    type: Result | UnsetType = UNSET
    verification_methods: Methods | None = UNSET
    prompt_to_enroll_verification_methods: list[Literal["PASSKEY"]] | UnsetType | None = UNSET
    default_verification_method: str | UnsetType | None = UNSET
    conditions: Json | UnsetType = UNSET


class RateLimit(Body, kw_only=True):
    """A limit of an authenticator configuration."""

    rate_limit: Annotated[int, Meta(ge=1, le=1_000_000)]
    window_in_minutes: Annotated[int, Meta(ge=1, le=1_000_000)]


class MethodChanges(Changes, kw_only=True):
    """`POST` and `PATCH /authenticator-configurations`, its documented fields without providers' credentials."""

    verification_method: Text = UNSET
    authenticator_type: Text = UNSET
    is_active: Flag = UNSET
    is_editable_by_user: Flag = UNSET
    is_hidden_to_user: Flag = UNSET
    oob_channel: Text = UNSET
    sms_provider: Text = UNSET
    sms_channel: Literal["DEFAULT", "WHATSAPP"] | UnsetType = UNSET
    email_provider: Text = UNSET
    push_provider: Text = UNSET
    webhook_url: str | UnsetType | None = UNSET
    magic_link_mode: Text = UNSET
    message_template: Text = UNSET
    sender: Text = UNSET
    provider_type: Text = UNSET
    relying_party: Text = UNSET
    expected_origins: Methods = UNSET
    verification_code_length: Annotated[int, Meta(ge=4, le=10)] | UnsetType = UNSET
    enrollment_prompt_interval: Text = UNSET
    hide_totp_app_download_screen: Flag = UNSET
    issuer_name: Text = UNSET
    session_ttl_in_minutes: int | UnsetType = UNSET
    user_verification_requirement: Literal["required", "preferred", "discouraged"] | UnsetType = UNSET
    authenticator_attachment: Literal["platform", "cross-platform"] | UnsetType | None = UNSET
    show_email_delivery_time_warning: Flag = UNSET
    sms_country_codes: Methods = UNSET
    allow_multiple_user_authenticators: Flag = UNSET
    rate_limit_configuration: RateLimit | UnsetType | None = UNSET
    sending_rate_limit_configuration: RateLimit | UnsetType | None = UNSET
    passkey_registration_hints: Methods = UNSET
    whats_app_provider: Text = UNSET
    redirect_urls: Methods = UNSET
    dont_skip_enrollment_input_screen: Flag = UNSET
    document_types: list[Any] | UnsetType = UNSET
    recovery_methods: Methods = UNSET
    disable_enrollment_prompt: Flag = UNSET
    require_app_attestation: Flag = UNSET
    app_attestation_failure_mode: Text = UNSET
    twilio_credentials: Json | UnsetType | None = UNSET
    message_bird_v2_credentials: Json | UnsetType | None = msgspec.field(default=UNSET, name="messageBirdV2Credentials")


class DataPointChanges(Changes, kw_only=True):
    """`POST` and `PATCH /custom-data-points`."""

    name: Text = UNSET
    data_type: Literal["text", "number", "boolean", "multiselect"] | UnsetType = UNSET
    model_type: Literal["user", "action"] | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    is_public: Flag = UNSET


class ValueListChanges(Changes, kw_only=True):
    """`POST` and `PATCH /value-lists`."""

    name: Text = UNSET
    alias: Text = UNSET
    item_type: Literal["string", "number"] | UnsetType = UNSET
    is_active: Flag = UNSET
    value_list_items: list[str | float] | UnsetType = UNSET


class Overrides(Body, kw_only=True):
    """`PATCH /message-overrides`: replaces all of them."""

    message_overrides: dict[str, dict[str, str]]
