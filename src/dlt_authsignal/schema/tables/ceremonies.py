"""Tables of the five opt-in passkey calls."""

from typing import Final

from dlt_authsignal.schema.columns import Column, Table, own

_CALL_ID = Column(name="call_id", field=None, type="text", meaning="Random id, one for each call.")


_CALL: Final = (
    _CALL_ID,
    own("called_at", "timestamp", "When the call was made."),
    own("endpoint", "text", "HTTP method and path."),
    own(
        "authenticated_with",
        "text",
        "token: with a user's token (MFA). tenant: with the tenant id only (sign-in, no user yet).",
    ),
    own("status", "bigint", "HTTP status; null if no response came or the call was not made."),
    own("milliseconds", "double", "Time from sending the request to the end of its response."),
    own("error_code", "text", "Authsignal's error code, or the DOMException name if the authenticator refused."),
    own("error_description", "text", "Description of the error.", "words"),
)


_CHALLENGE_HASH = own("challenge_hash", "text", "Hash of the challenge id. Equal hashes mean the same challenge.")


_ACTION = own("action", "text", "Action code of the sign-in.")


_OPTIONS: Final = (
    own("rp_id", "text", "Relying party id of the passkeys."),
    own("timeout_ms", "bigint", "Time limit for the browser, in milliseconds."),
    own("user_verification", "text", "required, preferred or discouraged."),
)


_VERIFIED: Final = (
    own("is_verified", "bool", "Whether Authsignal accepted the passkey."),
    own("user_id", "text", "User who owns the passkey.", "user_id"),
    own("user_authenticator_id", "text", "Authsignal's id of the passkey."),
)


def _ceremony(name: str, meaning: str, source: str, *columns: Column) -> Table:
    return Table(
        name=name,
        apis=("client",),
        key=("call_id",),
        source=source,
        columns=(*_CALL, *columns),
        meaning=meaning,
        opt_in=True,
    )


PASSKEY_INITIATE_CHALLENGE: Final = _ceremony(
    "passkey_initiate_challenge",
    "One row per challenge started for a passkey sign-in. The call changes Authsignal: it creates a challenge.",
    "POST /client/challenge",
    _CHALLENGE_HASH,
    _ACTION,
)


PASSKEY_AUTHENTICATION_OPTIONS: Final = _ceremony(
    "passkey_authentication_options",
    "One row per request for sign-in options. The call changes Authsignal: it creates a challenge.",
    "POST /client/user-authenticators/passkey/authentication-options",
    _CHALLENGE_HASH,
    _ACTION,
    *_OPTIONS,
    own("allowed_credential_ids", "json", "Credential ids that may sign in; empty means any.", "credential"),
)


PASSKEY_VERIFY_AUTHENTICATION: Final = _ceremony(
    "passkey_verify_authentication",
    "One row per verification of a passkey sign-in. The call changes Authsignal: it completes the challenge and"
    " signs the user in.",
    "POST /client/verify/passkey",
    _ACTION,
    *_VERIFIED,
)


PASSKEY_REGISTER_OPTIONS: Final = _ceremony(
    "passkey_register_options",
    "One row per request for registration options. The call changes Authsignal: it creates a challenge.",
    "POST /client/user-authenticators/passkey/registration-options",
    _CHALLENGE_HASH,
    *_OPTIONS,
    own("rp_name", "text", "Display name of the relying party."),
    own("resident_key", "text", "required, preferred or discouraged."),
    own("authenticator_attachment", "text", "platform or cross-platform; null for either."),
    own("attestation", "text", "none, indirect, direct or enterprise."),
    own("algorithms", "json", "Accepted signature algorithms as COSE numbers, preferred first."),
    own("excluded_credential_ids", "json", "Credential ids that must not be enrolled again.", "credential"),
    own("user_id", "text", "User who will own the passkey.", "user_id"),
)


PASSKEY_REGISTER: Final = _ceremony(
    "passkey_register",
    "One row per passkey registration. The call changes Authsignal: it enrols the passkey.",
    "POST /client/user-authenticators/passkey",
    *_VERIFIED,
)


CEREMONIES: Final = (
    PASSKEY_INITIATE_CHALLENGE,
    PASSKEY_AUTHENTICATION_OPTIONS,
    PASSKEY_VERIFY_AUTHENTICATION,
    PASSKEY_REGISTER_OPTIONS,
    PASSKEY_REGISTER,
)
"""The five passkey calls of the Client API, with the resource names of dltHub's Authsignal page."""
