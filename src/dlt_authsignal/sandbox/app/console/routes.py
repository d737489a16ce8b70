"""The routes of the pages, their buttons and their files."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dlt_authsignal.sandbox.app.console.attempt_pages import attempts
from dlt_authsignal.sandbox.app.console.buttons import buttons, press
from dlt_authsignal.sandbox.app.console.control_page import controls
from dlt_authsignal.sandbox.app.console.people import user, users
from dlt_authsignal.sandbox.app.console.render import PAGES, TENANTS, page, static
from dlt_authsignal.sandbox.app.console.rule_pages import rules
from dlt_authsignal.sandbox.app.console.webhook_pages import delivery, webhooks
from dlt_authsignal.sandbox.sandbox import Sandbox

ROOT: Final = "/_sandbox/"

Everyone = Callable[[], Sequence[Sandbox]]
Handler = Callable[[Request], Awaitable[Response]]
Page = Callable[[Sandbox, Request], Response | Awaitable[Response]]

SHOWN: Final[dict[str, Page]] = {
    "users": users,
    "user": user,
    "attempts": attempts,
    "rules": rules,
    "webhooks": webhooks,
    "delivery": delivery,
    "controls": controls,
}

RETURNING: Final[dict[str, Callable[..., Response]]] = {"controls": controls, "webhooks": webhooks}
"""Pages that show why one of their buttons did nothing."""


def console_routes(sandbox: Sandbox, everyone: Everyone) -> list[Route]:
    """Return the routes below `/_sandbox/pages/`. The first page is at `/_sandbox/` itself: see `app.pages`.

    Args:
        sandbox: The tenant.
        everyone: Returns all tenants of the sandbox.
    """
    found = buttons(sandbox)

    async def pressed(request: Request) -> Response:
        setattr(request.state, TENANTS, everyone())
        name = request.path_params["name"]
        button = found.get(name)
        if button is None:
            return page(
                sandbox,
                request,
                "missing",
                "controls",
                status=404,
                what="button",
                title="There is no such button",
                name=name,
            )
        refused = await press(button, request)
        if refused is None:
            path = f"{PAGES}{button.back}" if button.back else ""
            return RedirectResponse(f"{sandbox.control_path}{path}?said={quote(name)}", 303)
        if button.back in RETURNING:
            return RETURNING[button.back](sandbox, request, refused=refused)
        return page(sandbox, request, "wrong", button.back, status=400, problem=refused.why, back=button.back)

    async def file(request: Request) -> Response:
        return static(request.path_params["name"])

    return [
        *(
            Route(f"{ROOT}{PAGES}{name}", _shown(sandbox, shown, everyone), methods=["GET"])
            for name, shown in SHOWN.items()
        ),
        Route(f"{ROOT}{PAGES}do/{{name}}", pressed, methods=["POST"]),
        Route(f"{ROOT}{PAGES}static/{{name}}", file, methods=["GET"]),
    ]


def _shown(sandbox: Sandbox, shown: Page, everyone: Everyone) -> Handler:
    async def show(request: Request) -> Response:
        setattr(request.state, TENANTS, everyone())
        made = shown(sandbox, request)
        return await made if inspect.isawaitable(made) else made

    return show
