"""The routes of the dashboard."""

import csv
import io
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from dlt_authsignal.dashboard.content.figures import PAGES
from dlt_authsignal.dashboard.page import Document, Filters
from dlt_authsignal.dashboard.render import assets
from dlt_authsignal.dashboard.render.html import html, reading_html
from dlt_authsignal.dashboard.render.rows import safe_cell
from dlt_authsignal.dashboard.serve.addresses import WrongFilter, filters_of
from dlt_authsignal.dashboard.serve.current import Current
from dlt_authsignal.dashboard.serve.guard import Guard
from dlt_authsignal.errors import ConfigurationError, RunFailed
from dlt_authsignal.models.values import Kpi

_FIRST: Final = next(iter(PAGES))
_YEAR: Final = "public, max-age=31536000, immutable"


def make_app(current: Current, port: int) -> ASGIApp:
    """Return the dashboard as an ASGI application, for requests to one port of this machine."""

    def page(request: Request) -> Response:
        key = request.path_params.get("page", _FIRST)
        if not current.is_ready:
            return HTMLResponse(reading_html(*current.progress))
        if key not in PAGES:
            return _wrong(current, Filters(), _FIRST, f'There is no page "{key[:80]}". Choose one from the menu.', 404)
        figures = current.figures
        try:
            filters = filters_of(request.query_params.multi_items(), figures.choices)
        except WrongFilter as wrong:
            return _wrong(current, Filters(), key, str(wrong), 400)
        return HTMLResponse(html(_noted(current, figures.document(filters, key)), page=key))

    def rows(request: Request) -> Response:
        try:
            figures = current.figures
            filters = filters_of(request.query_params.multi_items(), figures.choices)
            found = figures.rows(request.path_params["kpi"], filters)
        except WrongFilter as wrong:
            return PlainTextResponse(str(wrong), 400)
        except ConfigurationError as wrong:
            return PlainTextResponse(str(wrong), 404)
        except RunFailed as failed:
            return PlainTextResponse(str(failed), 503)
        name = request.path_params["kpi"]
        shown = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        return PlainTextResponse(csv_of(found), media_type="text/csv", headers=shown)

    def health(_request: Request) -> Response:
        problem = current.problem
        return JSONResponse(
            {
                "status": "ok" if current.is_ready else "reading",
                "made_at": current.figures.made_at.isoformat() if current.is_ready else None,
                "problem": problem.reason if problem else None,
            }
        )

    routes = [
        Route("/", page, methods=["GET"]),
        Route("/healthz", health, methods=["GET"]),
        Route("/csv/{kpi}", rows, methods=["GET"]),
        Mount("/static", _Static(directory=assets.STATIC)),
        Route("/{page}", page, methods=["GET"]),
    ]
    return Guard(Starlette(routes=routes), port)


class _Static(StaticFiles):
    """Files of this package. Their addresses change with their content, so browsers may keep them."""

    def file_response(self, *arguments: object, **more: object) -> Response:
        response: Response = super().file_response(*arguments, **more)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = _YEAR
        return response


def csv_of(rows: Iterable[Kpi]) -> str:
    """Return rows of a KPI as CSV. Text that a spreadsheet would run as a formula gets an apostrophe in front."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    names = [field.name for field in fields(Kpi) if field.name != "model"]
    writer.writerow(["kpi", *names])
    for row in rows:
        writer.writerow([row.model.name, *(safe_cell(getattr(row, name)) for name in names)])
    return text.getvalue()


def _wrong(current: Current, filters: Filters, key: str, reason: str, status: int) -> Response:
    """Return a page that says what is wrong, with the figures of all data."""
    document = replace(current.figures.document(filters, key), problem=reason)
    return HTMLResponse(html(document, page=key), status)


def _noted(current: Current, document: Document) -> Document:
    """Add why newer data could not be read."""
    problem = current.problem
    if problem is None:
        return document
    return replace(document, problem=f"{problem.at:%H:%M} UTC: {problem.reason} These are the earlier figures.")
