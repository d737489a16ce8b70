"""The routes of the hosted pages."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dlt_authsignal.sandbox.core.page_urls import PAGES, return_url
from dlt_authsignal.sandbox.core.refusals import Refusal
from dlt_authsignal.sandbox.hosted import pages, render, steps
from dlt_authsignal.sandbox.hosted.visit import NoVisit, Visit, visit
from dlt_authsignal.sandbox.sandbox import Sandbox

Page = Callable[[Visit], Response]
Step = Callable[[Visit], Awaitable[Response]]

SHOWN: Final[dict[str, Page]] = {
    "": pages.index,
    "code": pages.code,
    "address": pages.address,
    "app": pages.app,
    "link": pages.link,
    "device": pages.device,
    "create": pages.create,
    "done": pages.done,
    "finish": pages.finish,
}
DONE: Final[dict[str, Step]] = {
    "start": steps.start,
    "enrol": steps.enrol,
    "verify": steps.verify,
    "opened": steps.opened,
}


def hosted_routes(sandbox: Sandbox) -> list[Route]:
    """Return the routes of the pages, their forms and their files."""

    async def theme(_request: Request) -> Response:
        return render.style(sandbox)

    def served(name: str) -> Route:
        async def file(_request: Request) -> Response:
            return render.static(name)

        return Route(f"{PAGES}{name}", file, methods=["GET"])

    return [
        *(_route(sandbox, "GET", name, _shown(page)) for name, page in SHOWN.items()),
        *(_route(sandbox, "POST", name, step) for name, step in DONE.items()),
        Route(f"{PAGES}theme.css", theme, methods=["GET"]),
        *(served(name) for name in render.STATIC),
    ]


def _shown(page: Page) -> Step:
    async def show(found: Visit) -> Response:
        return page(found)

    return show


def _route(sandbox: Sandbox, method: str, name: str, step: Step) -> Route:
    async def answer(request: Request) -> Response:
        sandbox.log.begin()
        status = 500
        try:
            response = await _answered(sandbox, request, step)
            status = response.status_code
            return response
        finally:
            sandbox.note(f"{method} {PAGES}{name}", status)

    return Route(f"{PAGES}{name}", answer, methods=[method])


async def _answered(sandbox: Sandbox, request: Request, step: Step) -> Response:
    try:
        found = visit(sandbox, request)
    except NoVisit as none:
        return _no_visit(sandbox, request, none)
    try:
        return await step(found)
    except Refusal as refusal:
        again = found.url("")
        return render.notice(
            sandbox,
            request,
            "refused",
            refusal.status,
            text=found.text,
            back=found.back_to,
            detail=refusal.description,
            code=refusal.code,
            again=again,
        )


def _no_visit(sandbox: Sandbox, request: Request, none: NoVisit) -> Response:
    token = none.token
    action = sandbox.store.get_action(token.user_id, token.action_code, token.idempotency_key) if token else None
    back = return_url(action.redirect_url) if action else None
    return render.notice(sandbox, request, none.name, 401, back=back, code=none.code)
