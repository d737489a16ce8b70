"""Fields that are never loaded, wherever they turn up: secrets, and what is large and says nothing."""

from functools import lru_cache
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
        "passcode",
        "pin",
        "seed",
        "secretvalue",
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


@lru_cache(maxsize=4096)
def is_secret(field: str) -> bool:
    """Whether a field, or the column it would be, holds a secret."""
    plain = _plain(field)
    return (
        plain in SECRET_FIELDS or plain.endswith(SECRET_ENDINGS) or _plain(field.rpartition("__")[2]) in SECRET_FIELDS
    )


@lru_cache(maxsize=4096)
def is_withheld(field: str) -> bool:
    """Whether a field is never loaded."""
    return is_secret(field) or _plain(field) in BULKY_FIELDS


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
