"""Short-lived tokens: JWTs signed with the Server API secret, with the claims that older SDKs decoded."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import jwt

from dlt_authsignal.sandbox.core.config import SandboxConfig

ISSUER: Final = "https://api.authsignal.com"
READ: Final = "read:authenticators"
MANAGE: Final = "read:authenticators add:authenticators update:authenticators remove:authenticators"


@dataclass(frozen=True, kw_only=True)
class Token:
    """A decoded token. It belongs to one attempt of one user.

    Attributes:
        user_id: The user.
        action_code: The action.
        idempotency_key: The attempt.
        scopes: The permissions.
        expires_at: Expiry in Unix seconds.
        version: How often a user with this id had been deleted when the token was created.
        claims: All claims.
    """

    user_id: str
    action_code: str
    idempotency_key: str
    scopes: frozenset[str]
    expires_at: float
    version: int
    claims: dict[str, Any]


def mint(
    config: SandboxConfig,
    now: datetime,
    *,
    user_id: str,
    action_code: str,
    idempotency_key: str,
    scope: str,
    minutes: float | None = None,
    version: int = 0,
) -> str:
    """Create a token for one attempt of one user."""
    issued = int(now.timestamp())
    claims: dict[str, Any] = {
        "iat": issued,
        "exp": issued + int(timedelta(minutes=minutes or config.token_minutes).total_seconds()),
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": user_id,
        "scope": scope,
        "other": {
            "tenantId": config.tenant_id,
            "userId": user_id,
            "actionCode": action_code,
            "idempotencyKey": idempotency_key,
        },
    }
    if version:
        claims["ver"] = version
    return jwt.encode(claims, _key(config), algorithm="HS256")


def read(config: SandboxConfig, text: str) -> Token | None:
    """Decode a token, expired or not. None if its signature, form or tenant is wrong."""
    options: Any = {"verify_exp": False, "verify_aud": False, "verify_iat": False, "verify_nbf": False}
    try:
        claims: dict[str, Any] = jwt.decode(text, _key(config), algorithms=["HS256"], options=options)
        other = claims["other"]
        if other["tenantId"] != config.tenant_id:
            return None
        return Token(
            user_id=str(claims["sub"]),
            action_code=str(other["actionCode"]),
            idempotency_key=str(other["idempotencyKey"]),
            scopes=frozenset(str(claims["scope"]).split()),
            expires_at=float(claims["exp"]),
            version=int(claims.get("ver", 0)),
            claims=claims,
        )
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
        return None


def _key(config: SandboxConfig) -> str:
    # HS256 needs at least 32 bytes, and the sandbox's secrets may be shorter
    return config.api_secret_key.ljust(32, ".")
