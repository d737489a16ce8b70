"""Find the proxy of the environment for an address."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.source.config.connection import is_loopback

_ALL: Final = "all"


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """A proxy of the environment.

    Attributes:
        url: Its address, without user name and password.
        login: Its user name and password; None if the address has none.
        variable: Environment variable that contains it.
    """

    url: URL
    login: aiohttp.BasicAuth | None
    variable: str

    @property
    def place(self) -> str:
        """Its host and port, and the variable, for messages."""
        return f"{self.url.host}:{self.url.port} ({self.variable})"


def proxy_for(base: URL) -> Proxy | None:
    """Return the proxy for an address: HTTPS_PROXY or HTTP_PROXY, else ALL_PROXY, unless NO_PROXY excludes the host.

    Raises:
        ConfigurationError: The variable is not the URL of an HTTP proxy.
    """
    host, found = base.host or "", getproxies()
    if is_loopback(host) or proxy_bypass(f"{host}:{base.port}"):
        return None
    kind = base.scheme if found.get(base.scheme) else _ALL
    text = found.get(kind, "").strip()
    return _parsed(text, f"{kind.upper()}_PROXY", host) if text else None


def _parsed(text: str, variable: str, host: str) -> Proxy:
    """Return the proxy of a variable. As in curl, an address without a scheme is an HTTP proxy's."""
    advice = f"Set it to a URL such as http://proxy.example.com:8080, or add {host} to NO_PROXY. Nothing was read."
    try:
        url = URL(text if "://" in text else f"http://{text}")
        login = (
            aiohttp.BasicAuth(unquote(url.raw_user or ""), unquote(url.raw_password or "")) if url.raw_user else None
        )
        is_complete = bool(url.host and url.port)
    except ValueError:  # its message quotes the address, and so a password
        is_complete = False
    if not is_complete and not text.lower().startswith("socks"):
        raise ConfigurationError(f"The environment variable {variable} is not the URL of a proxy. {advice}")
    if url.scheme.startswith("socks"):
        raise ConfigurationError(
            f"The environment variable {variable} names a SOCKS proxy, which is not supported. Only HTTP proxies are."
            f" {advice}"
        )
    if url.scheme not in ("http", "https"):
        raise ConfigurationError(
            f'The environment variable {variable} names a proxy with scheme "{url.scheme}", which is not supported.'
            f" {advice}"
        )
    return Proxy(url=url.with_user(None), login=login, variable=variable)
