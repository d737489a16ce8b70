"""CONFIGURATION: the tables of the tenant's configuration, read with the Management API."""

from typing import Any, Final

from dlt_authsignal.schema.columns import DELETED_AT, Table, activity, flag, json, number, text, time

_MANAGEMENT: Final[dict[str, Any]] = {"apis": ("management",), "history": True}
_METHODS: Final = (
    json("verificationMethods", "List of the verification methods that are offered; null for all of the tenant."),
    json("promptToEnrollVerificationMethods", "List of the methods that users are prompted to enrol."),
    text("defaultVerificationMethod", "Verification method offered first."),
)

TENANT: Final = Table(
    name="tenant",
    key=("tenant_id",),
    meaning="One row: the settings of the tenant. A setting is null if it was never set.",
    source="GET /management/tenant",
    columns=(
        text("name", "Name of the tenant."),
        flag("allowDisablingMfa", "Whether users may switch MFA off."),
        flag("hideAuthsignalLogo", "Whether the pre-built pages hide Authsignal's logo."),
        text("customDomain", "Domain of the pre-built pages."),
        flag("redirectOnSessionExpiry", "Whether the pre-built pages redirect when their session ends."),
        flag("allowDeletingUserAuthenticators", "Whether users may delete their authenticators."),
        flag("disableRecoveryCodes", "Whether recovery codes are switched off."),
        flag("skipRecoveryCodesOnProgrammaticEnrollment", "Whether enrolment by the API makes no recovery codes."),
        flag("hideRecoveryCodesOnEnrollment", "Whether recovery codes are hidden at enrolment."),
        flag("hideSuccessScreenOnEnrollment", "Whether the page after an enrolment is left out."),
        number("tokenDurationInMinutes", "Lifetime of short-lived tokens in minutes."),
        DELETED_AT,
    ),
    **_MANAGEMENT,
)

ACTION_CONFIGURATIONS: Final = Table(
    name="action_configurations",
    key=("action_code",),
    meaning="One row per action code that is configured: its default result and its methods.",
    source="GET /management/action-configurations",
    columns=(
        text("actionCode", "Action code: name of the action, such as signIn."),
        text("defaultUserActionResult", "Result if no rule matches: ALLOW, BLOCK, CHALLENGE or REVIEW."),
        *_METHODS,
        json("messagingTemplates", "Templates of messages.", "words"),
        text("verificationWebhookHost", "Host of the verification webhook; its path is never loaded."),
        activity(time("lastActionCreatedAt", "When the action was last tracked. A change makes no new version.")),
        DELETED_AT,
    ),
    **_MANAGEMENT,
)

RULES: Final = Table(
    name="rules",
    key=("rule_id",),
    meaning="One row per rule. The first active rule of an action that matches decides, by priority.",
    source="GET /management/action-configurations/{actionCode}/rules",
    columns=(
        text("ruleId", "Authsignal's id of the rule."),
        text("actionCode", "Action code that the rule belongs to."),
        text("name", "Name of the rule."),
        text("description", "Description of the rule.", "words"),
        flag("isActive", "Whether the rule is evaluated."),
        number("priority", "Rules are evaluated from 0 upwards; unique per action code."),
        text("type", "Result if the rule matches: ALLOW, BLOCK, CHALLENGE or REVIEW."),
        *_METHODS,
        json("conditions", "Conditions in JsonLogic. rule_conditions has them as rows.", "words"),
        DELETED_AT,
    ),
    **_MANAGEMENT,
)

RULE_CONDITIONS: Final = Table(
    name="rule_conditions",
    apis=("management",),
    key=("rule_id", "path"),
    meaning="One row per operand in the conditions of each rule, variables and constants.",
    source="GET /management/action-configurations/{actionCode}/rules",
    columns=(
        text("ruleId", "Authsignal's id of the rule."),
        text("path", "JSON Pointer of the operand in the conditions, such as /and/0/==/1."),
        text("actionCode", "Action code that the rule belongs to."),
        text("operator", "Innermost JsonLogic operator around the operand, such as == or in."),
        text("variable", "Name of the variable, such as ip.countryCode; null for a constant."),
        text("operand", "Name of the variable; or the constant, as JSON.", "words"),
        DELETED_AT,
    ),
)

