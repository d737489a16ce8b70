"""The pages of the sandbox in a browser."""

import re
from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from dlt_authsignal.sandbox.app.console.overview import overview, snapshot
from dlt_authsignal.sandbox.app.console.render import TENANTS
from dlt_authsignal.sandbox.app.console.routes import console_routes
from dlt_authsignal.sandbox.app.control.handlers import Control
from dlt_authsignal.sandbox.core.refusals import Refusal, invalid
from dlt_authsignal.sandbox.http.dispatch import base_url, json_response, read_body, refused
from dlt_authsignal.sandbox.http.routes.client.codes import open_magic_link
from dlt_authsignal.sandbox.http.routes.server.actions import Track, tracked
from dlt_authsignal.sandbox.sandbox import Sandbox

TRIED_ACTION: Final = "signIn"


class Trying(msgspec.Struct, rename="camel"):
    """Body of `POST /_sandbox/try`."""

    user_id: str


def page_routes(sandbox: Sandbox, everyone: Callable[[], Sequence[Sandbox]]) -> list[Route]:
    """Return the routes of the pages, and those that the pages call.

    Args:
        sandbox: The tenant.
        everyone: Returns all tenants of the sandbox.
    """

    async def index(request: Request) -> Response:
        if prefers_html(request.headers.get("accept", "")):
            setattr(request.state, TENANTS, everyone())
            return overview(sandbox, request)
        return json_response(Control(sandbox).info({}), headers={"vary": "Accept", "cache-control": "no-store"})

    async def page(_request: Request) -> Response:
        return json_response(snapshot(sandbox), headers={"cache-control": "no-store"})

    async def try_passkey(request: Request) -> Response:
        try:
            return json_response(_try(sandbox, await read_body(request), base_url(request)))
        except Refusal as refusal:
            return refused(refusal)

    async def magic_link(request: Request) -> Response:
        if request.method == "HEAD":  # mail scanners send HEAD; it must not use up the link
            return Response(status_code=200)
        opened = open_magic_link(sandbox, request.query_params.get("secret", ""))
        text = "Signed in. Go back to the page where you started." if opened else "This link is unknown or has expired."
        return HTMLResponse(_page(text), 200 if opened else 404)

    return [
        Route("/_sandbox/", index, methods=["GET"]),
        Route("/_sandbox/page", page, methods=["GET"]),
        Route("/_sandbox/try", try_passkey, methods=["POST"]),
        Route("/_sandbox/magic-link", magic_link, methods=["GET"]),
        *console_routes(sandbox, everyone),
    ]


def prefers_html(accept: str) -> bool:
    """Return whether an `Accept` header prefers HTML over JSON, as browsers do and programs do not.

    Example:
        >>> prefers_html("text/html,application/xhtml+xml,*/*;q=0.8"), prefers_html("*/*")
        (True, False)
    """
    weights = {}
    for item in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in item.split(";"))
        weight = next((match for match in (re.fullmatch(r"q=([\d.]+)", text) for text in parameters) if match), None)
        try:
            weights[kind] = float(weight[1]) if weight else 1.0
        except ValueError:
            weights[kind] = 0.0
    return weights.get("text/html", 0.0) > 0 and weights["text/html"] >= weights.get("application/json", 0.0)


def _try(sandbox: Sandbox, raw: bytes, base: str) -> dict[str, Any]:
    """Track a sign-in of the user, as an application's server would, for a token that may add passkeys."""
    try:
        user_id = msgspec.json.decode(raw, type=Trying).user_id.strip()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise invalid("The body must be a JSON object with userId.") from None
    if not user_id:
        raise invalid("userId is empty.")
    known = sandbox.store.get_user(user_id)
    username = None if known and known.username else user_id
    asked = Track(username=username, scope="read:authenticators add:authenticators")
    answer = tracked(sandbox, user_id, TRIED_ACTION, asked, base)
    return {"userId": user_id, "token": answer.token, "isEnrolled": answer.is_enrolled, "state": answer.state}


def _page(text: str) -> str:
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        "<meta name=color-scheme content='light dark'><title>Authsignal sandbox</title>"
        "<body style='font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:28em;padding:0 1em'>"
        f"<p>{escape(text)}</p>"
    )
