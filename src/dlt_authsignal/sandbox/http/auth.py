"""Authentication: the four schemes of the `Authorization` header, and the scopes of a token."""

import base64
import hmac
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from dlt_authsignal.api.endpoints import Endpoint
from dlt_authsignal.sandbox.core.refusals import Refusal, expired_token, unauthorized
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.sessions.tokens import Token, read


@dataclass(frozen=True)
class Caller:
    """The caller: the holder of a key, or of a user's token."""

    token: Token | None = None

    @property
    def user(self) -> Token:
        """The token, on routes that accept only a token."""
        if self.token is None:
            raise unauthorized()
        return self.token


_KEY_HOLDER: Final = Caller()


def authenticate(sandbox: Sandbox, endpoint: Endpoint, header: str) -> Caller:
    """Return the caller, if the endpoint accepts this header.

    Raises:
        Refusal: 401 for a missing or wrong key or token, 403 for a token without the scope.
    """
    config = sandbox.config
    match endpoint.auth:
        case "none":
            return _KEY_HOLDER
        case "server":
            return _key_holder(header, config.api_secret_key)
        case "management":
            return _key_holder(header, config.management_secret_key)
        case "tenant":
            return _tenant(header, config.tenant_id)
        case "bearer":
            return _bearer(sandbox, endpoint, header)
        case "tenant or bearer":
            if header[:7].lower() == "bearer ":
                return _bearer(sandbox, endpoint, header)
            return _tenant(header, config.tenant_id)


def _key_holder(header: str, secret: str) -> Caller:
    name = _basic(header)
    if name is None or not name.endswith(":") or not _same(name[:-1], secret):
        raise unauthorized()
    return _KEY_HOLDER


def _tenant(header: str, tenant_id: str) -> Caller:
    """Mobile SDKs send `tenantId:`, the browser SDK percent-encodes the id and leaves the colon out."""
    name = _basic(header)
    if name is None or not _same(unquote(name.removesuffix(":")), tenant_id):
        raise unauthorized()
    return _KEY_HOLDER


def _basic(header: str) -> str | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except ValueError:  # not base64, not ASCII, or not UTF-8 inside
        return None


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _bearer(sandbox: Sandbox, endpoint: Endpoint, header: str) -> Caller:
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "bearer":
        raise unauthorized()
    now = sandbox.clock.now()
    token = read(sandbox.config, text)
    if token is None:
        raise unauthorized()
    if token.expires_at <= now.timestamp():
        raise expired_token()
    if endpoint.scope and endpoint.scope not in token.scopes:
        # the required scope is documented, the response without it is not
        raise Refusal(
            sandbox.config.missing_scope_status, "unauthorized", f"The token does not have the scope {endpoint.scope}."
        )
    return Caller(token)
