"""The endpoints of the Client API, below `/client`."""

from typing import Final

from dlt_authsignal.api.endpoints import Auth, Endpoint, Scope, reading, writing

_AUTHENTICATORS: Final = "/client/user-authenticators"


def _bearer(name: str, path: str, scope: Scope | None = None, evidence: str = "sdk") -> Endpoint:
    return writing(name, "POST", f"/client{path}", auth="bearer", evidence=evidence, scope=scope)


def _post(name: str, path: str, auth: Auth, evidence: str = "sdk") -> Endpoint:
    return writing(name, "POST", f"/client{path}", auth=auth, evidence=evidence)


CLIENT_AUTHENTICATORS: Final = reading(
    "client_authenticators", _AUTHENTICATORS, auth="bearer", scope="read:authenticators"
)
JWKS: Final = reading("jwks", "/client/public/{tenantId}/.well-known/jwks", auth="none")

INITIATE_CHALLENGE: Final = _post("initiate_challenge", "/challenge", "tenant or bearer", "docs, sdk")
INITIATE_CHALLENGE_WEB: Final = _post("initiate_challenge_web", "/challenge/web", "tenant or bearer")
PASSKEY_KNOWN: Final = reading("passkey_known", f"{_AUTHENTICATORS}/passkey", auth="tenant", evidence="sdk")
PASSKEY_REGISTRATION_OPTIONS: Final = _bearer(
    "passkey_registration_options",
    "/user-authenticators/passkey/registration-options",
    "add:authenticators",
    "docs, sdk",
)
PASSKEY_REGISTRATION_OPTIONS_WEB: Final = _bearer(
    "passkey_registration_options_web",
    "/user-authenticators/passkey/registration-options/web",
    "add:authenticators",
)
PASSKEY_REGISTER: Final = _bearer("passkey_register", "/user-authenticators/passkey", "add:authenticators", "docs, sdk")
PASSKEY_AUTHENTICATION_OPTIONS: Final = _post(
    "passkey_authentication_options",
    "/user-authenticators/passkey/authentication-options",
    "tenant or bearer",
    "docs, sdk",
)
PASSKEY_AUTHENTICATION_OPTIONS_WEB: Final = _post(
    "passkey_authentication_options_web",
    "/user-authenticators/passkey/authentication-options/web",
    "tenant or bearer",
)
PASSKEY_VERIFY: Final = _post("passkey_verify", "/verify/passkey", "tenant or bearer", "docs, sdk")

SECURITY_KEY_REGISTRATION_OPTIONS: Final = _bearer(
    "security_key_registration_options", "/user-authenticators/security-key/registration-options", "add:authenticators"
)
SECURITY_KEY_REGISTER: Final = _bearer(
    "security_key_register", "/user-authenticators/security-key", "add:authenticators"
)
SECURITY_KEY_AUTHENTICATION_OPTIONS: Final = _bearer(
    "security_key_authentication_options", "/user-authenticators/security-key/authentication-options"
)
SECURITY_KEY_VERIFY: Final = _bearer("security_key_verify", "/verify/security-key")

SMS_ENROLL: Final = _bearer("sms_enroll", "/user-authenticators/sms", "add:authenticators", "docs, sdk")
SMS_CHALLENGE: Final = _bearer("sms_challenge", "/challenge/sms", evidence="docs, sdk")
SMS_VERIFY: Final = _bearer("sms_verify", "/verify/sms", evidence="docs, sdk")
EMAIL_OTP_ENROLL: Final = _bearer("email_otp_enroll", "/user-authenticators/email-otp", "add:authenticators")
EMAIL_OTP_CHALLENGE: Final = _bearer("email_otp_challenge", "/challenge/email-otp")
EMAIL_OTP_VERIFY: Final = _bearer("email_otp_verify", "/verify/email-otp")
EMAIL_MAGIC_LINK_ENROLL: Final = _bearer(
    "email_magic_link_enroll", "/user-authenticators/email-magic-link", "add:authenticators"
)
EMAIL_MAGIC_LINK_CHALLENGE: Final = _bearer("email_magic_link_challenge", "/challenge/email-magic-link")
EMAIL_MAGIC_LINK_FINALIZE: Final = _bearer("email_magic_link_finalize", "/verify/email-magic-link/finalize")
TOTP_ENROLL: Final = _bearer("totp_enroll", "/user-authenticators/totp", "add:authenticators", "docs, sdk")
TOTP_VERIFY: Final = _bearer("totp_verify", "/verify/totp", evidence="docs, sdk")
WHATSAPP_CHALLENGE: Final = _bearer("whatsapp_challenge", "/challenge/whatsapp")
WHATSAPP_VERIFY: Final = _bearer("whatsapp_verify", "/verify/whatsapp")

PUSH_CHALLENGE: Final = _bearer("push_challenge", "/challenge/push")
PUSH_VERIFY: Final = _bearer("push_verify", "/verify/push")
QR_CODE_CHALLENGE: Final = _post("qr_code_challenge", "/challenge/qr-code", "tenant or bearer")
QR_CODE_VERIFY: Final = _post("qr_code_verify", "/verify/qr-code", "tenant or bearer")
IN_APP_VERIFY: Final = _post("in_app_verify", "/verify/in-app", "tenant or bearer")

APP_KINDS: Final = ("push", "qr-code", "in-app")
"""Credentials of a mobile app: key pairs that the app stores and signs with."""

APP_ENROLL: Final = {
    kind: _bearer(f"{kind}_enroll", f"/user-authenticators/{kind}", "add:authenticators") for kind in APP_KINDS
}
APP_CREDENTIAL: Final = {
    kind: reading(f"{kind}_credential", f"{_AUTHENTICATORS}/{kind}", auth="tenant", evidence="sdk")
    for kind in APP_KINDS
}
APP_REMOVE: Final = {
    kind: _post(f"{kind}_remove", f"/user-authenticators/{kind}/remove", "tenant") for kind in APP_KINDS
}
PUSH_UPDATE: Final = writing("push_update", "PATCH", f"{_AUTHENTICATORS}/push", auth="tenant", evidence="sdk")
PUSH_SIGN: Final = _post("push_sign", "/user-authenticators/push/sign", "tenant")
PUSH_CHALLENGE_SIGN: Final = _post("push_challenge_sign", "/user-authenticators/push/challenge/sign", "tenant")
PUSH_PENDING: Final = reading("push_pending", f"{_AUTHENTICATORS}/push/challenge", auth="tenant", evidence="sdk")
APP_ANSWER: Final = {
    kind: _post(f"{kind}_answer", f"/user-authenticators/{kind}/challenge", "tenant") for kind in ("push", "qr-code")
}
QR_CODE_CLAIM: Final = _post("qr_code_claim", "/user-authenticators/qr-code/challenge/claim", "tenant")

SEED_PAGE_ALIASES: Final = (
    (
        _post("alias_challenge", "/user-authenticators/passkey/initiate-challenge", "tenant or bearer", "dltHub page"),
        INITIATE_CHALLENGE,
    ),
    (
        _post("alias_verify", "/user-authenticators/passkey/authentication", "tenant or bearer", "dltHub page"),
        PASSKEY_VERIFY,
    ),
    (
        _bearer("alias_register", "/user-authenticators/passkey/register", "add:authenticators", "dltHub page"),
        PASSKEY_REGISTER,
    ),
)
"""Paths that only dltHub's Authsignal page lists, each with the endpoint that the official SDKs call instead."""
