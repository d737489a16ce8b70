"""The attempts of all users since the sandbox has started."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from dlt_authsignal.api.values import STATES
from dlt_authsignal.sandbox.app.console.attempts import Attempts, recent
from dlt_authsignal.sandbox.app.console.paging import Paged, paged
from dlt_authsignal.sandbox.app.console.render import page
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenant.entities import Action

ENTRIES: Final = 25
LONGEST: Final = 200


def attempts(sandbox: Sandbox, request: Request) -> Response:
    """Return the page with the last attempts, newest first."""
    asked = {name: request.query_params.get(name, "")[:LONGEST].strip() for name in ("q", "state")}
    every = recent(sandbox)
    found = [action for action in every if _fits(action, asked["q"].casefold(), asked["state"])]
    part = paged(found, request.query_params.get("page", ""), ENTRIES)
    known = Attempts(sandbox)
    rows = Paged([known.of(action) for action in part.rows], part.number, part.pages, part.total, part.first)
    return page(
        sandbox, request, "attempts", "attempts", part=rows, asked=asked, states=STATES, is_filtered=any(asked.values())
    )


def _fits(action: Action, text: str, state: str) -> bool:
    named = f"{action.user_id}\n{action.action_code}\n{action.ip_address or ''}".casefold()
    return text in named and state in ("", action.state)
