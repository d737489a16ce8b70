"""All routes that the sandbox serves."""

from typing import Final

from dlt_authsignal.api.client_endpoints import SEED_PAGE_ALIASES
from dlt_authsignal.sandbox.http import Served
from dlt_authsignal.sandbox.routes import (
    actions,
    authenticators,
    challenges,
    codes,
    passkeys,
    security_keys,
    sessions,
    totp,
    users,
)

SERVED: Final[tuple[Served, ...]] = (
    *users.ROUTES,
    *authenticators.ROUTES,
    *actions.ROUTES,
    *challenges.ROUTES,
    *sessions.ROUTES,
    *passkeys.ROUTES,
    *security_keys.ROUTES,
    *codes.ROUTES,
    *totp.ROUTES,
)

_HANDLERS: Final = dict(SERVED)

ALIASES: Final[tuple[Served, ...]] = tuple((alias, _HANDLERS[real]) for alias, real in SEED_PAGE_ALIASES)
"""The dltHub page's own paths, served unless the configuration says otherwise."""
