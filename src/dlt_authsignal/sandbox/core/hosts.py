"""Names and addresses of hosts: which of them are this machine, and how requests and options write them."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

LOOPBACK_NAME: Final = "localhost"

_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_AUTHORITY: Final = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[^\[\]:@/?#\s]+)(:[0-9]*)?")
_LAST_PORT: Final = 65_535
_LONGEST_NAME: Final = 253


def host_of(authority: str) -> str | None:
    """Return the host of a Host header, as `plain_host` writes it. None if the host or the port is invalid.

    Example:
        >>> host_of("LocalHost.:4443"), host_of("[::1]:80"), host_of("::1"), host_of("a:b")
        ('localhost', '::1', None, None)
    """
    found = _AUTHORITY.fullmatch(authority)
    if found is None or int((found[2] or "")[1:] or 0) > _LAST_PORT:
        return None
    return plain_host(found[1])


def plain_host(text: str) -> str | None:
    """Return a host name in lower case without its last dot, or the short form of an IP address. None: it is neither.

    Example:
        >>> plain_host("Example.COM."), plain_host("[0:0:0:0:0:0:0:1]"), plain_host("::ffff:127.0.0.1"), plain_host("*")
        ('example.com', '::1', '127.0.0.1', None)
    """
    if (address := _address(text.removeprefix("[").removesuffix("]"))) is not None:
        return str(address)
    name = text.lower().removesuffix(".")
    return name if len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) else None


def is_loopback(host: str) -> bool:
    """Return whether a plain host is this machine itself: an address of the loopback network, or a `localhost` name.

    RFC 6761 reserves `localhost` and all names below it, so that they cannot be registered.
    """
    if (address := _address(host)) is not None:
        return address.is_loopback
    return host == LOOPBACK_NAME or host.endswith(f".{LOOPBACK_NAME}")


def is_address(host: str) -> bool:
    """Return whether a plain host is an IP address."""
    return _address(host) is not None


def is_every_interface(host: str) -> bool:
    """Return whether a host is the address that stands for every interface of the machine: `0.0.0.0` or `::`."""
    address = _address(host)
    return address is not None and address.is_unspecified


def in_url(host: str) -> str:
    """Return a host as a URL writes it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
