"""Fields that are never loaded, wherever they turn up: secrets, and what is large and says nothing."""

from typing import Final

SECRET_FIELDS: Final = frozenset(
    {
        "otpbinding",
        "otpuri",
        "secret",
        "totpsecret",
        "token",
        "tokenpayload",
        "accesstoken",
        "refreshtoken",
        "recoverycode",
        "recoverycodes",
        "pushtoken",
        "devicecode",
        "challenge",
        "challengeid",
        "verificationcode",
        "apisecretkey",
        "password",
    }
)
"""Fields that are never loaded wherever they turn up, lower-case without separators."""

SECRET_ENDINGS: Final = (
    "token",
    "tokens",
    "secret",
    "secrets",
    "secretkey",
    "privatekey",
    "apikey",
    "password",
    "credentials",
    "recoverycodes",
)
"""Ends of names that are never loaded either, so that a secret Authsignal adds later stays out."""

BULKY_FIELDS: Final = frozenset({"svgiconlight", "svgicondark"})
"""Icons of `aaguidMapping`: large data URIs repeated on every passkey of one provider."""
