"""What the sandbox shows in a browser."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from dlt_authsignal.sandbox.routes.codes import open_magic_link
from dlt_authsignal.sandbox.state import Sandbox


def page_routes(sandbox: Sandbox) -> list[Route]:
    """Routes that answer with HTML."""

    async def magic_link(request: Request) -> Response:
        opened = open_magic_link(sandbox, request.query_params.get("secret", ""))
        text = "Signed in. Go back to the page that waits." if opened else "This link is not known, or has expired."
        return HTMLResponse(_page(text), 200 if opened else 404)

    return [Route("/_sandbox/magic-link", magic_link, methods=["GET"])]


def _page(text: str) -> str:
    return f"<!doctype html><html lang=en><meta charset=utf-8><title>Authsignal sandbox</title><p>{escape(text)}</p>"
