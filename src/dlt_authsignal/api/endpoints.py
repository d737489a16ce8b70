"""Regions, authentication schemes and the `Endpoint` class.

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
"""`GET /users/{userId}/actions` returns actions of this many days and no older ones."""

TOKEN_MINUTES: Final = 10
"""Documented lifetime of a short-lived token; a tenant may set another (`tokenDurationInMinutes`)."""

Auth = Literal["server", "management", "tenant", "bearer", "tenant or bearer", "none"]
Scope = Literal["read:authenticators", "add:authenticators", "update:authenticators", "remove:authenticators"]
Effect = Literal["read", "write"]

Route = tuple[str, str]
"""HTTP method, and a regular expression that matches paths below the base URL."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One documented route.

    Attributes:
        name: Short name, used only in this package.
        method: HTTP method.
        path: Template below the region's base URL, with `{placeholders}`.
        auth: `server` or `management`: basic auth with that secret; `tenant`: with the tenant id; `bearer`: a JWT.
        effect: Whether a call changes anything at Authsignal.
        evidence: How well the route is known.
        scope: Scope that a bearer token must have; None if any valid token is accepted.
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
        """Return the path with percent-encoded values. Ids are free text and may contain `/`, `?` or `%`."""
        return self.path.format(**{name: quote(value, safe="") for name, value in values.items()})

    def route(self, **values: str) -> Route:
        """Return the method and a pattern of the encoded path. A placeholder without a value matches any segment."""
        parts = re.split(r"\{(\w+)\}", self.path)
        filled = (re.escape(quote(values[part], safe="")) if part in values else "[^/]+" for part in parts[1::2])
        return self.method, "".join(chain(*zip_longest(map(re.escape, parts[::2]), filled, fillvalue="")))


def reading(
    name: str, path: str, auth: Auth = "server", evidence: str = "docs, sdk", scope: Scope | None = None
) -> Endpoint:
    """Return a GET endpoint that changes nothing."""
    return Endpoint(name=name, method="GET", path=path, auth=auth, effect="read", evidence=evidence, scope=scope)


def writing(
    name: str, method: str, path: str, auth: Auth = "server", evidence: str = "docs, live", scope: Scope | None = None
) -> Endpoint:
    """Return an endpoint that changes something, sends a message, or uses up an attempt."""
    return Endpoint(name=name, method=method, path=path, auth=auth, effect="write", evidence=evidence, scope=scope)


def basic_auth(user_name: str) -> str:
    """Return the `Authorization` value for a secret key or tenant id: it is the user name, the password is empty."""
    return "Basic " + base64.b64encode(f"{user_name}:".encode()).decode()


def bearer_auth(token: str) -> str:
    """Return the `Authorization` value for a short-lived token."""
    return f"Bearer {token}"
