"""Short-lived tokens: real JWTs, signed with the server secret, with the claims older SDKs decoded."""

from datetime import datetime, timedelta
from typing import Any

import jwt

from dlt_authsignal.sandbox.config import SandboxConfig


def mint(
    config: SandboxConfig, now: datetime, *, user_id: str, action_code: str, idempotency_key: str, scope: str
) -> str:
    """A token for one attempt of one user."""
    issued = int(now.timestamp())
    return jwt.encode(
        {
            "iat": issued,
            "exp": issued + int(timedelta(minutes=config.token_minutes).total_seconds()),
            "iss": "https://api.authsignal.com",
            "aud": "https://api.authsignal.com",
            "sub": user_id,
            "scope": scope,
            "other": {
                "tenantId": config.tenant_id,
                "userId": user_id,
                "actionCode": action_code,
                "idempotencyKey": idempotency_key,
            },
        },
        _key(config),
        algorithm="HS256",
    )


def read(config: SandboxConfig, now: datetime, token: str) -> tuple[dict[str, Any] | None, bool]:
    """(claims, expired): claims are None when the signature or the form is wrong."""
    try:
        options: Any = {"verify_exp": False, "verify_aud": False, "verify_iat": False}
        claims: dict[str, Any] = jwt.decode(token, _key(config), algorithms=["HS256"], options=options)
        return claims, now.timestamp() >= float(claims["exp"])
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
        return None, False


def _key(config: SandboxConfig) -> str:
    # HS256 wants 32 bytes or more; the sandbox's secrets may be shorter
    return config.api_secret_key.ljust(32, ".")
