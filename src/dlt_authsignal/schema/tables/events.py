"""EVENT_TABLES: the tables of events that Authsignal reports by webhook, and the record of what was loaded."""

from dataclasses import replace
from typing import Final

from dlt_authsignal.schema.columns import Column, Table, json, own, text, time

_EVENT: Final = (
    own("event_id", "text", "Id of the event. Authsignal may deliver an event several times, always with this id."),
    own("event_time", "timestamp", "When Authsignal created the event."),
)
_USER_ID: Final = text("userId", "Your own id of the user.", "user_id")
_ACTION: Final = (
    _USER_ID,
    text("actionCode", "Action code: name of the action, such as signIn."),
    text("idempotencyKey", "Identifies one attempt of the action."),
)
_EMAIL_DOMAIN: Final = own("email_domain", "text", "Domain of the e-mail address.")
_PHONE_COUNTRY: Final = own(
    "phone_number_country", "text", "Country of the phone number, ISO 3166-1 alpha-2; null without a country code."
)


def _addresses(of: str) -> tuple[Column, ...]:
    return (
        text("email", f"E-mail address {of}.", "email"),
        _EMAIL_DOMAIN,
        text("phoneNumber", f"Phone number {of}.", "phone"),
        _PHONE_COUNTRY,
    )


def _renamed(name: str, column: Column) -> Column:
    return replace(column, name=name)


ACTION_LOG: Final = Table(
    name="action_log",
    apis=("webhook",),
    key=("event_id",),
    meaning="One row per `action.log_created` event: the state of one attempt of an action at one time. An attempt may"
    " have several.",
    source="webhook action.log_created",
    columns=(
        *_EVENT,
        *_ACTION,
        time("createdAt", "When the action was tracked."),
        time("updatedAt", "When the action last changed."),
        text("state", "ALLOW, BLOCK, CHALLENGE_REQUIRED, CHALLENGE_SUCCEEDED, … (open list)."),
        time("stateUpdatedAt", "When the state last changed."),
        text("outcome", "Decision of the rule engine: ALLOW, BLOCK, CHALLENGE or REVIEW. It never changes."),
        text("verificationMethod", "Verification method used for the attempt."),
        json("allowedVerificationMethods", "List of the verification methods that the user was offered."),
        json("rules", "Rules that fired."),
        text("priorityRuleId", "Id of the rule that decided."),
        text("ipAddress", "IP address.", "ip"),
        text("countryCode", "Country of the IP address, ISO 3166-1 alpha-2."),
        *_addresses("of the user"),
        json("customVariables", "Custom variables; only the keys listed in `privacy_allow`.", "free-form"),
    ),
)

CHALLENGE_LOG: Final = Table(
    name="challenge_log",
    apis=("webhook",),
    key=("event_id",),
    meaning="One row per `challenge.log_created` event: one step of a challenge, such as `SMS_SENT`.",
    source="webhook challenge.log_created",
    columns=(
        *_EVENT,
        *_ACTION,
        time("createdAt", "When the step happened."),
        _renamed("challenge_type", text("type", "The step: EMAIL_OTP_SENT, SMS_CODE_VALID, … (open list).")),
        text("verificationMethod", "Verification method of the challenge."),
        *_addresses("that a code was sent to"),
        text("errorDescription", "Description of the error.", "words"),
        text("statusCode", "Status code of the error."),
        json("data", "Further data of the step; only the keys listed in `privacy_allow`.", "free-form"),
    ),
)

AUTHENTICATOR_EVENTS: Final = Table(
    name="authenticator_events",
    apis=("webhook",),
    key=("event_id",),
    meaning="One row per event of an authenticator: `authenticator.created`, `.updated` or `.deleted`.",
    source="webhook authenticator.created, authenticator.updated, authenticator.deleted",
    columns=(
        *_EVENT,
        own("event_type", "text", "authenticator.created, authenticator.updated or authenticator.deleted."),
        _USER_ID,
        text("userAuthenticatorId", "Authsignal's id of the authenticator."),
        text("verificationMethod", "Verification method: SMS, EMAIL_OTP, PASSKEY, … (open list)."),
        time("createdAt", "When the authenticator was created."),
        *_addresses("that codes are sent to"),
        text("credentialId", "WebAuthn credential id of a passkey.", "credential"),
        text("aaguid", "AAGUID: id of the authenticator's model; all zeros if not disclosed."),
        text("credentialName", "Name of the passkey: the provider's name, or one chosen by the user.", "name"),
    ),
)

UNKNOWN_EVENTS: Final = Table(
    name="unknown_events",
    apis=("webhook",),
    key=("event_id",),
    meaning="One row per event that no other table has: of a type that this version does not know, or without the form"
    " of its type.",
    source="webhook, any other type",
    columns=(
        own("event_id", "text", "Id of the event; if it has none, a hash of the event."),
        own("event_time", "timestamp", "When Authsignal created the event; null if the event has no valid time."),
        own("event_type", "text", "Type of the event; null if it has none."),
        own("user_id", "text", "Your own id of the user; null if the event has none.", "user_id"),
        own("payload", "json", "The content of the event."),
    ),
)

EVENT_TABLES: Final[dict[str, Table]] = {
    table.name: table for table in (ACTION_LOG, CHALLENGE_LOG, AUTHENTICATOR_EVENTS, UNKNOWN_EVENTS)
}

EVENT_FILES: Final = Table(
    name="event_files",
    apis=("webhook",),
    key=("file",),
    meaning="One row per file of the spool that was loaded.",
    source="no API: the pipeline writes this table",
    columns=(
        own("file", "text", "Name of the file in the spool."),
        own("table_name", "text", "Table that its rows were loaded into."),
        own("received_at", "timestamp", "When the delivery was received."),
        own("records", "bigint", "Number of events in the file, copies included."),
        own("size_bytes", "bigint", "Size of the file."),
        own("loaded_at", "timestamp", "When the file was last loaded."),
    ),
)