AUTHENTICATOR_CONFIGURATIONS: Final = Table(
    name="authenticator_configurations",
    key=("authenticator_id",),
    meaning="One row per verification method that is set up, with its settings. Only the columns below load, because"
    " other fields may hold credentials of a provider.",
    source="GET /management/authenticator-configurations",
    is_closed=True,
    columns=(
        text("authenticatorId", "Authsignal's id of the authenticator configuration."),
        text("authenticatorType", "Type of the authenticator."),
        text("verificationMethod", "Verification method: SMS, EMAIL_OTP, PASSKEY, … (open list)."),
        flag("isActive", "Whether users may use this method."),
        flag("isEditableByUser", "Whether users may add or remove this method."),
        flag("isHiddenToUser", "Whether this method is hidden from users."),
        text("oobChannel", "Channel of out-of-band codes."),
        text("smsProvider", "Provider that sends SMS."),
        text("smsChannel", "DEFAULT or WHATSAPP."),
        text("emailProvider", "Provider that sends e-mails."),
        text("pushProvider", "Provider that sends push messages."),
        text("whatsAppProvider", "Provider that sends WhatsApp messages."),
        text("providerType", "Type of the provider."),
        text("webhookHost", "Host of the webhook that sends messages; its path is never loaded."),
        text("magicLinkMode", "How magic links work."),
        text("messageTemplate", "Template of messages.", "words"),
        text("sender", "Sender shown to users.", "words"),
        text("relyingParty", "WebAuthn relying party id."),
        json("expectedOrigins", "List of the origins from which passkeys are accepted."),
        number("verificationCodeLength", "Digits of a verification code."),
        text("enrollmentPromptInterval", "How often users are prompted to enrol."),
        flag("hideTotpAppDownloadScreen", "Whether the page that recommends authenticator apps is left out."),
        text("issuerName", "Issuer shown in authenticator apps."),
        number("sessionTtlInMinutes", "Lifetime of a verification session in minutes."),
        text("userVerificationRequirement", "WebAuthn user verification: required, preferred or discouraged."),
        text("authenticatorAttachment", "WebAuthn attachment: platform or cross-platform."),
        flag("showEmailDeliveryTimeWarning", "Whether users are told that e-mails may take some time."),
        json("smsCountryCodes", "List of the countries to which SMS are sent."),
        flag("allowMultipleUserAuthenticators", "Whether a user may enrol this method more than once."),
        json("rateLimitConfiguration", "Limits of attempts: numbers and flags only.", "words"),
        json("sendingRateLimitConfiguration", "Limits of messages: numbers and flags only.", "words"),
        json("passkeyRegistrationHints", "List of WebAuthn hints for new passkeys."),
        json("redirectUrls", "List of URLs, without query and fragment."),
        flag("dontSkipEnrollmentInputScreen", "Whether the input page is shown although the value is known."),
        json("recoveryMethods", "List of the methods for account recovery."),
        flag("disableEnrollmentPrompt", "Whether users are not prompted to enrol."),
        flag("requireAppAttestation", "Whether apps must prove their origin."),
        text("appAttestationFailureMode", "What happens if an app cannot prove its origin."),
        DELETED_AT,
    ),
    **_MANAGEMENT,
)

CUSTOM_DATA_POINTS: Final = Table(
    name="custom_data_points",
    key=("id",),
    meaning="One row per custom data point: a field of `custom` that rules can use.",
    source="GET /management/custom-data-points",
    columns=(
        text("id", "Authsignal's id of the data point."),
        text("name", "Name of the field in `custom`."),
        text("dataType", "text, number, boolean or multiselect."),
        text("modelType", "user or action."),
        text("description", "Description of the data point.", "words"),
        flag("isPublic", "Whether the value is visible to the user."),
        DELETED_AT,
    ),
    **_MANAGEMENT,
)

VALUE_LISTS: Final = Table(
    name="value_lists",
    key=("alias",),
    meaning="One row per value list that rules can use. value_list_items has the items.",
    source="GET /management/value-lists",
    columns=(
        text("alias", "Alias of the list, by which rules name it."),
        text("name", "Name of the list."),
        text("itemType", "string or number."),
        flag("isActive", "Whether rules use the list."),
        number("itemCount", "Number of items, including those that are not loaded."),
        DELETED_AT,
    ),
    **_MANAGEMENT,
)

VALUE_LIST_ITEMS: Final = Table(
    name="value_list_items",
    key=("alias", "item"),
    meaning="One row per item of each value list. Items may identify people: they are hashed unless `privacy_allow`"
    " names the alias of the list, and left out without a privacy_key.",
    source="GET /management/value-lists",
    columns=(
        text("alias", "Alias of the list."),
        text("item", "The item; numbers as text.", "name"),
        DELETED_AT,
    ),
    **_MANAGEMENT,
)

THEME: Final = Table(
    name="theme",
    key=("tenant_id",),
    meaning="One row: the appearance of the pre-built pages.",
    source="GET /management/theme",
    columns=(json("theme", "The theme, as Authsignal returns it.", "words"), DELETED_AT),
    **_MANAGEMENT,
)

CONFIGURATION: Final[tuple[Table, ...]] = (
    TENANT,
    ACTION_CONFIGURATIONS,
    RULES,
    RULE_CONDITIONS,
    AUTHENTICATOR_CONFIGURATIONS,
    CUSTOM_DATA_POINTS,
    VALUE_LISTS,
    VALUE_LIST_ITEMS,
    THEME,
)


def fields_of(table: Table) -> frozenset[str]:
    """Return the API fields that a table declares."""
    return frozenset(column.field.partition(".")[0] for column in table.columns if column.field is not None)
