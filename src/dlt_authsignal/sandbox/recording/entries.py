"""The lines of a recording: a header, and an entry of HAR 1.2 for each request."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec

from dlt_authsignal.errors import RecordingUnreadable
from dlt_authsignal.sandbox.core.clock import iso
from dlt_authsignal.sandbox.core.config import SandboxConfig

FORMAT: Final = 1
"""Number of the form that this version writes and reads."""

UNRECORDED: Final = ("api_secret_key", "management_secret_key", "fixed_codes", "fixture", "tenants")
"""Fields of the configuration that are not recorded: they contain keys or codes, or are refused with `--record`."""

_encode = msgspec.json.encode


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request and its response, without secrets.

    Attributes:
        number: Its place among the requests, in the order in which they arrived.
        clock: The sandbox's time at the request.
        started: The machine's time at the request.
        milliseconds: Time until the end of the response.
        method: HTTP method.
        url: The whole URL.
        headers: Headers of the request; names in lower case.
        body: The request's body as text; None if there is none, or it was not kept.
        status: Status of the response. 0 without a response, 101 for a WebSocket.
        answer_headers: Headers of the response.
        answer: The response's body as text; None if there is none, or it was not kept.
        answer_bytes: Size of the response's body.
        dropped: Why a body was not kept; None if all was.
        codes: For masks of codes: the place of the message in the outbox that had the code.
    """

    number: int
    clock: datetime
    started: datetime
    milliseconds: float
    method: str
    url: str
    headers: Mapping[str, str]
    body: str | None
    status: int
    answer_headers: Mapping[str, str]
    answer: str | None
    answer_bytes: int
    dropped: str | None = None
    codes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Recording:
    """A recording that was read.

    Attributes:
        config: The configuration of the sandbox, without keys and fixed codes.
        exchanges: The requests in the order in which they arrived.
    """

    config: SandboxConfig
    exchanges: tuple[Exchange, ...]


def header(config: SandboxConfig, start: datetime) -> bytes:
    """Return the first line.

    Args:
        config: The configuration of the sandbox.
        start: The sandbox's time, with which a replay starts if the configuration has none.
    """
    config = config if config.starts_at else replace(config, now=start)
    kept = {each.name: getattr(config, each.name) for each in fields(config) if each.name not in UNRECORDED}
    creator = {"name": "dlt-authsignal sandbox", "version": version("dlt-authsignal")}
    return _encode({"log": {"version": "1.2", "creator": creator, "_format": FORMAT, "_config": kept}}) + b"\n"


def line(found: Exchange) -> bytes:
    """Return the line of one request."""
    kind = found.headers.get("content-type", "")
    posted = {} if found.body is None else {"postData": {"mimeType": kind, "text": found.body}}
    text = {} if found.answer is None else {"text": found.answer}
    content = {"size": found.answer_bytes, "mimeType": found.answer_headers.get("content-type", ""), **text}
    empty: dict[str, Any] = {"cookies": [], "httpVersion": "HTTP/1.1", "headersSize": -1, "bodySize": -1}
    entry = {
        "startedDateTime": iso(found.started),
        "time": found.milliseconds,
        "request": {
            **empty,
            "method": found.method,
            "url": found.url,
            "headers": _pairs(found.headers),
            "queryString": [],
            **posted,
        },
        "response": {
            **empty,
            "status": found.status,
            "statusText": "",
            "headers": _pairs(found.answer_headers),
            "content": content,
            "redirectURL": found.answer_headers.get("location", ""),
        },
        "cache": {},
        "timings": {"send": 0, "wait": found.milliseconds, "receive": 0},
        "_number": found.number,
        "_clock": iso(found.clock),
        **({"_dropped": found.dropped} if found.dropped else {}),
        **({"_codes": dict(found.codes)} if found.codes else {}),
    }
    return _encode(entry) + b"\n"


def _pairs(headers: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers.items()]


def read(path: Path) -> Recording:
    """Read a recording.

    Raises:
        RecordingUnreadable: The file cannot be read, or a line of it is not part of a recording.
    """
    try:
        with path.open("rb") as file:
            config = _config(path, file.readline())
            found = [_exchange(path, number, text) for number, text in _lines(file)]
    except OSError as error:
        raise RecordingUnreadable(f"Cannot read {path}: {error.strerror}. Nothing was sent.") from None
    return Recording(config, tuple(sorted(found, key=lambda each: each.number)))


def _lines(file: Any) -> Iterator[tuple[int, bytes]]:
    """Yield numbered lines. A sandbox that was killed may leave a last line without an end."""
    for number, text in enumerate(file, start=2):
        if text.endswith(b"\n") and text.strip():
            yield number, text


def _config(path: Path, text: bytes) -> SandboxConfig:
    try:
        log = msgspec.json.decode(text)["log"]
        if log["_format"] != FORMAT:
            raise RecordingUnreadable(
                f"{path} has the form {log['_format']}; this version reads {FORMAT}. Record it again. Nothing was sent."
            )
        return msgspec.convert(log["_config"], SandboxConfig)
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError, UnicodeDecodeError):
        raise RecordingUnreadable(
            f"{path} is not a recording of the sandbox: its first line is not a header. Nothing was sent."
        ) from None


def _exchange(path: Path, number: int, text: bytes) -> Exchange:
    try:
        entry = msgspec.json.decode(text)
        request, response = entry["request"], entry["response"]
        return Exchange(
            number=int(entry["_number"]),
            clock=datetime.fromisoformat(entry["_clock"]),
            started=datetime.fromisoformat(entry["startedDateTime"]),
            milliseconds=float(entry["time"]),
            method=str(request["method"]),
            url=str(request["url"]),
            headers={pair["name"]: pair["value"] for pair in request["headers"]},
            body=request.get("postData", {}).get("text"),
            status=int(response["status"]),
            answer_headers={pair["name"]: pair["value"] for pair in response["headers"]},
            answer=response["content"].get("text"),
            answer_bytes=int(response["content"]["size"]),
            dropped=entry.get("_dropped"),
            codes=dict(entry.get("_codes", {})),
        )
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError, AttributeError):
        raise RecordingUnreadable(
            f"{path}, line {number}: this is not a request of a recording. Nothing was sent. Delete the line, or record"
            " again."
        ) from None
