"""(status, headers, body) to a value or to one of our errors, and back: the error bodies Authsignal sends."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from dlt_authsignal.api.endpoints import Endpoint
from dlt_authsignal.errors import (
    HttpError,
    RateLimited,
    RequestRefused,
    ServerFault,
    TokenExpired,
    Unauthorized,
    UnexpectedAnswer,
)

UNAUTHORIZED_TEXT: Final = (
    "The request is unauthorized. Check that your API key and region base URL are correctly configured."
)
"""The one description known word for word: six official SDK test suites assert it."""

_CODE: Final = re.compile(r"[A-Za-z]+(_[A-Za-z]+)*")
_MEDIA_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9.+-]+")
LONGEST_WORD: Final = 40
"""What an answer says of itself is quoted only where it looks like what it should be: a proxy may echo a secret."""

_REFUSED_ESCAPES: Final = (b"\\ud", b"\\uD", b"\\u0000")
"""What NUL and half surrogate pairs are written with."""

_ERROR_ONLY: Final = frozenset({"error", "errorCode", "errorDescription", "message", "statusCode"})
"""What is said of an error by Authsignal, and by what stands before it. An answer of these alone is no other."""

Json = dict[str, Any] | list[Any]


def error_body(code: str, description: str) -> dict[str, str]:
    """Body of a refusal. Both spellings of the code, since half of the official SDKs read each."""
    return {"error": code, "errorCode": code, "errorDescription": description}


def decode(
    endpoint: Endpoint,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    expect: type[Json],
    loads: Callable[[bytes], Any] = json.loads,
    escaped: Callable[[Endpoint], None] = lambda _: None,
) -> Any:
    """JSON value of a successful answer.

    Args:
        endpoint: The route asked.
        status: HTTP status.
        headers: Response headers with lower-case names.
        body: Raw body.
        expect: `dict` or `list`, the documented top-level shape.
        loads: Reads JSON; raises ValueError for what is none.
        escaped: Called where text in it had to be made storable.

    Raises:
        HttpError: The subclass that says what to do.
    """
    if 200 <= status < 300:
        value = _decode_success(endpoint, status, headers, body, expect, loads)
        if any(escape in body for escape in _REFUSED_ESCAPES) or not _is_utf8(body):
            said, value = value, storable(value)
            if said != value:
                escaped(endpoint)
        return value
    raise refusal(endpoint, status, headers, body)


def _decode_success(
    endpoint: Endpoint,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    expect: type[Json],
    loads: Callable[[bytes], Any],
) -> Json:
    try:
        value = loads(body)
    except RecursionError:
        raise _unexpected(endpoint, status, "JSON nested too deeply to read") from None
    except ValueError:
        raise _unexpected(endpoint, status, _what_is(headers, body)) from None
    if isinstance(value, dict) and _is_error(value):
        code = _known_form(value.get("errorCode") or value.get("error"), _CODE) or "of no known code"
        raise _unexpected(endpoint, status, f"an error body ({code}) with a success status")
    if not isinstance(value, expect):
        found = "an object" if isinstance(value, dict) else "an array" if isinstance(value, list) else "a bare value"
        raise _unexpected(endpoint, status, f"{found} where the API documents an {_name(expect)}")
    if isinstance(value, list) and not all(isinstance(item, dict) for item in value):
        raise _unexpected(endpoint, status, "something other than objects in its array")
    return value


def _is_error(value: dict[str, Any]) -> bool:
    return value.keys() >= {"error", "errorCode"} or (bool(value) and value.keys() <= _ERROR_ONLY)


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def storable(value: Any) -> Any:
    """A JSON value whose text any file and database takes.

    Half surrogate pairs, legal in JSON and in no file, and NUL, which PostgreSQL refuses, become their escapes.
    """
    if isinstance(value, str):
        return value.replace("\x00", "\\u0000").encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [storable(item) for item in value]
    return {storable(name): storable(item) for name, item in value.items()} if isinstance(value, dict) else value


def _name(expect: type[Json]) -> str:
    return "array" if expect is list else "object"


def _what_is(headers: Mapping[str, str], body: bytes) -> str:
    said = headers.get("content-type", "").split(";")[0].strip().lower()
    content_type = _known_form(said, _MEDIA_TYPE) or "no content type"
    if not body:
        return "an empty body"
    if body.lstrip()[:1] == b"<":
        return f"an HTML or XML page ({content_type})"
    if body.lstrip()[:1] in b"{[":
        return f"JSON that ends early or is malformed ({len(body)} bytes)"
    return f"something that is not JSON ({content_type}, {len(body)} bytes)"


def _unexpected(endpoint: Endpoint, status: int, found: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"Authsignal answered {status} to {endpoint} with {found}.",
        request=str(endpoint),
        status=status,
    )


def refusal(endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> HttpError:
    """Return the error for a response that is not 2xx. It states facts; the source adds which setting to check.

    It quotes Authsignal's code, not its text, which may repeat what was sent.
    """
    code = error_code(body)
    facts: dict[str, Any] = {"request": str(endpoint), "status": status, "error_code": code}
    said = f"Authsignal answered {status}{f' ({code})' if code else ''} to {endpoint}"
    if code == "expired_token":
        return TokenExpired(
            f"{said}: the token has expired; tokens live about 10 minutes."
            " Have your server track an action, put the new token where the old one was, and run again.",
            **facts,
        )
    if status in (401, 403):
        return Unauthorized(f"{said}.", auth=endpoint.auth, **facts)
    if status == 429:
        wait = retry_after(headers)
        return RateLimited(
            f"{said}: too many requests.",
            retry_after=wait,
            **facts,
        )
    if status >= 500:
        return ServerFault(
            f"{said}. The fault is on Authsignal's side; run again later.", retry_after=retry_after(headers), **facts
        )
    return RequestRefused(f"{said}.", **facts)


def error_code(body: bytes) -> str | None:
    """`errorCode` (or `error`) of an error body, None when there is none or it is no code."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    return _known_form(value.get("errorCode") or value.get("error"), _CODE)


def _known_form(value: Any, form: re.Pattern[str]) -> str | None:
    return value if isinstance(value, str) and len(value) <= LONGEST_WORD and form.fullmatch(value) else None


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that `Retry-After` asks for, in either of its two forms; None when absent or unreadable."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:  # a date in "-0000": UTC, of unknown origin
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())
