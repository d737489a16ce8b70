"""The operating system and the browser of a user agent, by the library ua-parser: they identify no person.

Only names in the two lists are returned. The library also returns the names of programs that it finds in a user agent,
which an app's developer chose, so they could be anything.
"""

from functools import lru_cache
from typing import Final

LONGEST: Final = 512
"""More of a user agent is not parsed: thousands of patterns search it."""

_LINUX: Final = ("Linux", "Ubuntu", "Debian", "Fedora", "Red Hat", "CentOS", "Arch Linux", "Gentoo", "Mint", "SUSE")
_SYSTEMS: Final = {
    "Windows": "Windows",
    "Windows Phone": "Windows Phone",
    "Mac OS X": "Mac OS",
    "Mac OS": "Mac OS",
    "iOS": "iOS",
    "Android": "Android",
    "Chrome OS": "Chrome OS",
    "KaiOS": "KaiOS",
    **dict.fromkeys(_LINUX, "Linux"),
}
_BROWSERS: Final = {
    "Chrome": "Chrome",
    "Chrome Mobile": "Chrome",
    "Chrome Mobile iOS": "Chrome",
    "Chrome Mobile WebView": "Chrome",
    "HeadlessChrome": "Chrome",
    "Chromium": "Chrome",
    "Safari": "Safari",
    "Mobile Safari": "Safari",
    "Mobile Safari UI/WKWebView": "Safari",
    "Edge": "Edge",
    "Edge Mobile": "Edge",
    "Firefox": "Firefox",
    "Firefox Mobile": "Firefox",
    "Firefox iOS": "Firefox",
    "Opera": "Opera",
    "Opera Mobile": "Opera",
    "Opera Mini": "Opera",
    "Opera Touch": "Opera",
    "Opera GX": "Opera",
    "Samsung Internet": "Samsung Internet",
    "DuckDuckGo Mobile": "DuckDuckGo",
    "DuckDuckGo": "DuckDuckGo",
    "Brave": "Brave",
    "Yandex Browser": "Yandex Browser",
    "UC Browser": "UC Browser",
    "IE": "Internet Explorer",
    "IE Mobile": "Internet Explorer",
    "Android": "Android Browser",
}


def os_of(user_agent: str) -> str | None:
    """Return the operating system of a user agent; None if it is unknown."""
    return _families_of(user_agent[:LONGEST])[0]


def browser_of(user_agent: str) -> str | None:
    """Return the browser of a user agent; None if it is unknown, or an app."""
    return _families_of(user_agent[:LONGEST])[1]


@lru_cache(maxsize=16_384)
def _families_of(user_agent: str) -> tuple[str | None, str | None]:
    """Return both. Half a millisecond for a new user agent, so the answers are kept: user agents repeat."""
    from ua_parser import parse_os, parse_user_agent  # loads for some tenths of a second

    system, browser = parse_os(user_agent), parse_user_agent(user_agent)
    return (
        _SYSTEMS.get(system.family) if system else None,
        _BROWSERS.get(browser.family) if browser else None,
    )
