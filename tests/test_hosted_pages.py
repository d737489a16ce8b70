"""The hosted pages over HTTP: states, hostile values, themes and texts. tests/test_hosted.py uses them in a browser."""

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.hosted.assumptions import ASSUMPTIONS
from dlt_authsignal.sandbox.hosted.texts import TEXTS
from tests.helpers import MANAGEMENT_SECRET, ROOT, ask

PHONE = "+64211234567"
APPLICATION = "https://app.example/done?a=1"


class Visitor:
    """A browser without JavaScript, on the pages of one user."""

    def __init__(self, running: RunningSandbox, **tracked: Any) -> None:
        self.running = running
        self.tracked = self.track(**tracked)
        self._session = requests.Session()

    def track(self, action: str = "signIn", **body: Any) -> Any:
        body = {"redirectUrl": APPLICATION, **body}
        return ask(self.running, "POST", f"/users/ada/actions/{action}", body)[1]

    def get(self, page: str = "", *, token: str | None = None, **query: str) -> requests.Response:
        params = {"token": token or self.tracked["token"], **query}
        return self._session.get(self._url(page), params=params, timeout=30, allow_redirects=page != "finish")

    def post(self, page: str, form: dict[str, str], **query: str) -> requests.Response:
        params = {"token": self.tracked["token"], **query}
        return self._session.post(self._url(page), data=form, params=params, timeout=30, allow_redirects=False)

    def follow(self, answer: requests.Response) -> requests.Response:
        """The page to which a form leads."""
        assert answer.status_code == 303
        return self._session.get(self._url("").removesuffix("/hosted/") + answer.headers["location"], timeout=30)

    def _url(self, page: str) -> str:
        return self.running.url.removesuffix("/v1") + f"/hosted/{page}"

    def enrol_sms(self) -> list[str]:
        """Enrol a phone number by the server, and return the recovery codes."""
        body = {"verificationMethod": "SMS", "phoneNumber": PHONE}
        codes: list[str] = ask(self.running, "POST", "/users/ada/authenticators", body)[1]["recoveryCodes"]
        return codes

    def manage(self, method: str, path: str, body: Any) -> None:
        status, _, _ = ask(self.running, method, f"/management/{path}", body, auth=basic_auth(MANAGEMENT_SECRET))
        assert status == 200


def title(answer: requests.Response) -> str:
    found = re.search(r"<h1>(.*?)</h1>", answer.text)
    assert found
    return unescape(found[1])


@pytest.fixture
def visitor(empty: RunningSandbox) -> Visitor:
    return Visitor(empty)


def test_the_url_of_track_leads_through_a_challenge_back_to_the_application_without_javascript(
    visitor: Visitor,
) -> None:
    url = urlsplit(visitor.tracked["url"])
    assert (url.hostname, url.path) == ("localhost", "/hosted/")
    assert parse_qs(url.query)["token"] == [visitor.tracked["token"]]
    assert title(visitor.get()) == "Protect your account"
    asked = visitor.follow(visitor.post("enrol", {"method": "EMAIL_OTP", "address": "ada@example.com"}))
    assert title(asked) == "Enter the code"
    message = visitor.running.outbox.last("ada@example.com")
    assert message
    done = visitor.follow(visitor.post("verify", {"method": "EMAIL_OTP", "code": message.code or "", "page": "code"}))
    assert title(done) == "You are all set"
    [access] = parse_qs(urlsplit(done.url).query)["token"]
    back = visitor.get("finish", token=access)
    assert back.status_code == 302
    assert back.headers["location"] == f"{APPLICATION}&token={access}"
    verdict = ask(visitor.running, "POST", "/validate", {"token": access})[1]
    assert (verdict["isValid"], verdict["verificationMethod"]) == (True, "EMAIL_OTP")


@pytest.mark.deep
@pytest.mark.parametrize(
    "hostile",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//app.example",
        "http://a b/",
        "app://x",
        'https://a/"onload=x',
        "app.example",
    ],
)
def test_a_redirect_url_that_is_not_of_the_web_is_never_followed(empty: RunningSandbox, hostile: str) -> None:
    visitor = Visitor(empty, redirectUrl=hostile)
    page = visitor.get()
    assert hostile not in unescape(page.text)
    assert page.headers["content-security-policy"].count("form-action 'self';") == 1
    finished = visitor.get("finish")
    assert finished.status_code == 200
    assert "not an http or https URL" in finished.text


