"""All routes that the sandbox serves."""

from typing import Final

from dlt_authsignal.sandbox.http import Served
from dlt_authsignal.sandbox.routes import actions, authenticators, users

SERVED: Final[tuple[Served, ...]] = (
    *users.ROUTES,
    *authenticators.ROUTES,
    *actions.ROUTES,
)
