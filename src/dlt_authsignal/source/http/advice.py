"""What to change after a failed request: adds the names of settings to the facts that the API layer states."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, get_args

from dlt_authsignal.api import responses
from dlt_authsignal.api.endpoints import Auth, Endpoint
from dlt_authsignal.api.responses import Json
from dlt_authsignal.errors import HttpError, RateLimited, RequestRefused, Unauthorized, UnexpectedAnswer

_SECTION: Final = "sources.authsignal_source"
_REGION: Final = "region (us, au, eu, ca)"
_OTHER_REGION: Final = f"{_REGION}: the keys of another region are refused in the same way."

SETTINGS: Final[Mapping[str, str]] = {
    "server": "api_secret_key",
    "management": "management_secret_key",
    "bearer": "token",
    "tenant": "tenant_id",
    "tenant or bearer": "tenant_id and token",
    "none": "base_url",
}
"""The setting that holds what each authentication scheme sends; for requests without credentials, the address."""

assert SETTINGS.keys() == set(get_args(Auth))  # noqa: S101 - a scheme without its setting would blame another key


def decode(
    endpoint: Endpoint,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    expect: type[Json],
    loads: Callable[[bytes], Any] = json.loads,
    escaped: Callable[[Endpoint], None] = lambda _: None,
) -> Any:
    """Return the JSON of a successful response, as `api.responses.decode` does.

    Raises:
        HttpError: The subclass that fits, with the settings to check.
    """
    try:
        return responses.decode(endpoint, status, headers, body, expect, loads, escaped)
    except HttpError as error:
        error.args = (f"{error}{_advice(error, body)}",)
        raise


def withdrawn(endpoint: Endpoint) -> Unauthorized:
    """Return the error for a 401 to credentials that were accepted before in the same run."""
    name = SETTINGS[endpoint.auth]
    return Unauthorized(
        f"Authsignal answered 401 to {endpoint}, after it had accepted the same {name} in this run. The {name} has been"
        f" revoked or replaced since. Nothing was loaded. Put the new one into {_SECTION}.{name} and run again.",
        request=str(endpoint),
        status=401,
        error_code="unauthorized",
        auth=endpoint.auth,
    )


def _advice(error: HttpError, body: bytes) -> str:
    """Return what to do, as sentences that follow the error's own."""
    if isinstance(error, Unauthorized):
        if _is_page(body):  # Authsignal answers in JSON
            return f" The response is a web page, and Authsignal answers in JSON. {_BETWEEN}"
        return f" Check {_SECTION}.{SETTINGS[error.auth or 'none']}, and {_OTHER_REGION}"
    if isinstance(error, RateLimited):
        return " Lower rate or concurrency, and run again."
    if isinstance(error, UnexpectedAnswer):
        return f" Check that base_url points at the Authsignal API (…/v1). {_BETWEEN if _is_page(body) else _PROXY}"
    if isinstance(error, RequestRefused):
        return _refused(error.status or 0, body)
    return ""


_PROXY: Final = "Check that no proxy answers in its place."
_BETWEEN: Final = (
    "A proxy, a firewall or the network's login page may answer in its place: open the address in a browser, sign in"
    " to the network, or correct HTTPS_PROXY."
)
_PLAIN_TO_TLS: Final = (b"HTTPS port", b"SSL-enabled server port", b"HTTP request to an HTTPS server")
"""What nginx, Apache and Go's servers write in response to plain HTTP on a port that speaks TLS."""


def _is_page(body: bytes) -> bool:
    return body.lstrip()[:1] == b"<"


def _refused(status: int, body: bytes) -> str:
    if any(sign in body for sign in _PLAIN_TO_TLS):
        return " This port speaks TLS: write https:// in base_url."
    if status == 407:
        return " The proxy requires a user name and a password: set HTTP_PROXY to http://USER:PASSWORD@HOST:PORT."
    if 300 <= status < 400:
        return f" Redirects are not followed: correct base_url. {_BETWEEN}"
    if status == 404:
        return f" Check base_url: it ends in /v1.{f' {_BETWEEN}' if _is_page(body) else ''}"
    return f" The response is a web page, and Authsignal answers in JSON. {_BETWEEN}" if _is_page(body) else ""
