"""Passkeys as an authenticator stores them, and the operations on their keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from hashlib import sha256
from typing import Any

from dlt_authsignal.errors import ExtraMissing
from dlt_authsignal.passkey.options import decoded, encoded

try:
    import cbor2
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
    )
except ModuleNotFoundError as missing:
    raise ExtraMissing("A software passkey", "sandbox") from missing

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

ALGORITHMS = {"ES256": -7, "EdDSA": -8, "RS256": -257}
"""Signature algorithms of a software passkey: name to COSE number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """One passkey as the authenticator stores it. `sign_count` is the last reported counter."""

    credential_id: bytes
    rp_id: str
    user_handle: bytes
    user_name: str
    user_display_name: str
    discoverable: bool
    sign_count: int
    private_key: PrivateKey = field(repr=False)


def new_key(algorithm: int) -> PrivateKey:
    """Generate a key for one of the numbers in ALGORITHMS."""
    if algorithm == ALGORITHMS["ES256"]:
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == ALGORITHMS["EdDSA"]:
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def cose_key(key: PrivateKey) -> tuple[int, bytes]:
    """Return (COSE algorithm, COSE key as CBOR) of the public key."""
    parameters = _cose_parameters(key)
    return parameters[3], cbor2.dumps(parameters)


def _cose_parameters(key: PrivateKey) -> dict[int, Any]:
    # in CTAP2's canonical order; a dict and CBOR keep the order
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_numbers()
        return {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {1: 1, 3: -8, -1: 6, -2: key.public_key().public_bytes_raw()}
    numbers = key.public_key().public_numbers()
    return {1: 3, 3: -257, -1: numbers.n.to_bytes(key.key_size // 8, "big"), -2: numbers.e.to_bytes(3, "big")}


def spki(key: PrivateKey) -> bytes:
    """Return the public key as DER SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sign(key: PrivateKey, data: bytes, client_data: bytes, *, spoil: bool = False) -> bytes:
    """Sign an assertion or self attestation. With `spoil`, the signature is well formed but signs other bytes."""
    message = data + sha256(client_data).digest() + (b"spoiled" if spoil else b"")
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(SHA256()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    return key.sign(message, padding.PKCS1v15(), SHA256())


def attestation_object(data: bytes, algorithm: int, signature: bytes | None) -> bytes:
    """Return the attestation object as CBOR: packed self attestation, or format "none" without a signature."""
    statement = {} if signature is None else {"alg": algorithm, "sig": signature}
    return cbor2.dumps({"fmt": "packed" if statement else "none", "attStmt": statement, "authData": data})


def pem_of(key: PrivateKey) -> str:
    """Return a private key as unencrypted PEM (PKCS 8)."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def key_of(pem: str) -> PrivateKey:
    """Return the private key from unencrypted PEM.

    Raises:
        TypeError, ValueError: It is not a key of one of the algorithms in ALGORITHMS.
    """
    try:
        key = load_pem_private_key(pem.encode(), None)
    except UnsupportedAlgorithm as unknown:
        raise ValueError("a key that new_key() does not make") from unknown
    other_curve = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name != "secp256r1"
    if other_curve or not isinstance(key, PrivateKey):
        raise ValueError("a key that new_key() does not make")
    return key


def exported(credential: Credential) -> dict[str, Any]:
    """Return the credential, including its private key, as a dict that can be written as JSON."""
    kept = {entry.name: getattr(credential, entry.name) for entry in fields(credential)}
    return {
        **kept,
        "credential_id": encoded(credential.credential_id),
        "user_handle": encoded(credential.user_handle),
        "private_key": pem_of(credential.private_key),
    }


def imported(kept: Mapping[str, Any]) -> Credential:
    """Return the credential from a dict made by `exported`.

    Raises:
        KeyError, TypeError, ValueError, OptionsUnusable: The dict was not made by `exported`.
    """
    key = key_of(kept["private_key"])
    return Credential(
        **{
            **kept,
            "credential_id": decoded(kept, "credential_id"),
            "user_handle": decoded(kept, "user_handle"),
            "private_key": key,
        }
    )
