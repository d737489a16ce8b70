"""Renders the templates of the pages, with the style of the dashboard and a strict content security policy."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from dlt_authsignal.sandbox.app.console.words import SAID, method_name, state_kind
from dlt_authsignal.sandbox.core.clock import iso
from dlt_authsignal.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from jinja2 import Environment

PAGES: Final = "pages/"
"""Where the pages are, below the control routes."""

LOOK: Final = "dashboard/render/static"
SHARED: Final = ("tokens.css", "layout.css", "cards.css", "theme.js")
"""Files of the dashboard, so that both look the same. They are read as files: the sandbox does not import it."""

OWN: Final = ("console.css", "console.js", "passkey.js")
STYLES: Final = ("tokens.css", "layout.css", "cards.css", "console.css")
TYPES: Final = {"css": "text/css", "js": "text/javascript"}

MENU: Final = (
    ("", "Overview"),
    ("users", "Users"),
    ("attempts", "Attempts"),
    ("rules", "Rules"),
    ("webhooks", "Webhooks"),
    ("controls", "Controls"),
)

HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",  # without a referrer, browsers would send "Origin: null" with a form
    "vary": "Accept",
    "x-content-type-options": "nosniff",
}

TENANTS: Final = "tenants"
"""The attribute of `request.state` that has all tenants of the sandbox."""

SHORT: Final = 160
"""Characters of a value in a list. The rest is on the page about it."""


@dataclass(frozen=True)
class Choice:
    """A tenant that the reader can choose."""

    tenant_id: str
    href: str
    is_shown: bool


def page(
    sandbox: Sandbox, request: Request, template: str, key: str, *, status: int = 200, problem: str = "", **values: Any
) -> Response:
    """Return a page.

    Args:
        sandbox: The sandbox.
        request: The request.
        template: Name of the template, without `.html`.
        key: The entry of the menu to which the page belongs.
        status: HTTP status.
        problem: Why a button did nothing.
        values: Values of the template.
    """
    about = {
        "root": sandbox.control_path,
        "pages": f"{sandbox.control_path}{PAGES}",
        "key": key,
        "tenant": sandbox.tenant.details.get("name") or "Sandbox",
        "choices": choices(sandbox, request, key),
        "now": sandbox.clock.now(),
        "frozen": sandbox.clock.is_frozen,
        "earlier": sandbox.shown_as_of,
        "said": SAID.get(request.query_params.get("said", ""), ""),
        "problem": problem,
        "status": status,
    }
    text = _environment().get_template(f"{template}.html").render({**about, **values})
    # user ids of a fixture may have halves of surrogate pairs, which UTF-8 cannot encode
    return HTMLResponse(text.encode("utf-8", "replace"), status, HEADERS)


def choices(sandbox: Sandbox, request: Request, key: str) -> list[Choice]:
    """Return the tenants of the sandbox, each with the same page. None if it is alone."""
    tenants = getattr(request.state, TENANTS, ())
    if len(tenants) < 2:
        return []
    page = f"{PAGES}{key}" if key else ""
    return [Choice(one.config.tenant_id, f"{one.control_path}{page}", one is sandbox) for one in tenants]


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("dlt_authsignal.sandbox.app.console"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(
        moment=shown_moment,
        iso=iso,
        pretty=pretty,
        compact=compact,
        short=short,
        method=method_name,
        kind=state_kind,
        query=query,
    )
    environment.globals.update(MENU=MENU, STYLES=STYLES, address=address)
    return environment


def shown_moment(value: datetime | None) -> str:
    """Return a time as text to read: to the second, in UTC."""
    return "–" if value is None else iso(value)[:19].replace("T", " ")


def pretty(value: Any) -> str:
    """Return JSON to read."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=_plain)


def compact(value: Any) -> str:
    """Return JSON on one line."""
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)


def short(value: Any) -> str:
    """Return a value as one short text."""
    text = str(value)
    return text if len(text) <= SHORT else f"{text[:SHORT]}…"


def query(values: Mapping[str, Any]) -> str:
    """Return the query of a URL, without empty values, with its question mark."""
    kept = {name: str(value) for name, value in values.items() if value not in ("", None)}
    return f"?{urlencode(kept, errors='replace')}" if kept else ""


def address(name: str) -> str:
    """Return the path of a file below `PAGES`. It changes with the content, so that browsers may keep the file."""
    return f"static/{name}?v={_version(name)}"


@cache
def _version(name: str) -> str:
    return hashlib.sha256(_file(name).read_bytes()).hexdigest()[:12]


def _file(name: str) -> Traversable:
    if name in SHARED:
        return files("dlt_authsignal").joinpath(LOOK, name)
    return files(__package__).joinpath("static", name)


def static(name: str) -> Response:
    """Return a file of the pages. 404 for any other name."""
    if name not in (*SHARED, *OWN):
        return Response("There is no such file.", 404, media_type="text/plain")
    kind = TYPES[name.rpartition(".")[2]]
    headers = {"cache-control": "max-age=31536000, immutable", "x-content-type-options": "nosniff"}
    return Response(_file(name).read_bytes(), media_type=kind, headers=headers)
