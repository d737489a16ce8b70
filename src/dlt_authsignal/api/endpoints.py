"""Regions, authentication schemes, what an endpoint is, and the endpoints of the Server API.

The `evidence` of each route: `docs` official documentation, `sdk` source of an official SDK, `live` an official SDK's
own test against the live API, `cli` the community's command-line tool.
"""

import base64
import re
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Final, Literal
from urllib.parse import quote

REGIONS: Final = {
    "us": "https://api.authsignal.com/v1",
    "au": "https://au.api.authsignal.com/v1",
    "eu": "https://eu.api.authsignal.com/v1",
    "ca": "https://ca.api.authsignal.com/v1",
}

ACTION_WINDOW_DAYS: Final = 30
"""`GET /users/{userId}/actions` looks back this far and no further."""

TOKEN_MINUTES: Final = 10
"""Documented lifetime of a short-lived token; a tenant may set another (`tokenDurationInMinutes`)."""

Auth = Literal["server", "management", "tenant", "bearer", "tenant or bearer", "none"]
Scope = Literal["read:authenticators", "add:authenticators", "update:authenticators", "remove:authenticators"]
Effect = Literal["read", "write"]

Route = tuple[str, str]
"""HTTP method, and a regular expression of the paths below the base URL."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One documented route.

    Attributes:
        name: Our short name.
        method: HTTP method.
        path: Template below the region's base URL, with `{placeholders}`.
        auth: `server` or `management`: basic auth with that secret; `tenant`: with the tenant id; `bearer`: a JWT.
        effect: Whether a call changes anything at Authsignal.
        evidence: How well the route is known.
        scope: What a bearer token must be allowed; None if any valid one will do.
    """

    name: str
    method: str
    path: str
    auth: Auth
    effect: Effect
    evidence: str
    scope: Scope | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def fill(self, **values: str) -> str:
        """Path with each placeholder fully percent-encoded: ids are free text and may hold `/`, `?` or `%`."""
        return self.path.format(**{name: quote(value, safe="") for name, value in values.items()})

    def route(self, **values: str) -> Route:
        """Method, and a pattern of the encoded path: placeholders without a value match any one segment."""
        parts = re.split(r"\{(\w+)\}", self.path)
        filled = (re.escape(quote(values[part], safe="")) if part in values else "[^/]+" for part in parts[1::2])
        return self.method, "".join(chain(*zip_longest(map(re.escape, parts[::2]), filled, fillvalue="")))


def reading(
    name: str, path: str, auth: Auth = "server", evidence: str = "docs, sdk", scope: Scope | None = None
) -> Endpoint:
    """A GET that changes nothing."""
    return Endpoint(name=name, method="GET", path=path, auth=auth, effect="read", evidence=evidence, scope=scope)


def writing(
    name: str, method: str, path: str, auth: Auth = "server", evidence: str = "docs, live", scope: Scope | None = None
) -> Endpoint:
    """A call that changes something, sends a message, or uses an attempt up."""
    return Endpoint(name=name, method=method, path=path, auth=auth, effect="write", evidence=evidence, scope=scope)


QUERY_USERS: Final = reading("query_users", "/users", evidence="docs, sdk; whether it answers unfiltered is unknown")
GET_USER: Final = reading("get_user", "/users/{userId}", evidence="docs, live")
GET_USER_AUTHENTICATORS: Final = reading(
    "get_user_authenticators", "/users/{userId}/authenticators", evidence="docs, live"
)
QUERY_USER_ACTIONS: Final = reading("query_user_actions", "/users/{userId}/actions", evidence="docs, live")
GET_ACTION: Final = reading("get_action", "/users/{userId}/actions/{action}/{idempotencyKey}", evidence="docs, live")
GET_DEVICES: Final = reading("get_devices", "/users/{userId}/devices")
GET_TENANT_AUTHENTICATORS: Final = reading(
    "get_tenant_authenticators", "/authenticators", evidence="docs, community CLI"
)

TRACK: Final = writing("track", "POST", "/users/{userId}/actions/{action}")
UPDATE_ACTION: Final = writing("update_action", "PATCH", "/users/{userId}/actions/{action}/{idempotencyKey}")
UPDATE_USER: Final = writing("update_user", "PATCH", "/users/{userId}")
DELETE_USER: Final = writing("delete_user", "DELETE", "/users/{userId}")
ENROLL_AUTHENTICATOR: Final = writing("enroll_authenticator", "POST", "/users/{userId}/authenticators")
DELETE_AUTHENTICATOR: Final = writing(
    "delete_authenticator", "DELETE", "/users/{userId}/authenticators/{userAuthenticatorId}"
)
VALIDATE: Final = writing("validate", "POST", "/validate")

ENROLL_AUTHENTICATORS: Final = writing("enroll_authenticators", "POST", "/users/authenticators", evidence="docs")
UPDATE_DEVICE: Final = writing("update_device", "PATCH", "/users/{userId}/devices/{deviceId}", evidence="docs")
INVALIDATE_DEVICE: Final = writing(
    "invalidate_device", "POST", "/users/{userId}/devices/{deviceId}/invalidate", evidence="docs"
)
CHALLENGE: Final = writing("challenge", "POST", "/challenge", evidence="docs, sdk")
VERIFY: Final = writing("verify", "POST", "/verify", evidence="docs, sdk")
CLAIM: Final = writing("claim", "POST", "/claim", evidence="docs, sdk")
GET_CHALLENGE: Final = reading("get_challenge", "/challenges", evidence="docs, sdk")
CREATE_SESSION: Final = writing("create_session", "POST", "/sessions", evidence="docs, sdk")
VALIDATE_SESSION: Final = writing("validate_session", "POST", "/sessions/validate", evidence="docs, sdk")
REFRESH_SESSION: Final = writing("refresh_session", "POST", "/sessions/refresh", evidence="docs, sdk")
REVOKE_SESSION: Final = writing("revoke_session", "POST", "/sessions/revoke", evidence="docs, sdk")
REVOKE_USER_SESSIONS: Final = writing("revoke_user_sessions", "POST", "/sessions/user/revoke", evidence="docs, sdk")


def basic_auth(user_name: str) -> str:
    """`Authorization` value for a server secret or tenant id: the user name, an empty password."""
    return "Basic " + base64.b64encode(f"{user_name}:".encode()).decode()


def bearer_auth(token: str) -> str:
    """`Authorization` value for a short-lived token."""
    return f"Bearer {token}"
