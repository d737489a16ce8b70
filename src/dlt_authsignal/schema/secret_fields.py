"""Fields that are never loaded, in any table: secrets, and large fields without information."""

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
"""Names of secret fields that are never loaded in any table, in lower case without separators."""

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
"""Name endings that are never loaded either, so that secrets which Authsignal adds later are excluded too."""

BULKY_FIELDS: Final = frozenset({"svgiconlight", "svgicondark"})
"""Icons of `aaguidMapping`: large data URIs, repeated on every passkey of a provider."""


@lru_cache(maxsize=4096)
def is_secret(field: str) -> bool:
    """Return whether a field or column name is that of a secret."""
    plain = _plain(field)
    return (
        plain in SECRET_FIELDS or plain.endswith(SECRET_ENDINGS) or _plain(field.rpartition("__")[2]) in SECRET_FIELDS
    )


@lru_cache(maxsize=4096)
def is_withheld(field: str) -> bool:
    """Return whether a field is never loaded."""
    return is_secret(field) or _plain(field) in BULKY_FIELDS


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
