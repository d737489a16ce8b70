"""Authentication: the four schemes of the `Authorization` header, and the scopes of a token."""

import hmac
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from dlt_authsignal.api.endpoints import Endpoint
from dlt_authsignal.sandbox.core.base64_text import decoded
from dlt_authsignal.sandbox.core.refusals import Refusal, expired_token, unauthorized
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.sessions.tokens import Token


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


def authenticate_path(sandbox: Sandbox, path: str, header: str) -> None:
    """Authenticate a call of a path that has no route, as the API of that path would: Authsignal routes afterwards.

    Args:
        sandbox: The sandbox.
        path: The path below `/v1`.
        header: The `Authorization` header.

    Raises:
        Refusal: 401, as `authenticate` does. The Client API accepts the tenant id, and any token.
    """
    if path.startswith("/client/public/"):
        return
    if _is_below(path, "/management"):
        _key_holder(header, sandbox.config.management_secret_key)
    elif not _is_below(path, "/client"):
        _key_holder(header, sandbox.config.api_secret_key)
    elif header[:7].lower() == "bearer ":
        _bearer(sandbox, None, header)
    else:
        _tenant(header, sandbox.config.tenant_id)


def _is_below(path: str, start: str) -> bool:
    return path == start or path.startswith(f"{start}/")


def _key_holder(header: str, secret: str) -> Caller:
    name = basic_name(header)
    if name is None or not _same(name, secret):
        raise unauthorized()
    return _KEY_HOLDER


def _tenant(header: str, tenant_id: str) -> Caller:
    """The browser SDK percent-encodes the id."""
    name = basic_name(header)
    if name is None or not _same(unquote(name), tenant_id):
        raise unauthorized()
    return _KEY_HOLDER


def basic_name(header: str) -> str | None:
    """Return the user name. SDKs send it in both alphabets of base64, and the browser SDK leaves the colon out."""
    scheme, _, encoded = header.partition(" ")
    value = decoded(encoded.strip(" ")) if scheme.lower() == "basic" else None
    try:
        return None if value is None else value.decode().removesuffix(":")
    except UnicodeDecodeError:
        return None


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _bearer(sandbox: Sandbox, endpoint: Endpoint | None, header: str) -> Caller:
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "bearer":
        raise unauthorized()
    now = sandbox.clock.now()
    token = sandbox.token(text)
    if token is None:
        raise unauthorized()
    if token.expires_at <= now.timestamp():
        raise expired_token()
    if endpoint and endpoint.scope and endpoint.scope not in token.scopes:
        # the required scope is documented, the response without it is not
        raise Refusal(
            sandbox.config.missing_scope_status, "unauthorized", f"The token does not have the scope {endpoint.scope}."
        )
    return Caller(token)
