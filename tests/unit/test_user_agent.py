"""User agents in the shape and with the names of ua-parser-js."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_authsignal.sandbox.tenant.catalogue import PLATFORMS
from dlt_authsignal.sandbox.verification.user_agent import parsed

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"

KNOWN: list[tuple[str, dict[str, Any]]] = [
    (
        f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/141.0.0.0 Safari/537.36",
        {
            "browser": {"name": "Chrome", "version": "141.0.0.0", "major": "141"},
            "os": {"name": "Linux"},
            "engine": {"name": "Blink", "version": "141.0.0.0"},
            "device": {},
            "cpu": {"architecture": "amd64"},
        },
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
        "Mobile/15E148 Safari/604.1",
        {
            "browser": {"name": "Mobile Safari", "version": "18.5", "major": "18"},
            "os": {"name": "iOS", "version": "18.5"},
            "engine": {"name": "WebKit", "version": "605.1.15"},
            "device": {"vendor": "Apple", "model": "iPhone", "type": "mobile"},
            "cpu": {},
        },
    ),
    (
        "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/141.0.0 "
        "Mobile/15E148 Safari/604.1",
        {
            "browser": {"name": "Chrome", "version": "141.0.0", "major": "141"},
            "os": {"name": "iOS", "version": "17.5"},
            "engine": {"name": "WebKit", "version": "605.1.15"},
            "device": {"vendor": "Apple", "model": "iPad", "type": "tablet"},
            "cpu": {},
        },
    ),
    (
        f"Mozilla/5.0 (Linux; Android 16; Pixel 9) {WEBKIT} Chrome/141.0.0.0 Mobile Safari/537.36",
        {
            "browser": {"name": "Chrome", "version": "141.0.0.0", "major": "141"},
            "os": {"name": "Android", "version": "16"},
            "engine": {"name": "Blink", "version": "141.0.0.0"},
            "device": {"vendor": "Google", "model": "Pixel 9", "type": "mobile"},
            "cpu": {},
        },
    ),
    (
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0",
        {
            "browser": {"name": "Edge", "version": "141.0.0.0", "major": "141"},
            "os": {"name": "Windows", "version": "10"},
            "engine": {"name": "Blink", "version": "141.0.0.0"},
            "device": {},
            "cpu": {"architecture": "amd64"},
        },
    ),
    (
        "Mozilla/5.0 (Android 14; Mobile; rv:130.0) Gecko/130.0 Firefox/130.0",
        {
            "browser": {"name": "Firefox", "version": "130.0", "major": "130"},
            "os": {"name": "Android", "version": "14"},
            "engine": {"name": "Gecko", "version": "130.0"},
            "device": {"type": "mobile"},
            "cpu": {},
        },
    ),
    ("unknown", {"browser": {}, "os": {}, "engine": {}, "device": {}, "cpu": {}}),
]


@pytest.mark.parametrize(("text", "parts"), KNOWN)
def test_a_user_agent_is_shown_in_parts(text: str, parts: dict[str, Any]) -> None:
    assert parsed(text) == {"ua": text, **parts}


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.agent["os"]["name"])
def test_the_invented_passkeys_have_the_same_names(platform: Any) -> None:
    found = parsed(platform.user_agent)
    for part in ("browser", "os", "engine"):
        assert found[part]["name"] == platform.agent[part]["name"]
    assert found["browser"]["major"] == platform.agent["browser"]["major"]
    assert found["device"] == platform.agent["device"]


@given(st.text(max_size=2000))
def test_any_text_is_parsed(text: str) -> None:
    found = parsed(text)
    assert found["ua"] == text
    assert set(found) == {"ua", "browser", "device", "engine", "os", "cpu"}
