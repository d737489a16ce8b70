"""HTTP sessions: one that sends only GET, and one that sends only a given list of calls."""

import re
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from dlt_authsignal.api.endpoints import Route
from dlt_authsignal.errors import MutationRefused
from dlt_authsignal.source.config.connection import is_loopback
from dlt_authsignal.source.config.request_limits import RequestLimits


def _guarded_session(
    pace: RequestLimits, base: URL, allowed: Callable[[str, str], bool], refused: str
) -> aiohttp.ClientSession:
    """Return a session that sends only requests for which `allowed(method, path)` is true."""

    class Guarded(aiohttp.ClientRequest):
        def __init__(self, method: str, url: URL, *arguments: Any, **more: Any) -> None:
            if not allowed(method, url.raw_path):
                raise MutationRefused(f"Refused to send a {method}: {refused}.")
            super().__init__(method, url, *arguments, **more)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=pace.concurrency),
        timeout=aiohttp.ClientTimeout(total=pace.timeout),
        request_class=Guarded,
        trust_env=_has_proxy(base),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"dlt-authsignal/{version('dlt-authsignal')}", "Accept": "application/json"},
    )


def _has_proxy(base: URL) -> bool:
    """Return whether the environment sets a proxy for the address. aiohttp would look it up on every request."""
    host = base.host or ""
    return not is_loopback(host) and base.scheme in getproxies() and not proxy_bypass(host)


def read_only_session(pace: RequestLimits, base: URL) -> aiohttp.ClientSession:
    """Return a session that sends only GET."""
    return _guarded_session(pace, base, lambda method, _path: method == "GET", "this session is read-only")


def writing_session(pace: RequestLimits, base: URL, allowed: Iterable[Route]) -> aiohttp.ClientSession:
    """Return a session that sends only calls of the given routes."""
    prefix = re.escape(base.raw_path.rstrip("/"))
    routes = [(method, re.compile(prefix + path)) for method, path in allowed]

    def is_allowed(method: str, path: str) -> bool:
        return any(method == known and pattern.fullmatch(path) for known, pattern in routes)

    return _guarded_session(pace, base, is_allowed, "it is not one of the allowed calls")
