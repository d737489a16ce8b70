"""Short-lived tokens: real JWTs, signed with the server secret, with the claims older SDKs decoded."""

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
    """What a token says: one attempt of one user.

    Attributes:
        user_id: Whose it is.
        action_code: Of which action.
        idempotency_key: Of which attempt.
        scopes: What it allows.
        expires_at: Unix seconds.
        claims: All of it.
    """

    user_id: str
    action_code: str
    idempotency_key: str
    scopes: frozenset[str]
    expires_at: float
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
) -> str:
    """A token for one attempt of one user."""
    issued = int(now.timestamp())
    claims = {
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
    return jwt.encode(claims, _key(config), algorithm="HS256")


def read(config: SandboxConfig, text: str) -> Token | None:
    """The token, also one that has expired; None when signature, form or tenant is wrong."""
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
            claims=claims,
        )
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
        return None


def _key(config: SandboxConfig) -> str:
    # HS256 wants 32 bytes or more; the sandbox's secrets may be shorter
    return config.api_secret_key.ljust(32, ".")
