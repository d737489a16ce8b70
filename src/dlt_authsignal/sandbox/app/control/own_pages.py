"""Only the sandbox's own pages may control it."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from dlt_authsignal.sandbox.http.dispatch import json_response


class OwnPagesOnly:
    """Refuse requests to `/_sandbox/` from pages of other sites.

    Browsers send the origin of a page that changes something. Current browsers also send where each request comes from.
    A link that a user follows may come from any site: it only shows a page.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and scope["path"].startswith("/_sandbox") and _is_foreign(Request(scope)):
            app = json_response(
                {"error": "Pages of other sites cannot control the sandbox. Send no Origin header."},
                403,
            )
        await app(scope, receive, send)


def _is_foreign(request: Request) -> bool:
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if origin is not None and origin != f"{request.url.scheme}://{request.headers.get('host', '')}":
        return True
    follows = request.method in ("GET", "HEAD") and request.headers.get("sec-fetch-mode") == "navigate"
    return site in ("cross-site", "same-site") and not follows
