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


def basic_auth(user_name: str) -> str:
    """`Authorization` value for a server secret or tenant id: the user name, an empty password."""
    return "Basic " + base64.b64encode(f"{user_name}:".encode()).decode()


def bearer_auth(token: str) -> str:
    """`Authorization` value for a short-lived token."""
    return f"Bearer {token}"
