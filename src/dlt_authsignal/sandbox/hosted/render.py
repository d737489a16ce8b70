"""HTML of the pages: templates, and the headers that keep them apart from other pages."""

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from dlt_authsignal.sandbox.core.page_urls import PAGES, ReturnUrl
from dlt_authsignal.sandbox.hosted import theme
from dlt_authsignal.sandbox.hosted.texts import TEXTS, Text, texts_for
from dlt_authsignal.sandbox.hosted.visit import Visit, is_popup
from dlt_authsignal.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from jinja2 import Environment

LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")

STATIC: Final = {"hosted.css": "text/css", "hosted.js": "text/javascript", "webauthn.js": "text/javascript"}


@cache
def _templates() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("dlt_authsignal.sandbox.hosted"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


def page(visit: Visit, template: str, *, status: int = 200, **values: Any) -> Response:
    """Return a page of a visit."""
    error = visit.request.query_params.get("error")
    about = {
        "visit": visit,
        "user": visit.user.display_name or visit.user.username or visit.user.email or "",
        "error": visit.text(error) if error in TEXTS else "",
        "back_url": visit.back_to.with_token(visit.token) if visit.back_to else None,
        "token": visit.token,
    }
    locale = visit.user.locale
    about |= values
    return _html(visit.sandbox, visit.request, template, status, visit.text, locale, visit.back_to, about)


def notice(
    sandbox: Sandbox,
    request: Request,
    name: str,
    status: int,
    *,
    text: Text | None = None,
    back: ReturnUrl | None = None,
    **values: Any,
) -> Response:
    """Return a page with a title and a text, and a way back to the application. It needs no visit."""
    token = request.query_params.get("token", "")
    about = {"name": name, "user": "", "error": "", "detail": "", "code": "", "again": None, "token": token}
    about |= {"back_url": back.with_token(token) if back else None, **values}
    text = text or texts_for(sandbox.shown_tenant.overrides, None)
    return _html(sandbox, request, "notice.html", status, text, None, back, about)


def _html(
    sandbox: Sandbox,
    request: Request,
    template: str,
    status: int,
    text: Text,
    locale: str | None,
    back: ReturnUrl | None,
    about: dict[str, Any],
) -> Response:
    tenant = sandbox.shown_tenant
    values = {
        "t": text,
        "tenant": tenant.details.get("name") or "Sandbox",
        "theme": {name: theme.image_url(tenant.theme.get(name)) for name in ("logoUrl", "watermarkUrl", "faviconUrl")},
        "outside": (tenant.theme.get("container") or {}).get("logoPosition") == "outside",
        "lang": _language(locale, tenant.overrides),
        "popup": is_popup(request),
        "pages": PAGES,
        "themed": "" if sandbox.is_first else f"?tenant={quote(sandbox.config.tenant_id, safe='')}",
        "client": f"{sandbox.config.region_path}/v1/client",
        "control": sandbox.control_path,
        "status": status,
        **about,
    }
    body = _templates().get_template(template).render(values)
    return HTMLResponse(body, status, headers(sandbox, request, back))


def _language(locale: str | None, overrides: dict[str, Any]) -> str:
    """Return the language of the page: English unless overrides of the user's language are in use."""
    if not locale or not LANGUAGE.fullmatch(locale):
        return "en"
    language = locale.lower().partition("-")[0]
    return locale if any(name.lower().startswith(language) for name in overrides) else "en"


def headers(sandbox: Sandbox, request: Request, back: ReturnUrl | None) -> dict[str, str]:
    """Return the headers of a page. A form may lead to the application, because verifying ends in a redirect to it."""
    images = " ".join(theme.image_origins(sandbox.shown_tenant.theme))
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        f"style-src 'self'; img-src 'self' data: {images}".rstrip(),
        "connect-src 'self'",
        f"form-action 'self' {back.origin if back else ''}".rstrip(),
        "base-uri 'none'",
        "frame-ancestors " + ("http: https:" if is_popup(request) else "'none'"),
    )
    return {
        "content-security-policy": "; ".join(policy),
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }


def static(name: str) -> Response:
    """Return a file of the pages."""
    content = files(__package__).joinpath("static", name).read_bytes()
    return Response(content, media_type=STATIC[name], headers={"cache-control": "no-cache"})


def style(sandbox: Sandbox) -> Response:
    """Return the style sheet of the tenant's theme."""
    sheet = theme.style_sheet(sandbox.shown_tenant.theme)
    return Response(sheet, media_type="text/css", headers={"cache-control": "no-store"})
