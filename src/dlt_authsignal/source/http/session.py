"""HTTP sessions: one that sends only GET, and one that sends only a given list of calls."""

import re
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Any

import aiohttp
from yarl import URL

from dlt_authsignal.api.endpoints import Route
from dlt_authsignal.errors import MutationRefused
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.http.proxy import proxy_for
from dlt_authsignal.source.http.tls import trusted


def _guarded_session(
    pace: RequestLimits, base: URL, allowed: Callable[[str, str], bool], refused: str
) -> aiohttp.ClientSession:
    """Return a session that sends only requests for which `allowed(method, path)` is true."""

    class Guarded(aiohttp.ClientRequest):
        def __init__(self, method: str, url: URL, *arguments: Any, **more: Any) -> None:
            if not allowed(method, url.raw_path):
                raise MutationRefused(f"Refused to send a {method}: {refused}.")
            super().__init__(method, url, *arguments, **more)

    proxy = proxy_for(base)
    is_encrypted = base.scheme == "https" or (proxy is not None and proxy.url.scheme == "https")
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=pace.concurrency, ssl=trusted() if is_encrypted else True),
        timeout=aiohttp.ClientTimeout(total=pace.timeout),
        request_class=Guarded,
        proxy=proxy.url if proxy else None,
        proxy_auth=proxy.login if proxy else None,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"dlt-authsignal/{version('dlt-authsignal')}", "Accept": "application/json"},
    )


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
