"""Regions, routes, authentication schemes, and which routes change something.

The `evidence` of each route follows the project's API notes: `docs` official documentation, `sdk` source of an
official SDK, `live` an official SDK's own test against the live API.
"""

import base64
from dataclasses import dataclass
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

Auth = Literal["server", "tenant", "bearer"]
Effect = Literal["read", "write"]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One documented route.

    Attributes:
        name: Our short name.
        method: HTTP method.
        path: Template below the region's base URL, with `{placeholders}`.
        auth: `server` basic auth with the server secret; `tenant` basic auth with the tenant id; `bearer` a JWT.
        effect: Whether a call changes anything at Authsignal.
        evidence: How well the route is known.
    """

    name: str
    method: str
    path: str
    auth: Auth
    effect: Effect
    evidence: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def fill(self, **values: str) -> str:
        """Path with each placeholder fully percent-encoded: ids are free text and may hold `/`, `?` or `%`."""
        return self.path.format(**{name: quote(value, safe="") for name, value in values.items()})


def _read(name: str, path: str, auth: Auth = "server", evidence: str = "docs, sdk") -> Endpoint:
    return Endpoint(name=name, method="GET", path=path, auth=auth, effect="read", evidence=evidence)


def _write(name: str, method: str, path: str, auth: Auth = "server", evidence: str = "docs, live") -> Endpoint:
    return Endpoint(name=name, method=method, path=path, auth=auth, effect="write", evidence=evidence)


QUERY_USERS: Final = _read("query_users", "/users", evidence="docs, sdk; whether it answers unfiltered is unknown")
GET_USER: Final = _read("get_user", "/users/{userId}", evidence="docs, live")
GET_USER_AUTHENTICATORS: Final = _read(
    "get_user_authenticators", "/users/{userId}/authenticators", evidence="docs, live"
)
QUERY_USER_ACTIONS: Final = _read("query_user_actions", "/users/{userId}/actions", evidence="docs, live")
GET_ACTION: Final = _read("get_action", "/users/{userId}/actions/{action}/{idempotencyKey}", evidence="docs, live")
GET_DEVICES: Final = _read("get_devices", "/users/{userId}/devices")
GET_TENANT_AUTHENTICATORS: Final = _read("get_tenant_authenticators", "/authenticators", evidence="docs, community CLI")

TRACK: Final = _write("track", "POST", "/users/{userId}/actions/{action}")
UPDATE_ACTION: Final = _write("update_action", "PATCH", "/users/{userId}/actions/{action}/{idempotencyKey}")
UPDATE_USER: Final = _write("update_user", "PATCH", "/users/{userId}")
DELETE_USER: Final = _write("delete_user", "DELETE", "/users/{userId}")
ENROLL_AUTHENTICATOR: Final = _write("enroll_authenticator", "POST", "/users/{userId}/authenticators")
DELETE_AUTHENTICATOR: Final = _write(
    "delete_authenticator", "DELETE", "/users/{userId}/authenticators/{userAuthenticatorId}"
)
VALIDATE: Final = _write("validate", "POST", "/validate")

CLIENT_AUTHENTICATORS: Final = _read("client_authenticators", "/client/user-authenticators", auth="bearer")


def basic_auth(user_name: str) -> str:
    """`Authorization` value for a server secret or tenant id: the user name, an empty password."""
    return "Basic " + base64.b64encode(f"{user_name}:".encode()).decode()


def bearer_auth(token: str) -> str:
    """`Authorization` value for a short-lived token."""
    return f"Bearer {token}"
