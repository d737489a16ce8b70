"""One call to Authsignal without retries, with its response and duration."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from yarl import URL

from dlt_authsignal.api.endpoints import Endpoint
from dlt_authsignal.errors import HttpError
from dlt_authsignal.source.http.advice import decode
from dlt_authsignal.source.http.connection_faults import explained
from dlt_authsignal.source.http.proxy import proxy_for

Json = dict[str, Any]


@dataclass(kw_only=True)
class Call:
    """One call and its result.

    Attributes:
        name: Purpose of the call; for a ceremony's call, its table.
        endpoint: The route that was called.
        authenticated_with: `token`, `tenant` or `server`.
        called_at: Time of the call.
        milliseconds: Time from sending the request to the end of the response; 0 if the call was not made.
        status: HTTP status; None if no response came.
        answer: The response object; empty for a refusal and for an array.
        items: The response array.
        error_code: Authsignal's or this package's error code, or the DOMException name if the authenticator refused.
        error: Description of the error.
    """

    name: str
    endpoint: Endpoint
    authenticated_with: str
    called_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    milliseconds: float = 0.0
    status: int | None = None
    answer: Json = field(default_factory=dict)
    items: list[Json] = field(default_factory=list)
    error_code: str | None = None
    error: str | None = None

    @property
    def options(self) -> Json:
        """Return the ceremony's options; empty if the response has none."""
        found = self.answer.get("options")
        return found if isinstance(found, dict) else {}


async def send(
    session: aiohttp.ClientSession,
    call: Call,
    base: URL,
    authorization: str,
    body: Json | None = None,
    *,
    expect: type[Json | list[Json]] = dict,
    **values: str,
) -> Call:
    """Send the call once and store its result in it. Refusals are stored, not raised.

    Args:
        session: Session that may refuse to send the request.
        call: The call to send.
        base: Base URL.
        authorization: Value of the `Authorization` header.
        body: JSON body; fields with None are omitted.
        expect: Documented JSON type of the response, `dict` or `list`.
        **values: Path placeholders, unencoded.

    Raises:
        Unauthorized: The key or token is not valid here.
        TokenExpired: The token has expired.
    """
    sent = None if body is None else {name: value for name, value in body.items() if value is not None}
    url = URL(f"{base}{call.endpoint.fill(**values)}", encoded=True)
    headers = {"Authorization": authorization}
    raw = b""
    call.called_at, started = datetime.now(UTC), time.perf_counter()
    try:
        async with session.request(
            call.endpoint.method, url, json=sent, headers=headers, allow_redirects=False
        ) as answer:
            raw = await answer.read()
            call.milliseconds = (time.perf_counter() - started) * 1000
            call.status = answer.status
            lower = {name.lower(): value for name, value in answer.headers.items()}
        found = decode(call.endpoint, answer.status, lower, raw, expect)
        if isinstance(found, list):
            call.items = found
        else:
            call.answer = found
    except HttpError as error:
        if error.status == 401 and error.error_code in (None, "unauthorized", "expired_token"):
            raise
        call.error_code = error.error_code or type(error).__name__
        call.error = description(raw, [sent, *_credential(authorization), *values.values()]) or str(error)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        call.milliseconds = (time.perf_counter() - started) * 1000
        fault = explained(error, base, proxy_for(base))
        call.error_code, call.error = "network_error", f"{call.endpoint}: {fault.reason}. {fault.advice}"
    return call


def description(raw: bytes, sent: Any) -> str | None:
    """Return Authsignal's error description, unless it repeats a sent value, which may be secret or personal."""
    try:
        found = json.loads(raw)["errorDescription"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(found, str) or any(text in found for text in _texts(sent)):
        return None
    return found[:300]


def _credential(authorization: str) -> list[str]:
    """Return the forms in which a response may repeat the sent header."""
    scheme, _, value = authorization.partition(" ")
    return [value, base64.b64decode(value).decode().removesuffix(":")] if scheme == "Basic" else [value]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and len(value) > 3:
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
