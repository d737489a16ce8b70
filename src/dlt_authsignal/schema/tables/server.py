"""TABLES: the registry of all tables, with their API, key, columns, meanings and kinds of personal data.

The source takes its hints from here, the documentation its table pages, and the sandbox its field names.
"""

from typing import Final

from dlt_authsignal.schema.columns import DELETED_AT, Column, Table, derived, flag, json, of_client, own, text, time
from dlt_authsignal.schema.tables.ceremonies import CEREMONIES
from dlt_authsignal.schema.tables.configuration import CONFIGURATION

PROVENANCE: Final = (
    Column(
        name="tenant_id",
        field=None,
        type="text",
        meaning="Tenant id from the settings or from the token; null if unknown.",
    ),
    Column(
        name="_api",
        field=None,
        type="text",
        meaning="API that the row was read from: server, client or management. For events: webhook.",
    ),
    Column(
        name="_read_at",
        field=None,
        type="timestamp",
        meaning="When the row was read. For events: when the event was last received.",
    ),
    Column(
        name="_row_hash",
        field=None,
        type="text",
        meaning="Hash of the row's values at Authsignal; equal while nothing changed.",
    ),
)

_USER_ID = text("userId", "Your own id of the user.", "user_id")
_EMAIL_DOMAIN = own("email_domain", "text", "Domain of the e-mail address.")
_PHONE_COUNTRY = own(
    "phone_number_country", "text", "Country of the phone number, ISO 3166-1 alpha-2; null without a country code."
)
_METHOD = text("verificationMethod", "Verification method: SMS, EMAIL_OTP, AUTHENTICATOR_APP, PASSKEY, … (open list).")

USERS: Final = Table(
    name="users",
    apis=("server",),
    key=("user_id",),
    history=True,
    meaning="One row per user: data from the user list and from the user record.",
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
        json("enrolledVerificationMethods", "List of the verification methods that the user has enrolled."),
        json("allowedVerificationMethods", "List of the verification methods that the user may use."),
        text("defaultVerificationMethod", "Verification method offered first."),
        json("custom", "Custom data points; only those listed in `privacy_allow`.", "free-form"),
        text("locale", "BCP 47 locale."),
        time("createdAt", "When the user was created. Only the user list returns it; the user record does not."),
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
        time("createdAt", "When the authenticator was created."),
        time("verifiedAt", "When it was first verified; null while enrolment is unfinished."),
        time("lastVerifiedAt", "When the user last passed a challenge with it."),
        of_client(flag("isDefault", "Whether it is offered first (Client API).")),
        text("email", "E-mail address that codes are sent to.", "email"),
        _EMAIL_DOMAIN,
        text("phoneNumber", "Phone number that codes are sent to.", "phone"),
        _PHONE_COUNTRY,
        text("username", "User name given at registration.", "name"),
        text("displayName", "Display name given at registration.", "name"),
        text("previousSmsChannel", "Channel of the last code: DEFAULT or WHATSAPP."),
        of_client(text("devicePlatform", "IOS, ANDROID, WEB (Client API).")),
        of_client(text("authenticatorAttachment", "platform or cross-platform (Client API).")),
        of_client(time("erroredAt", "When push delivery last failed (Client API).")),
        of_client(text("errorCode", "Why push delivery last failed (Client API).")),
        text(f"{_CREDENTIAL}.credentialId", "WebAuthn credential id.", "credential"),
        text(f"{_CREDENTIAL}.deviceId", "Device on which the passkey was created.", "device"),
        text(f"{_CREDENTIAL}.name", "Name of the credential: the provider's name, or one chosen by the user.", "name"),
        text(f"{_CREDENTIAL}.aaguid", "AAGUID: id of the authenticator's model; all zeros if not disclosed."),
        text(f"{_CREDENTIAL}.aaguidMapping.name", "Name of the passkey provider, found by the AAGUID."),
        flag(f"{_CREDENTIAL}.credentialBackedUp", "True for a synced (backed-up) passkey."),
        text(f"{_CREDENTIAL}.credentialDeviceType", "singleDevice or multiDevice."),
        text(f"{_CREDENTIAL}.authenticatorAttachment", "platform or cross-platform."),
        of_client(time(f"{_CREDENTIAL}.verifiedAt", "When the credential was verified (Client API).")),
        text(f"{_AGENT}.ua", "User agent at registration.", "user_agent"),
        text(f"{_AGENT}.browser.name", "Browser at registration."),
        text(f"{_AGENT}.browser.version", "Version of the browser."),
        text(f"{_AGENT}.browser.major", "Major version of the browser."),
        text(f"{_AGENT}.device.model", "Device model at registration."),
        text(f"{_AGENT}.device.type", "mobile, tablet, …; null on desktops."),
        text(f"{_AGENT}.device.vendor", "Device vendor."),
        text(f"{_AGENT}.engine.name", "Browser engine."),
        text(f"{_AGENT}.engine.version", "Version of the browser engine."),
        text(f"{_AGENT}.os.name", "Operating system at registration."),
        text(f"{_AGENT}.os.version", "Version of the operating system."),
        text(f"{_AGENT}.cpu.architecture", "Processor architecture."),
        DELETED_AT,
    ),
)

