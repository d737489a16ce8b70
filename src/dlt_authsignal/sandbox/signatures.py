"""Signatures of mobile apps: a key pair that the app holds, of which Authsignal keeps the public half.

What exactly an app signs is not published. Here it signs the UTF-8 text that `…/sign` gave it, or else the id of the
challenge it answers, or else its own public key, with ECDSA or RSASSA-PKCS1-v1_5 over SHA-256, in base64.
"""

import base64
import binascii

from dlt_authsignal.sandbox.refusals import Refusal, invalid


def check_public_key(public_key: str) -> None:
    """Refuses what is not a base64 DER public key (SPKI) of an elliptic curve or RSA."""
    _load(public_key)


def check_signature(public_key: str, signature: str, message: str) -> None:
    """Refuses a signature that the key's owner did not make.

    Raises:
        Refusal: 401 `unauthorized`.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding

    key = _load(public_key)
    wrong = Refusal(401, "unauthorized", "The signature is not the app's.")
    try:
        raw = base64.b64decode(signature, validate=True)
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(raw, message.encode(), ec.ECDSA(hashes.SHA256()))
        else:
            key.verify(raw, message.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        raise wrong from None


def _load(public_key: str):  # type: ignore[no-untyped-def] # either kind of key
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(base64.b64decode(public_key, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, (ec.EllipticCurvePublicKey, rsa.RSAPublicKey)):
        raise invalid("publicKey is not a base64 DER public key (SPKI) of an elliptic curve or RSA.")
    return key
