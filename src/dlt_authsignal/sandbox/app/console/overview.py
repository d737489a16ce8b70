"""The first page: the tenant, a passkey to try, the outbox and the requests."""

from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from dlt_authsignal.sandbox.app.console.render import page
from dlt_authsignal.sandbox.core.clock import iso
from dlt_authsignal.sandbox.core.config import SandboxConfig
from dlt_authsignal.sandbox.http.dispatch import base_url
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.sessions.outbox import Message

SHOWN: Final = 50
"""Number of last requests and messages on the page."""


def overview(sandbox: Sandbox, request: Request) -> Response:
    """Return the first page."""
    shown = snapshot(sandbox)
    return page(
        sandbox,
        request,
        "overview",
        "",
        shown=shown,
        api=f"{base_url(request)}{sandbox.config.region_path}/v1",
        links={sent["url"] for sent in shown["outbox"] if _is_web(sent["url"])},
        fits=_fits(request.url.hostname or "", sandbox.config.relying_party),
        page_url=_page_url(request, sandbox),
    )


def snapshot(sandbox: Sandbox) -> dict[str, Any]:
    """Return the data of the page, newest first."""
    config = sandbox.config
    return {
        "tenantId": config.tenant_id,
        "apiSecretKey": _unless_chosen(config, "api_secret_key", "server"),
        "managementSecretKey": _unless_chosen(config, "management_secret_key", "management"),
        "relyingParty": config.relying_party,
        "listing": config.listing,
        "now": iso(sandbox.clock.now()),
        "counts": sandbox.store.counts(),
        "total": sum(sandbox.log.by_route.values()),
        "requests": list(islice(reversed(sandbox.log.entries), SHOWN)),
        "outbox": [_shown(message) for message in list(sandbox.outbox)[: -SHOWN - 1 : -1]],
    }


def _unless_chosen(config: SandboxConfig, name: str, kind: str) -> str | None:
    """Return a key that the sandbox chose. A key that the user chose may be a real one, so it is not shown."""
    key: str = getattr(config, name)
    return key if key in (f"{config.tenant_id}-{kind}-secret", getattr(SandboxConfig, name)) else None


def _shown(message: Message) -> dict[str, Any]:
    return {
        "sentAt": iso(message.sent_at),
        "channel": message.channel,
        "to": message.to,
        "userId": message.user_id,
        "method": message.method,
        "actionCode": message.action_code,
        "code": message.code,
        "url": message.url,
    }


def _is_web(url: str | None) -> bool:
    return url is not None and url.startswith(("http://", "https://"))


def _fits(host: str, relying_party: str) -> bool:
    """Return whether passkeys of the relying party work on a page of that host."""
    return host == relying_party or host.endswith(f".{relying_party}")


def _page_url(request: Request, sandbox: Sandbox) -> str:
    """Return the address at which a passkey can be tried."""
    port = urlsplit(str(request.url)).port
    host = f"{sandbox.config.relying_party}{f':{port}' if port else ''}"
    return f"{request.url.scheme}://{host}{sandbox.control_path}"