_ACTION_KEY = (
    _USER_ID,
    text("actionCode", "Action code: name of the action, such as signIn."),
    text("idempotencyKey", "Identifies one attempt of the action."),
)
_STATE = text("state", "ALLOW, BLOCK, CHALLENGE_REQUIRED, CHALLENGE_SUCCEEDED, … (open list).")

USER_ACTIONS: Final = Table(
    name="user_actions",
    apis=("server",),
    key=("user_id", "action_code", "idempotency_key"),
    meaning="One row per attempt of an action. Authsignal returns the last 30 days; older rows stay in the table.",
    source="GET /users/{userId}/actions",
    columns=(
        *_ACTION_KEY,
        time("createdAt", "When the action was tracked."),
        time("updatedAt", "When the row last changed."),
        _STATE,
        time("stateUpdatedAt", "When the state last changed."),
        text("verificationMethod", "Verification method used for the attempt."),
        text("verifiedByAuthenticatorId", "Id of the authenticator used for the attempt."),
        text("userAgent", "User agent.", "user_agent"),
        derived(
            "user_agent_os", "Operating system in the user agent: Windows, Mac OS, iOS, Android, …; null if unknown."
        ),
        derived("user_agent_browser", "Browser in the user agent: Chrome, Safari, Edge, Firefox, …; null if unknown."),
        text("ipAddress", "IP address.", "ip"),
        text("countryCode", "Country of the IP address, ISO 3166-1 alpha-2."),
    ),
)

ACTION_DETAILS: Final = Table(
    name="action_details",
    apis=("server",),
    key=("user_id", "action_code", "idempotency_key"),
    meaning="One row per attempt of an action, with the rules that fired. Needs one request per action.",
    source="GET /users/{userId}/actions/{action}/{idempotencyKey}",
    opt_in=True,
    columns=(
        *_ACTION_KEY,
        _STATE,
        time("createdAt", "When the action was tracked."),
        time("stateUpdatedAt", "When the state last changed."),
        text("verificationMethod", "Verification method used for the attempt."),
        json("output", "Output of the rule engine; only the keys listed in `privacy_allow`.", "free-form"),
        json("ruleIds", "List of the ids of the rules that fired."),
        text("priorityRuleId", "Id of the rule that decided."),
        json("rules", "Rules that fired, as they were at that time, by priority."),
    ),
)

USER_DEVICES: Final = Table(
    name="user_devices",
    apis=("server",),
    key=("user_id", "device_id"),
    meaning="One row per device that a user was seen on.",
    source="GET /users/{userId}/devices",
    columns=(
        _USER_ID,
        text("deviceId", "Authsignal's id of the device.", "device"),
        time("createdAt", "When the device was first seen."),
        time("authenticatedAt", "When the user last authenticated on the device."),
        time("invalidatedAt", "When the device was invalidated."),
        time("rememberedUntil", "When trust in the device ends."),
        text("lastVerificationMethod", "Verification method last used on the device."),
        DELETED_AT,
    ),
)

TENANT_AUTHENTICATORS: Final = Table(
    name="tenant_authenticators",
    apis=("server",),
    key=("authenticator_id",),
    history=True,
    meaning="One row per verification method that is configured for the tenant.",
    source="GET /authenticators",
    columns=(
        text("authenticatorId", "Authsignal's id of the authenticator configuration."),
        _METHOD,
        flag("isActive", "Whether users may use this method."),
        flag("isEditableByUser", "Whether users may add or remove this method."),
        flag("isHiddenToUser", "Whether this method is hidden from users."),
        text("smsChannel", "DEFAULT or WHATSAPP."),
        DELETED_AT,
    ),
)

UNKNOWN_USER_IDS: Final = Table(
    name="unknown_user_ids",
    apis=("server",),
    key=("user_id",),
    meaning=(
        "One row per requested user id for which Authsignal had no user at _read_at. If the user exists by now, users"
        " has a row with a later _read_at."
    ),
    source="GET /users/{userId}, which returns 200 with isEnrolled false for any id",
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
            meaning="Line or row of the file, or row of the query result; null for other sources.",
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
        *CONFIGURATION,
        *CEREMONIES,
    )
}


PROVENANCE_NAMES: Final = frozenset(column.name for column in PROVENANCE)
