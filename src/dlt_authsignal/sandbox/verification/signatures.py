"""Signatures of mobile apps, as Authsignal's iOS and Android SDKs make them.

An app's public key is base64 of a DER SubjectPublicKeyInfo. A signature is base64 of an ECDSA signature (P-256,
SHA-256, DER) over the UTF-8 text of a challenge id, of a message from the API, or, where an app removes
itself, of the current ten minutes. Assumed: RSA keys (PKCS #1 v1.5, SHA-256) are accepted too; no official SDK makes
them.
"""

import base64
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from dlt_authsignal.sandbox.core.base64_text import decoded

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

REMOVAL_WINDOW: Final = timedelta(minutes=10)
"""Unit of time in the signature with which an app removes itself."""

MIN_RSA_BITS: Final = 2048


def canonical(text: str) -> str | None:
    """Return a public key in the form in which it is stored, None if the text is not a key.

    Bodies contain the key's base64. For a query the SDKs encode that text again, Android in base64, iOS in base64url.
    """
    return _kept(text) or _kept(_inner(text))


def _kept(text: str) -> str | None:
    der = _bytes(text)
    return base64.b64encode(der).decode() if _key(der) else None


def _inner(text: str) -> str:
    return _bytes(text).decode("ascii", "replace")


def _bytes(text: str) -> bytes:
    return decoded(text.replace(" ", "+")) or b""  # a query's + arrives as a space


def _key(der: bytes) -> "EllipticCurvePublicKey | RSAPublicKey | None":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, EllipticCurvePublicKey):
        return key if isinstance(key.curve, SECP256R1) else None
    return key if isinstance(key, RSAPublicKey) and key.key_size >= MIN_RSA_BITS else None


def is_signed(public_key: str, message: str, signature: str) -> bool:
    """Return whether the holder of a public key, in its stored form, signed that message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    key = _key(_bytes(public_key))
    try:
        if key is None:
            return False
        if isinstance(key, EllipticCurvePublicKey):
            key.verify(_bytes(signature), message.encode(), ECDSA(SHA256()))
        else:
            key.verify(_bytes(signature), message.encode(), PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def removal_message(now: datetime) -> str:
    """Return the text that an app signs to remove itself: the number of ten minutes since 1970, such as `2973024.0`."""
    return f"{now.timestamp() // REMOVAL_WINDOW.total_seconds():.1f}"
