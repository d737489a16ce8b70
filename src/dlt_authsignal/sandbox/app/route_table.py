"""All API routes of the sandbox."""

from typing import Final

from dlt_authsignal.api.client_endpoints import SEED_PAGE_ALIASES
from dlt_authsignal.sandbox.http.dispatch import Served
from dlt_authsignal.sandbox.http.routes.client import apps, codes, in_app, passkeys, push, qr_code, security_keys, totp
from dlt_authsignal.sandbox.http.routes.management import configuration as management
from dlt_authsignal.sandbox.http.routes.server import actions, authenticators, challenges, sessions, users

_ALL: Final[tuple[Served, ...]] = (
    *users.ROUTES,
    *authenticators.ROUTES,
    *actions.ROUTES,
    *challenges.ROUTES,
    *sessions.ROUTES,
    *passkeys.ROUTES,
    *security_keys.ROUTES,
    *codes.ROUTES,
    *totp.ROUTES,
    *apps.ROUTES,
    *push.ROUTES,
    *qr_code.ROUTES,
    *in_app.ROUTES,
    *management.ROUTES,
)

SERVED: Final = tuple(sorted(_ALL, key=lambda served: "{" in served[0].path))
"""Fixed paths first, so that `/users/authenticators` is not taken for a user id."""

_HANDLERS: Final = dict(SERVED)

ALIASES: Final[tuple[Served, ...]] = tuple((alias, _HANDLERS[real]) for alias, real in SEED_PAGE_ALIASES)
"""The paths that only dltHub's Authsignal page has. `seed_page_paths` turns them off."""
