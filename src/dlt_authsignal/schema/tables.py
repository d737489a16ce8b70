"""TABLES: every table's name, API, key, columns, meaning and marks, stated once.

The source takes its hints from here, the documentation its tables, the sandbox its field names.
"""

from typing import Final

from dlt_authsignal.schema.ceremony_tables import CEREMONIES
from dlt_authsignal.schema.columns import Column, Table, flag, json, of_client, own, text, time

PROVENANCE: Final = (
    Column(
        name="tenant_id",
        field=None,
        type="text",
        meaning="Tenant as configured or named by the token; null if unknown.",
    ),
    Column(name="_api", field=None, type="text", meaning="API the row was read through: server or client."),
    Column(name="_read_at", field=None, type="timestamp", meaning="When the row was read."),
    Column(
        name="_row_hash",
        field=None,
        type="text",
        meaning="Fingerprint of what Authsignal said; equal while nothing changed.",
    ),
)

DELETED_AT: Final = own(
    "deleted_at",
    "timestamp",
    "When a complete read no longer showed it; null while it is there. The other columns keep what was last known.",
)

_USER_ID = text("userId", "The company's own id of the user.", "user_id")
_EMAIL_DOMAIN = own("email_domain", "text", "Domain of the address.")
_PHONE_COUNTRY = own(
    "phone_number_country", "text", "Country of the number, ISO 3166-1 alpha-2; null without a country code."
)
_METHOD = text("verificationMethod", "Method, an open list: SMS, EMAIL_OTP, AUTHENTICATOR_APP, PASSKEY, …")

USERS: Final = Table(
    name="users",
    apis=("server",),
    key=("user_id",),
    history=True,
    meaning="One row per user known to Authsignal: what the listing and the user's own page say.",
    source="GET /users and GET /users/{userId}",
    columns=(
        _USER_ID,
        text("email", "E-mail address.", "email"),
        _EMAIL_DOMAIN,
        flag("emailVerified", "Whether the address is verified."),
        text("phoneNumber", "Phone number, usually E.164 (not enforced by Authsignal).", "phone"),
        _PHONE_COUNTRY,
        flag("phoneNumberVerified", "Whether the number is verified."),
        text("username", "User name.", "name"),
        text("displayName", "Name shown to the user.", "name"),
        flag("isEnrolled", "Whether the user has at least one authenticator."),
        json("enrolledVerificationMethods", "Methods the user has enrolled, a list."),
        json("allowedVerificationMethods", "Methods the user may use, a list."),
        text("defaultVerificationMethod", "Method offered first."),
        json("custom", "Custom data points: those that `privacy_allow` names.", "free-form"),
        text("locale", "BCP 47 locale."),
        time("createdAt", "When the user was created; the listing says it, the user's own page does not."),
        DELETED_AT,
    ),
)

_CREDENTIAL = "webauthnCredential"
_AGENT = f"{_CREDENTIAL}.parsedUserAgent"

USER_AUTHENTICATORS: Final = Table(
    name="user_authenticators",
    apis=("server", "client"),
    key=("user_authenticator_id",),
    history=True,
    meaning="One row per authenticator of a user: a passkey, a phone number, an authenticator app, …",
    source="GET /users/{userId}/authenticators, or GET /client/user-authenticators for the token's own user",
    columns=(
        _USER_ID,
        text("userAuthenticatorId", "Authsignal's id of the authenticator."),
        _METHOD,
        time("createdAt", "When it was created."),
        time("verifiedAt", "When it was first verified; null while enrolment is unfinished."),
        time("lastVerifiedAt", "When it last verified a challenge."),
        of_client(flag("isDefault", "Whether it is offered first (Client API).")),
        text("email", "Address codes are sent to.", "email"),
        _EMAIL_DOMAIN,
        text("phoneNumber", "Number codes are sent to.", "phone"),
        _PHONE_COUNTRY,
        text("username", "User name given at registration.", "name"),
        text("displayName", "Display name given at registration.", "name"),
        text("previousSmsChannel", "Channel of the last code: DEFAULT, WHATSAPP."),
        of_client(text("devicePlatform", "IOS, ANDROID, WEB (Client API).")),
        of_client(text("authenticatorAttachment", "platform or cross-platform (Client API).")),
        of_client(time("erroredAt", "When push delivery last failed (Client API).")),
        of_client(text("errorCode", "Why push delivery last failed (Client API).")),
        text(f"{_CREDENTIAL}.credentialId", "WebAuthn credential id.", "credential"),
        text(f"{_CREDENTIAL}.deviceId", "Device the passkey was made on.", "device"),
        text(f"{_CREDENTIAL}.name", "Name of the credential, the provider's unless its owner chose another.", "name"),
        text(f"{_CREDENTIAL}.aaguid", "Model of the authenticator; all zero when withheld."),
        text(f"{_CREDENTIAL}.aaguidMapping.name", "Provider the AAGUID stands for."),
        flag(f"{_CREDENTIAL}.credentialBackedUp", "True for a synced passkey."),
        text(f"{_CREDENTIAL}.credentialDeviceType", "singleDevice or multiDevice."),
        text(f"{_CREDENTIAL}.authenticatorAttachment", "platform or cross-platform."),
        of_client(time(f"{_CREDENTIAL}.verifiedAt", "When the credential was verified (Client API).")),
        text(f"{_AGENT}.ua", "User agent at registration.", "user_agent"),
        text(f"{_AGENT}.browser.name", "Browser at registration."),
        text(f"{_AGENT}.browser.version", "Its version."),
        text(f"{_AGENT}.browser.major", "Its major version."),
        text(f"{_AGENT}.device.model", "Device model at registration."),
        text(f"{_AGENT}.device.type", "mobile, tablet, …; null on desktops."),
        text(f"{_AGENT}.device.vendor", "Device vendor."),
        text(f"{_AGENT}.engine.name", "Browser engine."),
        text(f"{_AGENT}.engine.version", "Its version."),
        text(f"{_AGENT}.os.name", "Operating system at registration."),
        text(f"{_AGENT}.os.version", "Its version."),
        text(f"{_AGENT}.cpu.architecture", "Processor architecture."),
        DELETED_AT,
    ),
)

