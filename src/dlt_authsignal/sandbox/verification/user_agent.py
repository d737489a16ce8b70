"""A user agent in parts, as Authsignal shows it: the shape and the names of the library ua-parser-js.

ua-parser recognises browser, system and device. It does not tell engine, processor and form of the device, which
follow from a few words that browsers have agreed on.
"""

import re
from typing import Any, Final

Json = dict[str, Any]

LONGEST: Final = 512
"""More of a user agent is not parsed: thousands of patterns search it."""

_BROWSERS: Final = {
    "Chrome Mobile": "Chrome",
    "Chrome Mobile iOS": "Chrome",
    "Chrome Mobile WebView": "Chrome WebView",
    "HeadlessChrome": "Chrome Headless",
    "Edge Mobile": "Edge",
    "Firefox Mobile": "Firefox",
    "Firefox iOS": "Firefox",
    "Opera Mobile": "Opera",
}
_SYSTEMS: Final = {"Mac OS X": "Mac OS", "Chrome OS": "Chromium OS"}
_MODELS: Final = {"Mac": "Macintosh"}
_UNKNOWN: Final = ("Generic", "Other")

_ENGINES: Final = (
    ("Gecko", re.compile(r"rv:([\d.]+)\) Gecko/")),
    ("Blink", re.compile(r"Chrome/([\d.]+)")),
    ("WebKit", re.compile(r"AppleWebKit/([\d.]+)")),
)
_PROCESSORS: Final = (
    ("amd64", re.compile(r"x86_64|x86-64|Win64|x64;|amd64|WOW64", re.IGNORECASE)),
    ("arm64", re.compile(r"aarch64|arm64", re.IGNORECASE)),
    ("ia32", re.compile(r"i[3-6]86")),
)


def parsed(user_agent: str) -> Json:
    """Return `parsedUserAgent` of a passkey. Unknown parts are left out; `ua` is the whole text.

    Example:
        >>> found = parsed("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        >>> found["browser"], found["os"]
        ({'name': 'Firefox', 'version': '140.0', 'major': '140'}, {'name': 'Linux'})
    """
    from ua_parser import parse  # loads for some tenths of a second

    text = user_agent[:LONGEST]
    found = parse(text)
    browser, system, device = found.user_agent, found.os, found.device
    return {
        "ua": user_agent,
        "browser": {
            "name": _BROWSERS.get(browser.family, browser.family),
            **_version(browser.major, browser.minor, browser.patch, browser.patch_minor),
            **({"major": browser.major} if browser.major else {}),
        }
        if browser
        else {},
        "device": _device(text, device.brand if device else None, device.model if device else None),
        "engine": _engine(text),
        "os": {
            "name": _SYSTEMS.get(system.family, system.family),
            **_version(system.major, system.minor, system.patch, system.patch_minor),
        }
        if system
        else {},
        "cpu": next(({"architecture": name} for name, word in _PROCESSORS if word.search(text)), {}),
    }


def _version(*parts: str | None) -> Json:
    known = [part for part in parts if part]
    return {"version": ".".join(known)} if known else {}


def _device(text: str, brand: str | None, model: str | None) -> Json:
    device: Json = {}
    if brand and brand not in _UNKNOWN:
        device |= {"vendor": brand, **({"model": _MODELS.get(model, model)} if model else {})}
    if "iPad" in text or ("Android" in text and "Mobile" not in text):
        device["type"] = "tablet"
    elif "Mobile" in text:
        device["type"] = "mobile"
    return device


def _engine(text: str) -> Json:
    for name, word in _ENGINES:
        if match := word.search(text):
            return {"name": name, "version": match[1]}
    return {}
