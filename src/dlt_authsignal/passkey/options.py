"""What a browser reads before it asks an authenticator: its own origin, and the options of a ceremony."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from dlt_authsignal.errors import ConfigurationError, OptionsUnusable

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


def check_origin(origin: str) -> None:
    """Refuse an origin that no browser would show a passkey at.

    Raises:
        ConfigurationError: Not written as browsers do, an IP address, or http anywhere but at localhost.
    """
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    if _is_address(host):
        raise ConfigurationError(f"Browsers have no passkeys at an IP address. Use localhost instead of {host}.")
    default_port = {"https": 443, "http": 80}.get(parts.scheme)
    written = f"{parts.scheme}://{host}" + ("" if port is None else f":{port}")
    if not host or default_port in (None, port) or origin != written or not origin.isascii():
        # not quoted: it may carry a password
        raise ConfigurationError(
            "origin must be written as a browser does: scheme, host in lower case, port unless it is the default, no"
            " slash at the end. For example: http://localhost:4443"
        )
    if parts.scheme == "http" and host != "localhost" and not host.endswith(".localhost"):
        raise ConfigurationError(f"Browsers have no passkeys over http, except at localhost. Use https://{host}.")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def part(options: Mapping[str, Any], name: str, *, required: bool = True) -> Mapping[str, Any]:
    """The object in a field; {} if it may be absent and is."""
    value = options.get(name)
    if value is None and not required:
        return {}
    if not isinstance(value, Mapping):
        raise _unusable(name, "an object")
    return value


def rows(options: Mapping[str, Any], name: str, *, required: bool = False) -> list[Mapping[str, Any]]:
    """The list of objects in a field; [] if it may be absent and is."""
    value = options.get(name)
    if value is None and not required:
        return []
    if not isinstance(value, list | tuple) or not all(isinstance(row, Mapping) for row in value):
        raise _unusable(name, "a list of objects")
    return list(value)


def decoded(options: Mapping[str, Any], name: str) -> bytes:
    """The bytes in a field of base64url text without padding."""
    value = options.get(name)
    if not isinstance(value, str) or not _BASE64URL.fullmatch(value) or len(value) % 4 == 1:
        raise _unusable(name, "base64url text without padding")
    return urlsafe_b64decode(value + "=" * (-len(value) % 4))


def user_of(options: Mapping[str, Any]) -> tuple[bytes, str, str]:
    """(id, name, displayName) of `user`."""
    user = part(options, "user")
    handle, name, display_name = decoded(user, "id"), user.get("name"), user.get("displayName")
    if not 1 <= len(handle) <= 64:
        raise _unusable("user.id", "1 to 64 bytes")
    if not isinstance(name, str) or not isinstance(display_name, str):
        raise _unusable("user.name or user.displayName", "text")
    return handle, name, display_name


def _unusable(name: str, form: str) -> OptionsUnusable:
    return OptionsUnusable(
        f"`{name}` is missing or is not {form}. Pass the options themselves, without what the server wraps them in."
    )


def wants_resident(selection: Mapping[str, Any]) -> bool:
    """Whether the site prefers or requires a discoverable passkey."""
    wanted = selection.get("residentKey")
    return bool(selection.get("requireResidentKey")) if wanted is None else wanted in ("preferred", "required")


def encoded(value: bytes) -> str:
    """Bytes as base64url text without padding."""
    return urlsafe_b64encode(value).rstrip(b"=").decode()