def test_names_and_texts_are_never_markup(empty: RunningSandbox) -> None:
    hostile = "<img src=x onerror=alert(1)>\"'{{7*7}}"
    visitor = Visitor(empty, username=hostile)
    ask(empty, "PATCH", "/users/ada", {"displayName": hostile, "locale": hostile, "email": hostile})
    visitor.manage("PATCH", "tenant", {"name": hostile})
    visitor.manage("PATCH", "message-overrides", {"messageOverrides": {"en": {"enrol.title": hostile}}})
    visitor.manage("PATCH", "theme", {"logoUrl": hostile, "colors": {"link": "red;}*{x:y"}, "primaryColor": "</style>"})
    for page in (
        visitor.get(),
        visitor.get("address", method="EMAIL_OTP"),
        visitor.get("code", method="SMS", error="<b>"),
    ):
        assert page.status_code == 200
        assert "<img" not in page.text
        assert "<b>" not in page.text
        assert "{{7*7}}" in page.text
        assert "img-src 'self' data:;" in page.headers["content-security-policy"]
    sheet = visitor.get("theme.css").text
    assert "red" not in sheet
    assert "style>" not in sheet


@pytest.mark.deep
def test_an_expired_a_wrong_and_a_used_token_each_get_their_own_page(visitor: Visitor) -> None:
    [code, *_] = visitor.enrol_sms()
    visitor.tracked = visitor.track()
    assert visitor.get(token="abc").status_code == 401
    assert title(visitor.get(token="abc")) == "This link does not work"
    done = visitor.post("verify", {"method": "RECOVERY_CODE", "code": code})
    assert "/hosted/done?" in done.headers["location"]
    assert title(visitor.get()) == "This step is already complete"
    visitor.tracked = visitor.track()
    visitor.running.clock.advance(minutes=11)
    expired = visitor.get(mode="popup")
    assert (expired.status_code, title(expired)) == (401, "This page has expired")
    assert 'data-error-code="expired_token"' in expired.text
    ask(visitor.running, "DELETE", "/users/ada")
    assert title(visitor.get()) == "This link does not work"


@pytest.mark.deep
@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("BLOCK", "This action was blocked"),
        ("REVIEW_REQUIRED", "This action is under review"),
        ("CHALLENGE_FAILED", "Verification failed"),
        ("REVIEW_SUCCEEDED", "Nothing to verify"),
        ("ALLOW", "Nothing to verify"),
    ],
)
def test_a_state_without_a_challenge_leads_back_to_the_application(visitor: Visitor, state: str, shown: str) -> None:
    visitor.enrol_sms()
    visitor.tracked = visitor.track(idempotencyKey="k")
    ask(visitor.running, "PATCH", "/users/ada/actions/signIn/k", {"state": state})
    page = visitor.get()
    assert title(page) == shown
    assert f"{APPLICATION}&token=" in unescape(page.text)


@pytest.mark.deep
def test_only_methods_that_the_action_allows_are_offered(visitor: Visitor) -> None:
    visitor.enrol_sms()
    visitor.manage("PATCH", "action-configurations/signIn", {"verificationMethods": ["PASSKEY"]})
    visitor.manage("PATCH", "tenant", {"disableRecoveryCodes": True})
    visitor.tracked = visitor.track()
    assert title(visitor.get()) == "No method is available"
    visitor.tracked = visitor.track(scope="read:authenticators add:authenticators")
    page = visitor.get()
    assert title(page) == "Protect your account"
    assert re.findall(r"<span>(.*?)</span>", page.text) == ["Passkey"]


@pytest.mark.deep
def test_a_token_that_may_not_add_authenticators_adds_none_on_the_pages(visitor: Visitor) -> None:
    visitor.enrol_sms()
    visitor.tracked = visitor.track()
    refused = visitor.post("enrol", {"method": "EMAIL_OTP", "address": "mallory@example.com"})
    assert (refused.status_code, title(refused)) == (403, "This step did not work")
    assert len(visitor.running.sandbox.store.authenticators("ada")) == 1


def test_recovery_codes_are_shown_to_the_attempt_that_enrolled_and_to_no_other(visitor: Visitor) -> None:
    visitor.post("enrol", {"method": "SMS", "address": PHONE})
    message = visitor.running.outbox.last(PHONE)
    assert message
    visitor.post("verify", {"method": "SMS", "code": message.code or "", "page": "code"})
    [code, *_] = visitor.running.sandbox.new_recovery_codes("ada")
    assert code in visitor.get("done", added="SMS").text
    visitor.tracked = visitor.track("payment", scope="read:authenticators add:authenticators")
    page = visitor.get("done", added="SMS")
    assert code not in page.text


