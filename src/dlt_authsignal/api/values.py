"""Values of Authsignal's enums, as its documentation and SDKs contain them. Both lists are open."""

from typing import Final

VERIFICATION_METHODS: Final = (
    "SMS",
    "EMAIL_OTP",
    "EMAIL_MAGIC_LINK",
    "AUTHENTICATOR_APP",
    "PASSKEY",
    "SECURITY_KEY",
    "PUSH",
    "DEVICE",
    "RECOVERY_CODE",
    "WHATSAPP",
    "QR_CODE",
    "IN_APP",
    "VERIFF",
    "IPROOV",
    "IDVERSE",
    "PALM_BIOMETRICS_RR",
    "ONFIDO",
    "APPLE_ID_TOKEN",
    "GOOGLE_ID_TOKEN",
    "DIGITAL_CREDENTIAL",
    "OIDC_PROVIDER",
)
"""Every method that Authsignal's documentation or SDKs contain."""

STATES: Final = (
    "ALLOW",
    "BLOCK",
    "CHALLENGE_REQUIRED",
    "CHALLENGE_SUCCEEDED",
    "CHALLENGE_FAILED",
    "REVIEW_REQUIRED",
    "REVIEW_SUCCEEDED",
    "REVIEW_FAILED",
)
"""States of an action."""

OUTCOMES: Final = ("ALLOW", "BLOCK", "CHALLENGE", "REVIEW")
"""Decisions of the rule engine."""
