"""Request bodies of the Management API: the documented fields and their values."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from dlt_authsignal.sandbox.core.bodies import Body

Json = dict[str, Any]
Result = Literal["ALLOW", "BLOCK", "CHALLENGE", "REVIEW"]
Text = str | UnsetType | None
Flag = bool | UnsetType | None
Texts = list[str] | UnsetType | None
Name = Annotated[str, Meta(min_length=1)] | UnsetType | None
Prompts = list[Literal["PASSKEY"]] | UnsetType | None
Country = Annotated[str, Meta(pattern="^[A-Z]{2}$")]
Minutes = Annotated[int, Meta(ge=1, le=525_600)] | UnsetType | None
ReadOnly = Any
"""A field that Authsignal sets. A body may repeat its value, as a client does that sends back what it has read."""


class Changes(Body, omit_defaults=True):
    """Base of bodies that write. A missing field keeps its value, null removes the value, as a missing one on creation.

    Assumed from Authsignal's Go client, whose types allow null for every field. Required fields cannot be removed.
    """


class TenantChanges(Changes, kw_only=True):
    """`PATCH /tenant`. Authsignal's Go client says which settings can be read but not changed through this API."""

    name: Name = UNSET
    disable_recovery_codes: Flag = UNSET
    hide_success_screen_on_enrollment: Flag = UNSET
    token_duration_in_minutes: Annotated[int, Meta(ge=1, le=1440)] | UnsetType | None = UNSET
    tenant_id: ReadOnly = UNSET
    allow_disabling_mfa: ReadOnly = UNSET
    hide_authsignal_logo: ReadOnly = UNSET
    custom_domain: ReadOnly = UNSET
    redirect_on_session_expiry: ReadOnly = UNSET
    allow_deleting_user_authenticators: ReadOnly = UNSET
    skip_recovery_codes_on_programmatic_enrollment: ReadOnly = UNSET
    hide_recovery_codes_on_enrollment: ReadOnly = UNSET


class ActionChanges(Changes, kw_only=True):
    """`POST` and `PATCH /action-configurations`."""

    action_code: Name = UNSET
    default_user_action_result: Result | UnsetType | None = UNSET
    messaging_templates: Json | UnsetType | None = UNSET
    verification_methods: Texts = UNSET
    prompt_to_enroll_verification_methods: Prompts = UNSET
    default_verification_method: Text = UNSET
    verification_webhook_url: Text = UNSET
    tenant_id: ReadOnly = UNSET
    last_action_created_at: ReadOnly = UNSET


class RuleChanges(Changes, kw_only=True):
    """`POST` and `PATCH …/rules`; priority 0 is evaluated first. Each priority is unique in its action."""

    name: Name = UNSET
    description: Text = UNSET
    is_active: Flag = UNSET
    priority: Annotated[int, Meta(ge=0, le=99)] | UnsetType | None = UNSET
    type: Result | UnsetType | None = UNSET
    verification_methods: Texts = UNSET
    prompt_to_enroll_verification_methods: Prompts = UNSET
    default_verification_method: Text = UNSET
    conditions: Json | UnsetType | None = UNSET
    rule_id: ReadOnly = UNSET
    action_code: ReadOnly = UNSET
    tenant_id: ReadOnly = UNSET


class RateLimit(Body, kw_only=True):
    """A limit of an authenticator configuration, with the bounds that Authsignal's Terraform provider documents."""

    rate_limit: Annotated[int, Meta(ge=1, le=100)]
    window_in_minutes: Annotated[float, Meta(ge=1, le=1440)]


class MethodChanges(Changes, kw_only=True):
    """`POST` and `PATCH /authenticator-configurations`, its documented fields without providers' credentials."""

    verification_method: Name = UNSET
    authenticator_type: Text = UNSET
    is_active: Flag = UNSET
    is_editable_by_user: Flag = UNSET
    is_hidden_to_user: Flag = UNSET
    oob_channel: Text = UNSET
    sms_provider: Text = UNSET
    sms_channel: Literal["DEFAULT", "WHATSAPP"] | UnsetType | None = UNSET
    email_provider: Text = UNSET
    push_provider: Literal["DEFAULT", "FIREBASE", "WEBHOOK"] | UnsetType | None = UNSET
    webhook_url: Text = UNSET
    magic_link_mode: Text = UNSET
    message_template: Text = UNSET
    sender: Text = UNSET
    provider_type: Text = UNSET
    relying_party: Text = UNSET
    expected_origins: Texts = UNSET
    verification_code_length: Annotated[int, Meta(ge=4, le=10)] | UnsetType | None = UNSET
    enrollment_prompt_interval: Text = UNSET
    hide_totp_app_download_screen: Flag = UNSET
    issuer_name: Text = UNSET
    session_ttl_in_minutes: Minutes = UNSET
    user_verification_requirement: Literal["required", "preferred", "discouraged"] | UnsetType | None = UNSET
    authenticator_attachment: Literal["platform", "cross-platform", "all-supported"] | UnsetType | None = UNSET
    show_email_delivery_time_warning: Flag = UNSET
    sms_country_codes: list[Country] | UnsetType | None = UNSET
    allow_multiple_user_authenticators: Flag = UNSET
    rate_limit_configuration: RateLimit | UnsetType | None = UNSET
    sending_rate_limit_configuration: RateLimit | UnsetType | None = UNSET
    passkey_registration_hints: list[Literal["security-key", "client-device", "hybrid"]] | UnsetType | None = UNSET
    whats_app_provider: Text = UNSET
    redirect_urls: Texts = UNSET
    dont_skip_enrollment_input_screen: Flag = UNSET
    document_types: list[Any] | UnsetType | None = UNSET
    recovery_methods: Texts = UNSET
    disable_enrollment_prompt: Flag = UNSET
    require_app_attestation: Flag = UNSET
    app_attestation_failure_mode: Literal["BLOCK", "ALLOW_WITH_WARNING"] | UnsetType | None = UNSET
    twilio_credentials: Json | UnsetType | None = UNSET
    message_bird_v2_credentials: Json | UnsetType | None = msgspec.field(default=UNSET, name="messageBirdV2Credentials")
    authenticator_id: ReadOnly = UNSET


class DataPointChanges(Changes, kw_only=True):
    """`POST` and `PATCH /custom-data-points`."""

    name: Name = UNSET
    data_type: Literal["text", "number", "boolean", "multiselect"] | UnsetType | None = UNSET
    model_type: Literal["user", "action"] | UnsetType | None = UNSET
    description: Text = UNSET
    is_public: Flag = UNSET
    id: ReadOnly = UNSET


class ValueListChanges(Changes, kw_only=True):
    """`POST` and `PATCH /value-lists`."""

    name: Name = UNSET
    alias: Name = UNSET
    item_type: Literal["string", "number"] | UnsetType | None = UNSET
    is_active: Flag = UNSET
    value_list_items: list[str | float] | UnsetType | None = UNSET


class Overrides(Body, kw_only=True):
    """`PATCH /message-overrides`: replaces all of them. The Go client writes null for none."""

    message_overrides: dict[str, dict[str, str]] | None
