"""Webhooks: where they go, what was sent, and what the receivers answered."""

from collections import defaultdict
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dlt_authsignal.sandbox.app.console.buttons import Refused
from dlt_authsignal.sandbox.app.console.paging import paged
from dlt_authsignal.sandbox.app.console.render import page, pretty
from dlt_authsignal.sandbox.sandbox import Sandbox

DELIVERIES: Final = 25
"""Deliveries of a page."""

LONGEST_BODY: Final = 100_000
"""Characters of a body that a page shows. A batch of events can be longer."""


def webhooks(sandbox: Sandbox, request: Request, *, refused: Refused | None = None) -> Response:
    """Return the page with the deliveries, newest first."""
    newest = list(sandbox.webhooks.deliveries)[::-1]
    shown = sandbox.webhooks.shown()
    provided = {**shown["settings"]["provider_urls"], **shown["settings"]["verification_urls"]}
    return page(
        sandbox,
        request,
        "webhooks",
        "webhooks",
        status=400 if refused else 200,
        problem=refused.why if refused else "",
        given=defaultdict(str, refused.given if refused else {}),
        part=paged(newest, request.query_params.get("page", ""), DELIVERIES),
        settings=shown["settings"],
        provided=provided,
        outage=sandbox.webhooks.faults.outage,
        queued=shown["queued"],
        lost=shown["lost"] + shown["dropped"],
    )


def delivery(sandbox: Sandbox, request: Request) -> Response:
    """Return the page about one delivery."""
    asked = request.query_params.get("number", "")
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 12 else 0
    found = sandbox.webhooks.log.find(number)
    if found is None:
        return page(
            sandbox,
            request,
            "missing",
            "webhooks",
            status=404,
            what="delivery",
            title="There is no such delivery",
            name=asked,
        )
    content = sandbox.webhooks.log.content(number)
    body = _readable(content.body) if content else None
    return page(
        sandbox,
        request,
        "delivery",
        "webhooks",
        delivery=found,
        content=content,
        body=body and body[:LONGEST_BODY],
        is_cut=bool(body) and len(body or "") > LONGEST_BODY,
        answer=_readable((content.answer or "").encode()) if content else "",
    )


def _readable(raw: bytes) -> str:
    """Return JSON with indents, other text unchanged."""
    try:
        value: Any = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return raw.decode("utf-8", "replace")
    try:
        return pretty(value)
    except RecursionError:
        return raw.decode("utf-8", "replace")
