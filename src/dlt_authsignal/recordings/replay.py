"""Send the requests of a recording to a fresh sandbox, one after the other, and compare its responses."""

import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.recordings.values import Difference, Values
from dlt_authsignal.sandbox.app.serving.running import RunningSandbox
from dlt_authsignal.sandbox.app.serving.serve import run_in_thread
from dlt_authsignal.sandbox.core.page_urls import PAGES
from dlt_authsignal.sandbox.fixtures.fixture import Fixture
from dlt_authsignal.sandbox.recording.entries import Exchange, Recording
from dlt_authsignal.sandbox.recording.masks import HIDDEN, MASK

SECONDS: Final = 30.0
"""Longest wait for one response."""

WEB_SOCKET: Final = 101
REDIRECTS: Final = range(300, 400)
WEBHOOKS: Final = ("/_sandbox/webhooks", "/_sandbox/pages/do/webhooks-")
FIXTURE: Final = "/_sandbox/fixture"

SIGNED: Final = ("registrationCredential", "authenticationCredential", "signature", "publicKey")
"""Fields of requests that only the client's own key can make."""

CODE: Final = "MASKED-code-"
WRONG_CODE: Final = "000000"
_UNSENT: Final = frozenset({"content-length", "connection", "accept-encoding", "authorization", "transfer-encoding"})


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one request.

    Attributes:
        number: Its number in the recording.
        request: Method and path.
        skipped: Why it was not sent; None if it was.
        differences: Differences of the response.
    """

    number: int
    request: str
    skipped: str | None = None
    differences: tuple[Difference, ...] = ()


@dataclass
class _Answer:
    status: int
    headers: dict[str, str]
    text: str
    cookies: list[str] = field(default_factory=list)


def replay(recording: Recording, fixture: Fixture | None = None) -> list[Outcome]:
    """Start a sandbox with the recorded configuration, send the requests, and return what became of each.

    The sandbox's clock shows the recorded time at each request.

    Args:
        recording: The recording.
        fixture: The tenant with which the recorded sandbox started. A recording does not contain it.
    """
    is_secure = any(urlsplit(found.url).scheme in ("https", "wss") for found in recording.exchanges[:1])
    config = replace(recording.config, allowed_webhook_hosts=(), fixture=fixture)
    with run_in_thread(config, tls=is_secure) as running:
        return list(_Replay(recording, running).outcomes())


class _Replay:
    """The state of one replay."""

    def __init__(self, recording: Recording, running: RunningSandbox) -> None:
        self._recording, self._running = recording, running
        config = running.sandbox.config
        self._values = Values({"MASKED-server-1": config.api_secret_key, "MASKED-tenant-1": config.tenant_id})
        self._values.bound["MASKED-management-1"] = config.management_secret_key
        self._lost: dict[str, int] = {}
        self._connect = _connecting(running)

    def outcomes(self) -> Iterator[Outcome]:
        for found in self._recording.exchanges:
            yield self._outcome(found)

    def _outcome(self, found: Exchange) -> Outcome:
        request = f"{found.method} {urlsplit(found.url).path}"
        if reason := self._reason(found):
            self._lost |= dict.fromkeys(_masks(found.answer), found.number)
            return Outcome(number=found.number, request=request, skipped=reason)
        self._running.clock.show(found.clock)
        self._bind_codes(found)
        self._values.was_sent(f"{found.url} {found.body or ''}")
        try:
            answer = self._send(found)
        except (OSError, HTTPException) as error:
            answer = _Answer(0, {}, type(error).__name__)
        return Outcome(number=found.number, request=request, differences=tuple(self._compared(found, answer)))

    def _reason(self, found: Exchange) -> str | None:
        """Return why a request cannot be sent again; None if it can."""
        if found.status == WEB_SOCKET:
            return "a WebSocket"
        if found.method == "POST" and urlsplit(found.url).path.startswith(WEBHOOKS):
            return "it would send webhooks"
        if found.method == "POST" and urlsplit(found.url).path == FIXTURE:
            return "keys in a fixture are not recorded: pass the file with --fixture"
        if found.dropped and found.dropped.startswith("request"):
            return f"its body was not recorded ({found.dropped.removeprefix('request: ')})"
        text = f"{found.url} {found.body or ''} {' '.join(found.headers.values())}"
        unknown = set(self._values.unknown(text)) - found.codes.keys()
        if lost := min((self._lost[mask] for mask in unknown if mask in self._lost), default=None):
            return f"it needs the response to request {lost}, which was not sent"
        if unknown and any(f'"{name}"' in (found.body or "") for name in SIGNED):
            return "only the client's own key can make its signature"
        if unknown and _was_accepted(found):
            return "only a page or an app showed its code to the user"
        return None

    def _bind_codes(self, found: Exchange) -> None:
        sent = [message.code for message in self._running.outbox]
        for mask, place in found.codes.items():
            if place < len(sent) and (code := sent[place]):
                self._values.bound[mask] = code
        for mask in self._values.unknown(found.body or ""):
            if mask.startswith(CODE):
                self._values.bound[mask] = WRONG_CODE

    def _send(self, found: Exchange) -> _Answer:
        parts = urlsplit(found.url)
        target = self._values.fill(f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}")
        connection = self._connect()
        try:
            connection.putrequest(found.method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in self._headers(found):
                connection.putheader(name, value)
            body = self._body(found)
            if body or found.method in ("POST", "PUT", "PATCH"):
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            cookies = answer.headers.get_all("set-cookie") or []
            return _Answer(answer.status, headers, answer.read().decode("utf-8", "replace"), cookies)
        finally:
            connection.close()

    def _headers(self, found: Exchange) -> Iterator[tuple[str, str]]:
        for name, value in found.headers.items():
            if name not in _UNSENT and value != HIDDEN:
                yield name, self._values.fill(value)
        scheme, _, value = found.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            yield "authorization", basic_auth(self._values.fill(value))
        elif scheme:
            yield "authorization", f"{scheme} {self._values.fill(value)}".strip()

    def _body(self, found: Exchange) -> bytes:
        if found.body is None:
            return b""
        try:
            return json.dumps(self._values.filled(json.loads(found.body)), separators=(",", ":")).encode()
        except ValueError:  # a form
            return self._values.fill(found.body).encode()

    def _compared(self, found: Exchange, answer: _Answer) -> Iterator[Difference]:
        if found.status != answer.status:
            yield Difference(path="status", recorded=str(found.status), now=str(answer.status))
        for name in ("content-type", "location"):
            before, after = (headers.get(name, "") for headers in (found.answer_headers, answer.headers))
            if not self._values.are_same_text(before, after):
                yield Difference(path=f"header {name}", recorded=before, now=after)
        self._bind_cookies(found, answer)
        if found.answer is not None:
            yield from self._bodies(found.answer, answer.text)

    def _bodies(self, recorded: str, now: str) -> Iterator[Difference]:
        try:
            yield from self._values.differences(json.loads(recorded), json.loads(now))
        except ValueError:
            yield Difference(path="body", recorded="JSON", now="not JSON")

    def _bind_cookies(self, found: Exchange, answer: _Answer) -> None:
        recorded = found.answer_headers.get("set-cookie", "").partition(";")[0]
        for cookie in answer.cookies:
            self._values.are_same_text(recorded, cookie.partition(";")[0])


def _connecting(running: RunningSandbox) -> Callable[[], HTTPConnection]:
    """Return what opens a connection to a sandbox, without a proxy."""
    parts = urlsplit(running.url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    if not running.certificate:
        return lambda: HTTPConnection(host, port, timeout=SECONDS)
    trusted = ssl.create_default_context(cadata=running.certificate.authority.decode("ascii"))
    return lambda: HTTPSConnection(host, port, timeout=SECONDS, context=trusted)


def _was_accepted(found: Exchange) -> bool:
    """Return whether a code was right: by the response of the API, or by the page to which the form led."""
    if '"isVerified":true' in (found.answer or ""):
        return True
    is_form = found.method == "POST" and urlsplit(found.url).path == f"{PAGES}verify"
    led_to = urlsplit(found.answer_headers.get("location", "")).path
    return is_form and found.status in REDIRECTS and led_to not in (f"{PAGES}code", f"{PAGES}app")


def _masks(text: str | None) -> set[str]:
    return {found[0] for found in MASK.finditer(text or "")}
