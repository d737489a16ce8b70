"""Tables of the five passkey calls."""

from typing import Final

from dlt_authsignal.schema.columns import Column, Table, own

_CALL_ID = Column(name="call_id", field=None, type="text", meaning="Made up by the pipeline, one for each call.")


_CALL: Final = (
    _CALL_ID,
    own("called_at", "timestamp", "When the call was made."),
    own("endpoint", "text", "Method and path that was called."),
    own("authenticated_with", "text", "token: the user was known (MFA); tenant: nobody was known yet (sign-in)."),
    own("status", "bigint", "HTTP status; null if no answer came, or the call could not be made."),
    own("milliseconds", "double", "From sending the request to having read its answer."),
    own("error_code", "text", "Authsignal's error code, or the browser's name of what the authenticator refused."),
    own("error_description", "text", "The same in words.", "words"),
)


_CHALLENGE_HASH = own("challenge_hash", "text", "Tells challenges apart: a hash of the challenge's id.")


_ACTION = own("action", "text", "Action code of the sign-in.")


_OPTIONS: Final = (
    own("rp_id", "text", "Relying party that passkeys belong to."),
    own("timeout_ms", "bigint", "How long the browser may take."),
    own("user_verification", "text", "required, preferred or discouraged."),
)


_VERIFIED: Final = (
    own("is_verified", "bool", "Whether Authsignal accepted the passkey."),
    own("user_id", "text", "Whose passkey it is.", "user_id"),
    own("user_authenticator_id", "text", "The passkey's id at Authsignal."),
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
    "One row per challenge begun for a passkey sign-in. Changes Authsignal: it makes a challenge.",
    "POST /client/challenge",
    _CHALLENGE_HASH,
    _ACTION,
)


PASSKEY_AUTHENTICATION_OPTIONS: Final = _ceremony(
    "passkey_authentication_options",
    "One row per request for what a passkey has to sign. Changes Authsignal: it makes a challenge.",
    "POST /client/user-authenticators/passkey/authentication-options",
    _CHALLENGE_HASH,
    _ACTION,
    *_OPTIONS,
    own("allowed_credential_ids", "json", "Credentials that may answer; empty for any.", "credential"),
)


PASSKEY_VERIFY_AUTHENTICATION: Final = _ceremony(
    "passkey_verify_authentication",
    "One row per answer of a passkey. Changes Authsignal: it uses the challenge up, and signs a user in.",
    "POST /client/verify/passkey",
    _ACTION,
    *_VERIFIED,
)


PASSKEY_REGISTER_OPTIONS: Final = _ceremony(
    "passkey_register_options",
    "One row per request for what a new passkey has to be. Changes Authsignal: it makes a challenge.",
    "POST /client/user-authenticators/passkey/registration-options",
    _CHALLENGE_HASH,
    *_OPTIONS,
    own("rp_name", "text", "The relying party's name, as shown."),
    own("resident_key", "text", "required, preferred or discouraged."),
    own("authenticator_attachment", "text", "platform or cross-platform; null for either."),
    own("attestation", "text", "none, indirect, direct or enterprise."),
    own("algorithms", "json", "Signature algorithms accepted, COSE numbers, the preferred one first."),
    own("excluded_credential_ids", "json", "Credentials that must not be enrolled again.", "credential"),
    own("user_id", "text", "Whose passkey it is to be.", "user_id"),
)


PASSKEY_REGISTER: Final = _ceremony(
    "passkey_register",
    "One row per passkey made. Changes Authsignal: it enrols the passkey.",
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
"""The five ceremony calls of the Client API, as the dltHub page names them."""
