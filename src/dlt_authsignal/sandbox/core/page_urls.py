"""URLs of the hosted pages, and of the application to which they lead back."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

from dlt_authsignal.sandbox.core.hosts import LOOPBACK_NAME, host_of, in_url, is_address, is_loopback

PAGES: Final = "/hosted/"
"""Path of the hosted pages. The real ones have a host of their own."""

LONGEST: Final = 4096
"""Longest redirect URL that the pages follow."""

PAGES_URL: Final = re.compile(r"https?://[a-zA-Z0-9.\[\]:-]+/?")
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f\\<>\"'`]")


def page_url(base_url: str, token: str, *, configured: str | None, relying_party: str) -> str:
    """Return the URL of the pages for one token, which a browser on this machine can open.

    Passkeys belong to a name. So a loopback address becomes `localhost` if the passkeys belong to that name.

    Args:
        base_url: URL at which the caller of `track` reached the sandbox, without a path.
        token: The token.
        configured: Base URL of the pages, if the configuration sets it.
        relying_party: Domain of the passkeys.
    """
    base = configured or _named(base_url, relying_party)
    return f"{base.rstrip('/')}{PAGES}?token={quote(token, safe='')}"


def _named(base_url: str, relying_party: str) -> str:
    parts = urlsplit(base_url)
    host = host_of(parts.netloc)
    if relying_party != LOOPBACK_NAME or host is None or not (is_address(host) and is_loopback(host)):
        return base_url
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, f"{LOOPBACK_NAME}{port}", "", "", ""))


@dataclass(frozen=True)
class ReturnUrl:
    """A page of the application.

    Attributes:
        url: The whole URL.
        origin: Scheme, host and port, as a Content-Security-Policy writes them.
    """

    url: str
    origin: str

    def with_token(self, token: str) -> str:
        """Return the URL with the token as a query parameter, as Authsignal appends it."""
        parts = urlsplit(self.url)
        query = f"{parts.query}&" if parts.query else ""
        return urlunsplit(parts._replace(query=f"{query}token={quote(token, safe='')}"))


def return_url(text: str | None) -> ReturnUrl | None:
    """Return where the pages may lead back to. None unless the text is a plain http or https URL.

    Example:
        >>> return_url("https://app.example/done?a=1").with_token("t")
        'https://app.example/done?a=1&token=t'
        >>> return_url("javascript:alert(1)"), return_url("//app.example"), return_url("https:app.example")
        (None, None, None)
    """
    if not text or len(text) > LONGEST or _UNSAFE.search(text):
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    host = host_of(parts.netloc.rpartition("@")[2])
    if parts.scheme not in ("http", "https") or host is None:
        return None
    return ReturnUrl(text, f"{parts.scheme}://{in_url(host)}{f':{port}' if port else ''}")