@pytest.mark.deep
def test_recovery_codes_cannot_be_guessed_without_end(visitor: Visitor) -> None:
    [code, *_] = visitor.enrol_sms()
    visitor.tracked = visitor.track()
    for _ in range(10):
        answer = visitor.post("verify", {"method": "RECOVERY_CODE", "code": "0000000000"})
        assert "error=code.wrong" in answer.headers["location"]
    answer = visitor.post("verify", {"method": "RECOVERY_CODE", "code": code})
    assert "error=code.too_many" in answer.headers["location"]


@pytest.mark.deep
def test_too_many_messages_are_explained_on_the_page(visitor: Visitor) -> None:
    visitor.enrol_sms()
    visitor.tracked = visitor.track()
    answers = [visitor.post("start", {"method": "SMS"}) for _ in range(7)]
    assert ["error" in answer.headers["location"] for answer in answers] == [False] * 6 + [True]
    assert "Too many messages" in visitor.follow(answers[-1]).text


@pytest.mark.deep
def test_pages_are_embedded_only_in_a_pop_up_and_are_never_stored(visitor: Visitor) -> None:
    for mode, ancestors in (({}, "'none'"), ({"mode": "popup"}, "http: https:")):
        headers = visitor.get(**mode).headers
        assert headers["content-security-policy"].endswith(f"frame-ancestors {ancestors}")
        assert "unsafe" not in headers["content-security-policy"]
        assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")


@pytest.mark.deep
def test_theme_and_texts_are_those_of_the_tenant_and_of_the_users_locale(visitor: Visitor) -> None:
    visitor.manage(
        "PATCH",
        "theme",
        {
            "logoUrl": "https://cdn.example/logo.svg",
            "primaryColor": "#ffcc00",
            "colors": {"cardBackground": "#fefefe"},
            "borders": {"buttonBorderRadius": 2},
            "container": {"contentAlignment": "center", "logoPosition": "outside"},
            "darkMode": {"primaryColor": "#003366"},
        },
    )
    german = {"enrol.title": "Konto schützen", "cancel": "Abbrechen"}
    visitor.manage("PATCH", "message-overrides", {"messageOverrides": {"de": german, "de-CH": {"cancel": "Zurück"}}})
    visitor.tracked = visitor.track(locale="de-CH")
    page = visitor.get()
    assert title(page) == "Konto schützen"
    assert ">Zurück</a>" in page.text
    assert '<html lang="de-CH">' in page.text
    assert 'src="https://cdn.example/logo.svg"' in page.text
    assert "img-src 'self' data: https://cdn.example;" in page.headers["content-security-policy"]
    light, _, dark = visitor.get("theme.css").text.partition("@media")
    assert "--primary:#ffcc00;--button-primary-text:#000;--card-background:#fefefe;--button-border-radius:2px" in light
    assert "--align:center" in light
    assert "--primary:#003366;--button-primary-text:#fff" in dark


@pytest.mark.deep
def test_the_application_chooses_the_url_of_the_pages_and_fixed_codes() -> None:
    config = SandboxConfig(pages_url="http://auth.localhost:4443/", fixed_codes={PHONE: "424242"})
    with run_in_thread(config) as running:
        visitor = Visitor(running)
        assert visitor.tracked["url"].startswith("http://auth.localhost:4443/hosted/?token=")
        visitor.post("enrol", {"method": "SMS", "address": PHONE})
        done = visitor.post("verify", {"method": "SMS", "code": "424242", "page": "code"})
        assert "/hosted/done?" in done.headers["location"]
        settings = {"fixed_codes": {"ada@example.com": "0000"}}
        assert ask(running, "POST", "/_sandbox/config", settings)[0] == 200
        body = {"verificationMethod": "EMAIL_OTP", "action": "signIn", "email": "ada@example.com"}
        ask(running, "POST", "/challenge", body)
        assert running.outbox.last("ada@example.com").code == "0000"  # type: ignore[union-attr]
        assert ask(running, "POST", "/_sandbox/config", {"fixed_codes": {"ada@example.com": "abc"}})[0] == 400


@pytest.mark.deep
@pytest.mark.parametrize(
    "wrong",
    [{"fixed_codes": {"a": "12"}}, {"fixed_codes": {"": "1234"}}, {"fixed_codes": "x"}, {"pages_url": "ftp://x/y"}],
)
def test_wrong_settings_of_the_pages_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SandboxConfig(**wrong)


def test_the_page_about_the_sandbox_has_every_assumption() -> None:
    text = (ROOT / "docs/sandbox.md").read_text("utf-8")
    for question, choice in ASSUMPTIONS:
        assert f"| {question} | {choice} |" in text


def test_the_sandbox_lists_the_texts_that_overrides_replace(empty: RunningSandbox) -> None:
    assert ask(empty, "GET", "/_sandbox/texts")[1] == {"texts": dict(TEXTS)}
