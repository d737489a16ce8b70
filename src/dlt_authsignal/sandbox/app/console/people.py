"""Users: search, and what belongs to one of them."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from dlt_authsignal.sandbox.app.console.attempts import Attempt, Attempts, attempts_of, authenticator_steps
from dlt_authsignal.sandbox.app.console.paging import Paged, paged
from dlt_authsignal.sandbox.app.console.render import page
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenant.entities import User
from dlt_authsignal.sandbox.tenant.policy import enrolled_methods

USERS: Final = 50
"""Users of a page."""

ENTRIES: Final = 20
"""Attempts of a page."""

SHOWN_STEPS: Final = 50
"""Changes of authenticators that a page shows."""

LONGEST_SEARCH: Final = 200


@dataclass(frozen=True)
class Row:
    """A user in the list."""

    user: User
    methods: tuple[str, ...]


async def users(sandbox: Sandbox, request: Request) -> Response:
    """Return the page with the list of users. The search does not stop the event loop, also with many users."""
    asked = request.query_params.get("q", "")[:LONGEST_SEARCH].strip()
    found = await asyncio.to_thread(search, sandbox, asked)
    part = paged(found, request.query_params.get("page", ""), USERS)
    rows = [Row(user, tuple(enrolled_methods(sandbox.store.authenticators(user.user_id)))) for user in part.rows]
    return page(sandbox, request, "users", "users", rows=rows, part=part, q=asked)


def search(sandbox: Sandbox, text: str) -> list[User]:
    """Return the users whose id, e-mail address, phone number or name contains a text, in the order of the list."""
    wanted = text.casefold()
    if not wanted:
        return list(sandbox.store.users())
    return [user for user in sandbox.store.users() if wanted in _searched(user)]


def _searched(user: User) -> str:
    parts = (user.user_id, user.email, user.phone_number, user.username, user.display_name)
    return "\n".join(part for part in parts if part).casefold()


def user(sandbox: Sandbox, request: Request) -> Response:
    """Return the page about one user."""
    user_id = request.query_params.get("id", "")
    found = sandbox.store.get_user(user_id)
    if found is None:
        return page(
            sandbox, request, "missing", "users", status=404, what="user", title="There is no such user", name=user_id
        )
    actions = paged(attempts_of(sandbox, user_id), request.query_params.get("page", ""), ENTRIES)
    known = Attempts(sandbox)
    steps = authenticator_steps(sandbox, user_id)
    return page(
        sandbox,
        request,
        "user",
        "users",
        user=found,
        facts=_facts(found),
        authenticators=sandbox.store.authenticators(user_id),
        devices=sandbox.store.devices(user_id),
        recovery_codes=len(sandbox.recovery_codes.get(user_id, ())),
        part=_with_steps(actions, known),
        changes=steps[:SHOWN_STEPS],
        more_changes=max(0, len(steps) - SHOWN_STEPS),
    )


def _with_steps(part: Paged[Any], known: Attempts) -> Paged[Attempt]:
    return Paged([known.of(action) for action in part.rows], part.number, part.pages, part.total, part.first)


def _facts(user: User) -> list[tuple[str, str]]:
    """Return the attributes that a user has."""
    named = (
        ("E-mail", _address(user.email, is_verified=user.email_verified)),
        ("Phone", _address(user.phone_number, is_verified=user.phone_number_verified)),
        ("User name", user.username),
        ("Display name", user.display_name),
        ("Locale", user.locale),
        ("Default method", user.default_verification_method),
    )
    return [(name, value) for name, value in named if value]


def _address(address: str | None, *, is_verified: bool) -> str | None:
    return address and f"{address} ({'verified' if is_verified else 'not verified'})"
