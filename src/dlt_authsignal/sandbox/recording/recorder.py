"""Write every request and its response to a file, without secrets."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dlt_authsignal.sandbox.recording.entries import Exchange, header, line
from dlt_authsignal.sandbox.recording.masks import HIDDEN, MASK, Masks
from dlt_authsignal.sandbox.sandbox import Sandbox

LARGEST: Final = 4 * 1024 * 1024
"""Bytes of a body that are kept. A longer one is left out: a part of it could not be masked."""

PLAIN: Final = frozenset(
    {"accept", "accept-language", "allow", "content-length", "content-type", "date", "host", "origin", "retry-after",
     "user-agent", "vary"}
)  # fmt: skip
"""Headers that are recorded unchanged. Of others, only the names are."""

FORM: Final = "application/x-www-form-urlencoded"


@dataclass
class _Body:
    """The bytes of a body, if it is not too large, and their number."""

    raw: bytearray = field(default_factory=bytearray)
    size: int = 0

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size <= LARGEST:
            self.raw += chunk


class Recorder:
    """Writes a recording. It belongs around the app that a server calls.

    Args:
        sandbox: The sandbox that is recorded.
        path: The new file. It gets mode 600, because it contains personal data.
        on_failure: Is called with a message when the file cannot be written any more. The sandbox runs on.

    Raises:
        FileExistsError: The file exists. It was not changed.
        OSError: The file cannot be created.
    """

    def __init__(self, sandbox: Sandbox, path: Path, on_failure: Callable[[str], None]) -> None:
        self._sandbox, self._path, self._on_failure = sandbox, path, on_failure
        self._masks = Masks(sandbox.config)
        self._count = 0
        path.touch(mode=0o600, exist_ok=False)
        self._file: FileIO = path.open("ab", buffering=0)
        self._file.write(header(sandbox.config, sandbox.clock.now()))

    def close(self) -> None:
        """Close the file. Later requests are not recorded."""
        self._file.close()

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return the app with the recorder around it."""

        async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] not in ("http", "websocket"):
                await app(scope, receive, send)
                return
            self._count += 1
            one = _One(self._count, scope, self._sandbox)

            async def sent(message: Message) -> None:
                one.sees(message)
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    self._write(one)  # before it is sent: a client must not get what a killed sandbox did not record
                await send(message)

            try:
                await app(scope, one.receiving(receive), sent)
            finally:
                self._write(one)

        return recorded

    def _write(self, one: "_One") -> None:
        if self._file.closed or one.is_written:
            return
        one.is_written = True
        try:
            self._file.write(line(one.exchange(self._masks, self._sandbox)))
        except OSError as error:
            self.close()
            self._on_failure(f"Recording stopped: cannot write {self._path}: {error.strerror}. The sandbox runs on.")


class _One:
    """One request while it is answered."""

    def __init__(self, number: int, scope: Scope, sandbox: Sandbox) -> None:
        self._number, self._scope = number, scope
        self._clock, self._started, self._since = sandbox.clock.now(), datetime.now(UTC), time.perf_counter()
        self._body, self._answer = _Body(), _Body()
        self._status, self._headers = 0, list[tuple[bytes, bytes]]()
        self.is_written = False

    def receiving(self, receive: Receive) -> Receive:
        async def received() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                self._body.add(message.get("body", b""))
            return message

        return received

    def sees(self, message: Message) -> None:
        """Keep what the app sends."""
        match message["type"]:
            case "http.response.start":
                self._status, self._headers = message["status"], list(message.get("headers", ()))
            case "http.response.body":
                self._answer.add(message.get("body", b""))
            case "websocket.accept":
                self._status = 101
            case "websocket.close" if not self._status:
                self._status = 403

    def exchange(self, masks: Masks, sandbox: Sandbox) -> Exchange:
        """Return the request and the response without secrets."""
        headers, answered = _headers(self._scope["headers"], masks), _headers(self._headers, masks)
        body, lost = _kept(self._body, headers, masks)
        answer, left_out = _kept(self._answer, answered, masks)
        plain = bytes(self._body.raw).decode("utf-8", "replace") if body else ""
        return Exchange(
            number=self._number,
            clock=self._clock,
            started=self._started,
            milliseconds=round((time.perf_counter() - self._since) * 1000, 3),
            method=self._scope.get("method", "GET"),
            url=_url(self._scope, headers, masks),
            headers=headers,
            body=body,
            status=self._status,
            answer_headers=answered,
            answer=answer,
            answer_bytes=self._answer.size,
            dropped=f"request: {lost}" if lost else f"response: {left_out}" if left_out else None,
            codes=_codes(body or "", plain, masks, sandbox),
        )


def _url(scope: Scope, headers: dict[str, str], masks: Masks) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    scheme = scope["scheme"]
    return masks.url(f"{scheme}://{headers.get('host', 'localhost')}{path}{f'?{query}' if query else ''}")


def _headers(pairs: Iterable[tuple[bytes, bytes]], masks: Masks) -> dict[str, str]:
    found = {}
    for raw_name, raw in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw.decode("latin-1")
        found[name] = _header(name, value, masks)
    return found


def _header(name: str, value: str, masks: Masks) -> str:
    if name in PLAIN:
        return masks.text(value)
    match name:
        case "authorization":
            return masks.authorization(value)
        case "cookie" | "set-cookie":
            return masks.cookies(value)
        case "location":
            return masks.url(value)
    return HIDDEN


def _kept(body: _Body, headers: dict[str, str], masks: Masks) -> tuple[str | None, str | None]:
    """Return a body without secrets, and why it is not kept, if it is not."""
    if not body.size:
        return None, None
    if body.size > LARGEST:
        return None, f"longer than {LARGEST} bytes"
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == FORM:
            return masks.form(bytes(body.raw).decode()), None
        if kind and not kind.endswith("json"):
            return None, f"{kind} may show secrets that cannot be masked"
        value: Any = msgspec.json.decode(bytes(body.raw))
        return msgspec.json.encode(masks.value(value)).decode(), None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, "not valid JSON, so its secrets cannot be masked"


def _codes(masked: str, plain: str, masks: Masks, sandbox: Sandbox) -> dict[str, int]:
    """Return, for each masked code of a request, the place of the newest message in the outbox that had it."""
    wanted = {found[0] for found in MASK.finditer(masked) if found[1] == "code"}
    if not wanted:
        return {}
    places: dict[str, int] = {}
    for place, message in enumerate(sandbox.outbox):
        if message.code and message.code in plain and (mask := masks.mask(message.code, "code")) in wanted:
            places[mask] = place
    return places
