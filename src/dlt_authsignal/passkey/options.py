"""Checks of a browser before it calls an authenticator: its own origin, and the options of a ceremony."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from dlt_authsignal.errors import ConfigurationError, OptionsUnusable

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


def check_origin(origin: str) -> None:
    """Check that browsers allow passkeys at this origin.

    Raises:
        ConfigurationError: The origin is malformed, is an IP address, or uses http for a host other than localhost.
    """
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    if _is_address(host):
        raise ConfigurationError(f"Browsers do not support passkeys at an IP address. Use localhost instead of {host}.")
    default_port = {"https": 443, "http": 80}.get(parts.scheme)
    written = f"{parts.scheme}://{host}" + ("" if port is None else f":{port}")
    if not host or default_port in (None, port) or origin != written or not origin.isascii():
        # not quoted: it may contain a password
        raise ConfigurationError(
            "origin must have the form that browsers use: scheme, host in lower case, port if it is not the default,"
            " and no slash at the end. For example: http://localhost:4443"
        )
    if parts.scheme == "http" and host != "localhost" and not host.endswith(".localhost"):
        raise ConfigurationError(
            f"Browsers do not support passkeys over http, except at localhost. Use https://{host}."
        )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def part(options: Mapping[str, Any], name: str, *, required: bool = True) -> Mapping[str, Any]:
    """Return the object in a field; {} if the field is optional and missing."""
    value = options.get(name)
    if value is None and not required:
        return {}
    if not isinstance(value, Mapping):
        raise _unusable(name, "an object")
    return value


def rows(options: Mapping[str, Any], name: str, *, required: bool = False) -> list[Mapping[str, Any]]:
    """Return the list of objects in a field; [] if the field is optional and missing."""
    value = options.get(name)
    if value is None and not required:
        return []
    if not isinstance(value, list | tuple) or not all(isinstance(row, Mapping) for row in value):
        raise _unusable(name, "a list of objects")
    return list(value)


def decoded(options: Mapping[str, Any], name: str) -> bytes:
    """Return the bytes in a field of base64url text without padding."""
    value = options.get(name)
    if not isinstance(value, str) or not _BASE64URL.fullmatch(value) or len(value) % 4 == 1:
        raise _unusable(name, "base64url text without padding")
    return urlsafe_b64decode(value + "=" * (-len(value) % 4))


def user_of(options: Mapping[str, Any]) -> tuple[bytes, str, str]:
    """Return (id, name, displayName) of `user`."""
    user = part(options, "user")
    handle, name, display_name = decoded(user, "id"), user.get("name"), user.get("displayName")
    if not 1 <= len(handle) <= 64:
        raise _unusable("user.id", "1 to 64 bytes")
    if not isinstance(name, str) or not isinstance(display_name, str):
        raise _unusable("user.name or user.displayName", "text")
    return handle, name, display_name


def _unusable(name: str, form: str) -> OptionsUnusable:
    return OptionsUnusable(
        f"`{name}` is missing or is not {form}. Pass the options object itself, not the server response around it."
    )


def wants_resident(selection: Mapping[str, Any]) -> bool:
    """Return whether the site prefers or requires a discoverable passkey."""
    wanted = selection.get("residentKey")
    return bool(selection.get("requireResidentKey")) if wanted is None else wanted in ("preferred", "required")


def encoded(value: bytes) -> str:
    """Return bytes as base64url text without padding."""
    return urlsafe_b64encode(value).rstrip(b"=").decode()
