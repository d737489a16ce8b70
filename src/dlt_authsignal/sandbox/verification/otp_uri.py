"""Read `otpauth://totp/…` URIs: the secret and the parameters of an authenticator app that was enrolled elsewhere.

pyotp reads them too, but refuses secrets of fewer than 20 characters, while most issuers use 16. The format is that of
Google Authenticator's wiki: https://github.com/google/google-authenticator/wiki/Key-Uri-Format.
"""

import base64
import binascii
import re
from typing import Final
from urllib.parse import parse_qs, urlsplit

from dlt_authsignal.sandbox.core.refusals import invalid
from dlt_authsignal.sandbox.tenant.entities import Totp

ALGORITHMS: Final = ("SHA1", "SHA256", "SHA512")
DIGITS: Final = (6, 7, 8)
LONGEST_PERIOD: Final = 86_400

_SEPARATORS: Final = re.compile(r"[\s-]+")


def parse(uri: str) -> Totp:
    """Return the secret and the parameters of a URI. Issuer, label and unknown parameters are ignored.

    Example:
        >>> parse("otpauth://totp/Acme:ann?secret=jbsw y3dp ehpk 3pxp&digits=8")
        Totp(digits=8, period=30, algorithm='SHA1')

    Raises:
        Refusal: 400: not such a URI, or a parameter is invalid.
    """
    try:
        parts = urlsplit(uri.strip())
    except ValueError:
        raise invalid("otpUri is not a URI.") from None
    if parts.scheme.lower() != "otpauth" or parts.netloc.lower() != "totp":
        raise invalid("otpUri must begin with otpauth://totp/.")
    given = {name.lower(): values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    return Totp(
        secret=_secret(given.get("secret", "")),
        digits=_number(given, "digits", 6, DIGITS),
        period=_number(given, "period", 30, range(1, LONGEST_PERIOD + 1)),
        algorithm=_algorithm(given.get("algorithm", "SHA1")),
    )


def _secret(text: str) -> str:
    """Return the secret in the form that pyotp needs. Issuers also write small letters, groups and padding."""
    secret = _SEPARATORS.sub("", text).rstrip("=").upper()
    try:
        raw = base64.b32decode(secret + "=" * (-len(secret) % 8))
    except (binascii.Error, ValueError):
        raw = b""
    if not raw:
        raise invalid("otpUri needs a secret in base32.")
    return secret


def _number(given: dict[str, str], name: str, default: int, allowed: range | tuple[int, ...]) -> int:
    text = given.get(name, str(default))
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if number not in allowed:
        raise invalid(f"otpUri: {name} must be a whole number from {allowed[0]} to {allowed[-1]}.")
    return number


def _algorithm(text: str) -> str:
    name = text.upper().replace("-", "").removeprefix("HMAC")
    if name not in ALGORITHMS:
        raise invalid(f"otpUri: algorithm must be one of {', '.join(ALGORITHMS)}.")
    return name
