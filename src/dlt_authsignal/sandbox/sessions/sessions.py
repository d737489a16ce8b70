"""Sessions: RS256 access tokens with a published key, and refresh tokens that work once."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final

import jwt

from dlt_authsignal.sandbox.sessions.tokens import ISSUER

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

ACCESS_MINUTES: Final = 60
"""Lifetime of an access token; real tenants set it for each app client."""

REFRESH_DAYS: Final = 30

ALGORITHM: Final = "RS256"


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """One session of one user with one app client."""

    session_id: str
    user_id: str
    client_id: str
    verification_method: str
    refresh_token: str
    refresh_until: datetime
    revoked: bool = False
    version: int = 0


class Keys:
    """The tenant's RSA key, created on first use.

    Args:
        pem: An earlier key as unencrypted PEM. None: a new one.
    """

    def __init__(self, pem: str | None = None) -> None:
        if pem is not None:
            self.private = _loaded(pem)

    @cached_property
    def private(self) -> "RSAPrivateKey":
        from cryptography.hazmat.primitives.asymmetric import rsa

        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def pem(self) -> str | None:
        """The key as unencrypted PEM, None if none was needed yet."""
        if "private" not in vars(self):
            return None
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @cached_property
    def jwk(self) -> dict[str, Any]:
        """The public key as a JWK."""
        from jwt.algorithms import RSAAlgorithm

        key: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(self.private.public_key()))
        thumbprint = json.dumps({name: key[name] for name in ("e", "kty", "n")}, separators=(",", ":"))
        digest = base64.urlsafe_b64encode(hashlib.sha256(thumbprint.encode()).digest()).decode().rstrip("=")
        return {"kty": key["kty"], "n": key["n"], "e": key["e"], "use": "sig", "alg": ALGORITHM, "kid": digest}


def _loaded(pem: str) -> "RSAPrivateKey":
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("not an RSA key")
    return key


MOST_KEYS: Final = 1_000


@lru_cache(maxsize=MOST_KEYS)
def keys_of(tenant_id: str) -> Keys:
    """Return the key pair of a tenant id, one for a process, because creating one takes a tenth of a second."""
    return Keys()


class Sessions:
    """All sessions of a tenant."""

    def __init__(self, known: dict[str, Session] | None = None, *, keys: Keys) -> None:
        self._known = dict(known or {})
        self.keys = keys

    def copy(self) -> "Sessions":
        return Sessions(self._known, keys=self.keys)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._known.values()))

    def put(self, session: Session) -> Session:
        self._known[session.session_id] = session
        return session

    def by_refresh_token(self, token: str, now: datetime) -> Session | None:
        for session in self._known.values():
            if session.refresh_token == token and not session.revoked and now < session.refresh_until:
                return session
        return None

    def by_access_token(self, claims: dict[str, Any]) -> Session | None:
        """Return the session of a token unless the session was revoked or the token replaced."""
        session = self._known.get(str(claims.get("sid")))
        return session if session and not session.revoked and session.version == claims.get("ver") else None

    def revoke(self, session: Session) -> None:
        self.put(replace(session, revoked=True))

    def revoke_user(self, user_id: str) -> None:
        for session in list(self._known.values()):
            if session.user_id == user_id:
                self.revoke(session)


def access_token(session: Session, now: datetime, tenant_id: str, keys: Keys) -> str:
    """Create an access token of the session. Its audience is the app client."""
    issued = int(now.timestamp())
    claims = {
        "iat": issued,
        "exp": issued + int(timedelta(minutes=ACCESS_MINUTES).total_seconds()),
        "iss": ISSUER,
        "aud": session.client_id,
        "sub": session.user_id,
        "sid": session.session_id,
        "ver": session.version,
        "tenantId": tenant_id,
        "verificationMethod": session.verification_method,
    }
    return jwt.encode(claims, keys.private, algorithm=ALGORITHM, headers={"kid": keys.jwk["kid"]})


def read_access_token(text: str, keys: Keys) -> dict[str, Any] | None:
    """Return the claims of an access token, expired or not. None if its signature or form is wrong."""
    options: Any = {"verify_exp": False, "verify_aud": False, "verify_iat": False}
    try:
        claims: dict[str, Any] = jwt.decode(text, keys.private.public_key(), algorithms=[ALGORITHM], options=options)
        return claims
    except (jwt.InvalidTokenError, ValueError, TypeError):
        return None
