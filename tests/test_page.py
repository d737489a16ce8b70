"""The sandbox's page, short of a browser: who gets it, what it is told, what its panel may do."""

import json
import re
from importlib.resources import files
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.app.console.overview import SHOWN
from dlt_authsignal.sandbox.app.console.render import OWN
from dlt_authsignal.sandbox.app.pages import prefers_html
from tests.helpers import ask

CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (CHROMIUM, True),
        ("TEXT/HTML", True),
        ("text/html; charset=utf-8; q=0.9, application/json; q=0.8", True),
        ("application/json, text/html", True),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/json, text/html;q=0.5", False),
        ("text/html;q=0", False),
        ("text/html;q=1.2.3", False),
        (",;,", False),
    ],
)
def test_a_browser_is_distinguished_from_a_program(accept: str, wanted: bool) -> None:
    assert prefers_html(accept) is wanted


def test_a_browser_gets_the_page_and_a_program_json(empty: RunningSandbox) -> None:
    with urlopen(Request(empty.control_url, headers={"Accept": CHROMIUM}), timeout=30) as answer:
        html = answer.read().decode()
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["vary"] == "Accept"
    assert "<title>Overview · Authsignal sandbox</title>" in html
    with urlopen(empty.control_url, timeout=30) as answer:
        assert json.loads(answer.read())["tenantId"] == empty.sandbox.config.tenant_id


def test_the_scripts_of_the_pages_load_nothing_and_write_no_markup() -> None:
    folder = files("dlt_authsignal.sandbox.app.console").joinpath("static")
    for name in OWN:
        text = folder.joinpath(name).read_text("utf-8")
        assert not re.search(r"https?://|@import|url\(|<iframe", text), name
        assert not re.search(r"innerHTML|insertAdjacent|document\.write|eval\(", text), name


def test_lists_on_the_page_are_newest_first_and_limited(empty: RunningSandbox) -> None:
    for place in range(SHOWN + 5):
        ask(empty, "GET", f"/users/{place}")
    ask(empty, "POST", "/challenge", {"verificationMethod": "EMAIL_OTP", "action": "a", "email": "a@x"})
    ask(empty, "POST", "/challenge", {"verificationMethod": "SMS", "action": "a", "phoneNumber": "+1"})
    shown = ask(empty, "GET", "/_sandbox/page")[1]
    assert (shown["total"], len(shown["requests"])) == (SHOWN + 7, SHOWN)
    assert shown["requests"][0]["route"] == "POST /challenge"
    assert [message["to"] for message in shown["outbox"]] == ["+1", "a@x"]
    assert ask(empty, "GET", "/_sandbox/requests")[1]["total"] == SHOWN + 7


def test_a_configured_key_is_not_shown() -> None:
    with run_in_thread(SandboxConfig(api_secret_key="chosen")) as running:
        shown = ask(running, "GET", "/_sandbox/page")[1]
    assert (shown["apiSecretKey"], shown["managementSecretKey"]) == (None, "sandbox-management-secret")
    assert "chosen" not in json.dumps(shown)


def test_the_try_route_tracks_a_sign_in_with_a_token_that_can_add_passkeys(empty: RunningSandbox) -> None:
    ask(empty, "POST", "/users/a%2Fb/authenticators", {"verificationMethod": "SMS", "phoneNumber": "+1"})
    status, answer, _ = ask(empty, "POST", "/_sandbox/try", {"userId": " a/b "})
    assert (status, answer["userId"], answer["isEnrolled"]) == (200, "a/b", True)
    assert answer["state"] == "CHALLENGE_REQUIRED"
    path = "/client/user-authenticators/passkey/registration-options"
    assert ask(empty, "POST", path, {}, auth=f"Bearer {answer['token']}")[0] == 200


@pytest.mark.parametrize("body", [None, [], {}, {"userId": 3}, {"userId": "  "}])
def test_the_try_route_needs_a_user(empty: RunningSandbox, body: Any) -> None:
    status, answer, _ = ask(empty, "POST", "/_sandbox/try", body)
    assert status == 400
    assert answer["error"] == "invalid_request"
    assert empty.sandbox.store.counts()["users"] == 0


def test_an_unknown_link_is_reported(empty: RunningSandbox) -> None:
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{empty.control_url}magic-link?secret=x", timeout=30)
    with refused.value as answer:
        assert answer.status == 404
        assert "unknown" in answer.read().decode()