_ACTION_KEY = (
    _USER_ID,
    text("actionCode", "What the user was doing, such as signIn."),
    text("idempotencyKey", "Names one attempt of that action."),
)
_STATE = text("state", "ALLOW, BLOCK, CHALLENGE_REQUIRED, CHALLENGE_SUCCEEDED, …, an open list.")

USER_ACTIONS: Final = Table(
    name="user_actions",
    apis=("server",),
    key=("user_id", "action_code", "idempotency_key"),
    meaning="One row per attempt of an action. Authsignal answers for the last 30 days; older rows stay in the table.",
    source="GET /users/{userId}/actions",
    columns=(
        *_ACTION_KEY,
        time("createdAt", "When the action was tracked."),
        time("updatedAt", "When the row last changed."),
        _STATE,
        time("stateUpdatedAt", "When the state last changed."),
        text("verificationMethod", "Method that verified the attempt."),
        text("verifiedByAuthenticatorId", "Authenticator that verified the attempt."),
        text("userAgent", "User agent.", "user_agent"),
        text("ipAddress", "IP address.", "ip"),
        text("countryCode", "Country of the address, ISO 3166-1 alpha-2."),
    ),
)

ACTION_DETAILS: Final = Table(
    name="action_details",
    apis=("server",),
    key=("user_id", "action_code", "idempotency_key"),
    meaning="One row per attempt, with the rules that fired. One request per action: read only when named.",
    source="GET /users/{userId}/actions/{action}/{idempotencyKey}",
    opt_in=True,
    columns=(
        *_ACTION_KEY,
        _STATE,
        time("createdAt", "When the action was tracked."),
        time("stateUpdatedAt", "When the state last changed."),
        text("verificationMethod", "Method that verified the attempt."),
        json("output", "Output of the rule engine: what `privacy_allow` names.", "free-form"),
        json("ruleIds", "Rules that fired, a list of ids."),
        text("priorityRuleId", "Rule that decided."),
        json("rules", "Rules that fired, as they were then, by priority."),
    ),
)

USER_DEVICES: Final = Table(
    name="user_devices",
    apis=("server",),
    key=("user_id", "device_id"),
    meaning="One row per device a user was seen on.",
    source="GET /users/{userId}/devices",
    columns=(
        _USER_ID,
        text("deviceId", "Authsignal's id of the device.", "device"),
        time("createdAt", "When the device was first seen."),
        time("authenticatedAt", "When it last authenticated."),
        time("invalidatedAt", "When it was invalidated."),
        time("rememberedUntil", "Until when it is trusted."),
        text("lastVerificationMethod", "Method last used on it."),
        DELETED_AT,
    ),
)

TENANT_AUTHENTICATORS: Final = Table(
    name="tenant_authenticators",
    apis=("server",),
    key=("authenticator_id",),
    history=True,
    meaning="One row per verification method the tenant has set up.",
    source="GET /authenticators",
    columns=(
        text("authenticatorId", "Authsignal's id of the configuration."),
        _METHOD,
        flag("isActive", "Whether users may use it."),
        flag("isEditableByUser", "Whether users may add or remove it."),
        flag("isHiddenToUser", "Whether users see it."),
        text("smsChannel", "DEFAULT or WHATSAPP."),
        DELETED_AT,
    ),
)

UNKNOWN_USER_IDS: Final = Table(
    name="unknown_user_ids",
    apis=("server",),
    key=("user_id",),
    meaning=(
        "One row per id that the roster named and Authsignal did not know at _read_at. An id that it knows by now has a"
        " row in users that was read later."
    ),
    source="GET /users/{userId}, which answers 200 with isEnrolled false for anybody",
    columns=(
        _USER_ID,
        Column(
            name="id_source",
            field=None,
            type="text",
            meaning="Where the id came from: listing, file, query, known, or named (--refresh-user).",
        ),
        Column(
            name="position",
            field=None,
            type="bigint",
            meaning="Line of the file, or row of the file or query; null for the others.",
        ),
    ),
)


TABLES: Final[dict[str, Table]] = {
    table.name: table
    for table in (
        USERS,
        USER_AUTHENTICATORS,
        USER_ACTIONS,
        USER_DEVICES,
        TENANT_AUTHENTICATORS,
        ACTION_DETAILS,
        UNKNOWN_USER_IDS,
        *CEREMONIES,
    )
}


PROVENANCE_NAMES: Final = frozenset(column.name for column in PROVENANCE)
