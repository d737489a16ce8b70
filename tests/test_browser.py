"""Conformance of the Client API: Authsignal's browser SDK in a real Chromium, with virtual authenticators."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyotp
import pytest
import requests

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.sandbox import Fixture, RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.core.base64_text import decoded
from dlt_authsignal.sandbox.verification.software_app import SoftwareApp
from tests.chromium import SharedChromium
from tests.helpers import ask
from tests.node_process import NodeProcess
from tests.tiers import deep_after

EMAIL, PHONE = "ada@example.com", "+64211234567"


@dataclass(frozen=True)
class Browser:
    """Chromium, and the sandbox it talks to."""

    process: NodeProcess
    running: RunningSandbox

    @property
    def base_url(self) -> str:
        """As a browser must say it: passkeys are tied to localhost, not to an address."""
        return self.running.url.replace("127.0.0.1", "localhost")

    def do(self, op: str, **about: Any) -> Any:
        answer = self.process.ask(op=op, **about)
        assert "error" not in answer, answer["error"]
        return answer["returned"]

    def open(self, **client: Any) -> None:
        """A fresh page of an application that has the SDK, on a computer with a fingerprint reader."""
        tenant = self.running.sandbox.config.tenant_id
        self.do("open", options={"tenantId": tenant, "baseUrl": self.base_url, **client})
        self.do("authenticator", transport="internal")

    def sdk(self, path: str, **argument: Any) -> Any:
        """What the SDK's method answers."""
        answer = self.do("sdk", path=path, argument=argument)
        assert "said" in answer, answer["thrown"]
        return answer["said"]

    def sdk_throws(self, path: str, **argument: Any) -> Any:
        return self.do("sdk", path=path, argument=argument)["thrown"]

    def set_token(self, token: str) -> None:
        self.do("evaluate", expression=f"void client.setToken('{token}')")

    def track(self, action: str = "signIn", user_id: str = "ada", **about: Any) -> str:
        """The application's server tracks an action, and hands the token to its page."""
        token: str = ask(self.running, "POST", f"/users/{user_id}/actions/{action}", about)[1]["token"]
        return token

    def validate(self, token: str, **about: Any) -> Any:
        """The application's server asks for the verdict."""
        return ask(self.running, "POST", "/validate", {"token": token, **about})[1]

    def sent(self) -> Any:
        """The newest message."""
        message = self.running.sandbox.outbox.last()
        assert message is not None
        return message

    def server_enrolls(self, **about: Any) -> None:
        assert ask(self.running, "POST", "/users/ada/authenticators", about)[0] == 200


@pytest.fixture(scope="module")
def chromium(chromium_process: SharedChromium) -> Iterator[Browser]:
    with run_in_thread(SandboxConfig()) as running, chromium_process.used() as process:
        yield Browser(process, running)


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    """A fresh page before an empty tenant."""
    chromium.running.sandbox.reset()
    chromium.open()
    return chromium


def sign_up(browser: Browser, **about: Any) -> Any:
    return browser.sdk("passkey.signUp", token=browser.track(), **about)["data"]


def assert_succeeded(browser: Browser, token: str, method: str, action: str = "signIn") -> None:
    verdict = browser.validate(token, userId="ada", action=action)
    assert verdict.items() >= {"isValid": True, "state": "CHALLENGE_SUCCEEDED", "verificationMethod": method}.items()


def test_a_passkey_is_created_and_completes_the_challenge_of_its_user(browser: Browser) -> None:
    data = sign_up(browser, username="ada@example.com", displayName="Ada")
    assert data["userAuthenticator"]["verificationMethod"] == "PASSKEY"
    assert data["userAuthenticator"]["webauthnCredential"]["credentialId"] == data["registrationResponse"]["id"]
    assert data["userAuthenticator"]["webauthnCredential"]["parsedUserAgent"]["browser"]["name"].startswith("Chrome")
    assert_succeeded(browser, data["token"], "PASSKEY")
    [held] = browser.do("credentials", transport="internal")
    assert (held["rpId"], held["userName"]) == ("localhost", "ada@example.com")


def test_a_passkey_signs_in_without_a_user_name(browser: Browser) -> None:
    made = sign_up(browser)
    data = browser.sdk("passkey.signIn")["data"]
    assert (data["isVerified"], data["userId"]) == (True, "ada")
    assert data["userAuthenticatorId"] == made["userAuthenticator"]["userAuthenticatorId"]
    assert_succeeded(browser, data["token"], "PASSKEY", browser.running.sandbox.config.passkey_action)


def test_a_browser_signs_in_with_the_private_key_of_a_fixtures_passkey(browser: Browser) -> None:
    users = {"ada": {"email": EMAIL, "authenticators": [{"verificationMethod": "PASSKEY"}]}}
    browser.running.load(Fixture.of({"users": users}))
    answer = requests.get(f"{browser.running.control_url}passkey?userId=ada", timeout=30).json()
    [held] = answer["credentials"]
    credential = {
        "credentialId": standard(held["credential_id"]),
        "userHandle": standard(held["user_handle"]),
        "privateKey": "".join(held["private_key"].splitlines()[1:-1]),
        "rpId": held["rp_id"],
        "signCount": held["sign_count"],
        "isResidentCredential": True,
    }
    browser.do("addCredential", transport="internal", credential=credential)
    for _ in range(2):
        data = browser.sdk("passkey.signIn")["data"]
        assert (data["isVerified"], data["userId"]) == (True, "ada")


def standard(text: str) -> str:
    """Base64 as the browser's developer tools want it."""
    return base64.b64encode(decoded(text) or b"").decode()


def test_a_passkey_signs_in_for_an_action(browser: Browser) -> None:
    sign_up(browser)
    data = browser.sdk("passkey.signIn", action="checkOut")["data"]
    assert_succeeded(browser, data["token"], "PASSKEY", "checkOut")


def test_a_passkey_completes_the_challenge_of_a_token(browser: Browser) -> None:
    sign_up(browser)
    token = browser.track("payment")
    assert browser.validate(token)["state"] == "CHALLENGE_REQUIRED"
    data = browser.sdk("passkey.signIn", token=token)["data"]
    assert data["isVerified"] is True
    assert_succeeded(browser, data["token"], "PASSKEY", "payment")
    assert_succeeded(browser, token, "PASSKEY", "payment")


def test_a_passkey_signs_in_from_autofill(browser: Browser) -> None:
    sign_up(browser)
    data = browser.sdk("passkey.signIn", autofill=True, action="signIn")["data"]
    assert_succeeded(browser, data["token"], "PASSKEY")


@pytest.mark.parametrize("action", deep_after(1, [None, "checkOut"]))
def test_cookies_contain_the_challenge_if_the_page_uses_them(browser: Browser, action: str | None) -> None:
    sign_up(browser, useCookies=True)
    for _ in range(2):
        data = browser.sdk("passkey.signIn", useCookies=True, action=action)["data"]
        assert data["isVerified"] is True
        assert_succeeded(browser, data["token"], "PASSKEY", action or browser.running.sandbox.config.passkey_action)


@pytest.mark.deep
def test_cookies_work_with_a_token_too(browser: Browser) -> None:
    sign_up(browser, useCookies=True)
    token = browser.track("payment")
    assert browser.sdk("passkey.signIn", useCookies=True, token=token)["data"]["isVerified"] is True
    assert_succeeded(browser, token, "PASSKEY", "payment")


@pytest.mark.deep
def test_one_device_holds_one_passkey_of_a_user(browser: Browser) -> None:
    made = sign_up(browser)
    thrown = browser.sdk_throws("passkey.signUp", token=made["token"])
    assert thrown["code"] == "ERROR_AUTHENTICATOR_PREVIOUSLY_REGISTERED"


@pytest.mark.deep
def test_the_sdk_detects_whether_the_device_has_a_passkey(browser: Browser) -> None:
    assert browser.sdk("passkey.isAvailableOnDevice", userId="ada") is False
    made = sign_up(browser)
    assert browser.sdk("passkey.isAvailableOnDevice", userId="ada") is True
    assert browser.sdk("passkey.isAvailableOnDevice", userId="bob") is False
    wanted = made["userAuthenticator"]["userAuthenticatorId"]
    ask(browser.running, "DELETE", f"/users/ada/authenticators/{wanted}")
    assert browser.sdk("passkey.isAvailableOnDevice", userId="ada") is False


@pytest.mark.deep
def test_a_passkey_deleted_by_the_server_is_an_unknown_credential(browser: Browser) -> None:
    wanted = sign_up(browser)["userAuthenticator"]["userAuthenticatorId"]
    ask(browser.running, "DELETE", f"/users/ada/authenticators/{wanted}")
    assert browser.sdk("passkey.signIn")["errorCode"] == "unknown_credential"


@pytest.mark.deep
def test_a_security_key_is_enrolled_and_completes_a_challenge(browser: Browser) -> None:
    browser.do("authenticator", transport="usb")
    browser.set_token(browser.track())
    assert_succeeded(browser, browser.sdk("securityKey.enroll")["data"]["token"], "SECURITY_KEY")
    assert len(browser.do("credentials", transport="usb")) == 1
    token = browser.track("payment")
    browser.set_token(token)
    data = browser.sdk("securityKey.verify")["data"]
    assert data["isVerified"] is True
    assert_succeeded(browser, token, "SECURITY_KEY", "payment")


def test_an_authenticator_app_is_enrolled_and_completes_a_challenge(browser: Browser) -> None:
    browser.set_token(browser.track())
    data = browser.sdk("totp.enroll")["data"]
    app = pyotp.parse_uri(data["uri"])
    assert isinstance(app, pyotp.TOTP)
    assert app.secret == data["secret"]
    clock = browser.running.sandbox.clock
    verified = browser.sdk("totp.verify", code=app.at(clock.now()))["data"]
    assert verified["isVerified"] is True
    assert verified["userAuthenticator"]["verificationMethod"] == "AUTHENTICATOR_APP"
    clock.advance(timedelta(seconds=60))
    token = browser.track("payment")
    browser.set_token(token)
    assert browser.sdk("totp.verify", code=app.at(clock.now()))["data"]["isVerified"] is True
    assert_succeeded(browser, token, "AUTHENTICATOR_APP", "payment")


@pytest.mark.parametrize(
    ("name", "method", "address"),
    [("email", "EMAIL_OTP", {"email": EMAIL}), ("sms", "SMS", {"phoneNumber": PHONE})],
)
def test_an_e_mail_address_or_phone_number_is_enrolled_and_completes_a_challenge(
    browser: Browser, name: str, method: str, address: dict[str, str]
) -> None:
    browser.set_token(browser.track())
    enrolling = browser.sdk(f"{name}.enroll", **address)["data"]
    assert enrolling["userId"] == "ada"
    verified = browser.sdk(f"{name}.verify", code=browser.sent().code)["data"]
    assert verified["userAuthenticator"].items() >= {"verificationMethod": method, **address}.items()
    token = browser.track("payment")
    browser.set_token(token)
    assert browser.sdk(f"{name}.challenge")["data"]["challengeId"] == browser.sent().challenge_id
    data = browser.sdk(f"{name}.verify", code=browser.sent().code)["data"]
    assert data["isVerified"] is True
    assert_succeeded(browser, data["token"], method, "payment")
    assert_succeeded(browser, token, method, "payment")


@pytest.mark.deep
def test_whatsapp_uses_the_number_of_an_sms_authenticator(browser: Browser) -> None:
    browser.server_enrolls(verificationMethod="SMS", phoneNumber=PHONE)
    token = browser.track()
    browser.set_token(token)
    browser.sdk("whatsapp.challenge")
    assert browser.sent().channel == "whatsapp"
    assert browser.sdk("whatsapp.verify", code=browser.sent().code)["data"]["isVerified"] is True
    assert_succeeded(browser, token, "WHATSAPP")


def test_the_page_waits_until_a_magic_link_is_opened_elsewhere(browser: Browser) -> None:
    browser.set_token(browser.track())
    browser.sdk("emailML.enroll", email=EMAIL)
    browser.do("start", path="emailML.checkVerificationStatus")
    assert "Signed in" in browser.do("visit", url=browser.sent().url)
    data = browser.do("finish")["data"]
    assert data["isVerified"] is True
    assert data["userAuthenticator"]["email"] == EMAIL
    token = browser.track("payment")
    browser.set_token(token)
    browser.sdk("emailML.challenge")
    link = browser.sent().url
    browser.do("visit", url=link)
    assert browser.sdk("emailML.checkVerificationStatus")["data"]["isVerified"] is True
    assert_succeeded(browser, token, "EMAIL_MAGIC_LINK", "payment")
    assert "unknown" in browser.do("visit", url=link)


@pytest.mark.deep
@pytest.mark.parametrize("answer", ["approved", "rejected"])
def test_a_qr_code_needs_no_polling(browser: Browser, answer: str) -> None:
    app, tenant = SoftwareApp(), basic_auth(browser.running.sandbox.config.tenant_id)
    enrolling = f"Bearer {browser.track()}"
    ask(browser.running, "POST", "/client/user-authenticators/qr-code", app.enrolment(), auth=enrolling)
    made = browser.do("qr", argument={"action": "kiosk"})
    scan = "/client/user-authenticators/qr-code/challenge"
    ask(browser.running, "POST", f"{scan}/claim", app.claim(made["challengeId"]), auth=tenant)
    browser.do("until", expression="states.length === 1")
    decided = app.answer(made["challengeId"], approved=answer == "approved")
    ask(browser.running, "POST", scan, decided, auth=tenant)
    browser.do("until", expression="states.length === 2")
    [claimed, [state, *token]] = browser.do("evaluate", expression="states")
    assert (claimed, state) == (["claimed"], answer)
    if answer == "approved":
        assert_succeeded(browser, token[0], "QR_CODE", "kiosk")
    assert browser.do("complaints") == []


def test_a_wrong_code_is_reported_in_the_response(browser: Browser) -> None:
    browser.server_enrolls(verificationMethod="EMAIL_OTP", email=EMAIL)
    token = browser.track()
    browser.set_token(token)
    browser.sdk("email.challenge")
    wrong = f"{(int(browser.sent().code) + 1) % 10**6:06d}"
    answer = browser.sdk("email.verify", code=wrong)
    assert answer["data"] == {"isVerified": False, "failureReason": "CODE_INVALID_OR_EXPIRED"}
    assert browser.validate(token)["state"] == "CHALLENGE_REQUIRED"


@pytest.mark.deep
def test_an_expired_token_is_reported_to_the_page(browser: Browser) -> None:
    browser.server_enrolls(verificationMethod="EMAIL_OTP", email=EMAIL)
    browser.set_token(browser.track())
    browser.running.sandbox.clock.advance(timedelta(minutes=11))
    assert browser.sdk("email.challenge")["errorCode"] == "expired_token"
    assert browser.do("evaluate", expression="expired") == 1


@pytest.mark.deep
def test_too_many_messages_are_refused(browser: Browser) -> None:
    browser.server_enrolls(verificationMethod="SMS", phoneNumber=PHONE)
    browser.set_token(browser.track())
    answers = [browser.sdk("sms.challenge") for _ in range(7)]
    assert all("data" in answer for answer in answers[:6])
    assert answers[6]["errorCode"] == "too_many_requests"


def test_a_page_of_another_tenant_is_refused(browser: Browser) -> None:
    browser.open(tenantId="another")
    assert browser.sdk("passkey.signIn")["errorCode"] == "unauthorized"


@pytest.fixture
def page(chromium: Browser) -> Browser:
    """The sandbox's own page, on a computer with a fingerprint reader."""
    chromium.running.sandbox.reset()
    chromium.do("open", url=f"{chromium.base_url.removesuffix('/v1')}/_sandbox/")
    chromium.do("authenticator", transport="internal")
    return chromium


def test_the_page_shows_the_tenant_its_requests_and_sent_messages(page: Browser) -> None:
    ask(page.running, "POST", "/users/%3Cb%3Eeve/actions/signIn", {"idempotencyKey": "k"})
    ask(page.running, "POST", "/challenge", {"verificationMethod": "EMAIL_OTP", "action": "signIn", "email": EMAIL})
    page.do("waitFor", text="/users/{userId}/actions/{action}")
    page.do("waitFor", text=page.running.sandbox.config.tenant_id)
    page.do("waitFor", text=page.sent().code)
    assert EMAIL in page.do("text", selector="#outbox")
    assert page.do("complaints") == []


def test_a_passkey_is_created_and_used_with_the_buttons_of_the_page(page: Browser) -> None:
    page.do("fill", label="User name", text="<b>grace</b>")
    page.do("click", button="Create passkey")
    page.do("waitFor", text="Passkey created for <b>grace</b>")
    page.do("click", button="Sign in with passkey")
    page.do("waitFor", text="Signed in as <b>grace</b>")
    [authenticator] = page.running.sandbox.store.authenticators("<b>grace</b>")
    assert authenticator.last_verified_at is not None
    page.do("click", button="Create passkey")
    page.do("waitFor", text="already has a passkey of that user")
    assert page.do("complaints") == []


@pytest.mark.deep
def test_the_page_at_an_ip_address_links_to_localhost(page: Browser) -> None:
    page.do("open", url=page.running.control_url)
    page.do("waitFor", text="Passkeys of this sandbox belong to localhost")
    link = page.do("evaluate", expression="document.querySelector('#host a').href")
    assert link == f"{page.base_url.removesuffix('/v1')}/_sandbox/"
    assert page.do("complaints") == []


def test_the_page_fits_a_phone(page: Browser) -> None:
    ask(page.running, "POST", "/users/u/authenticators", {"verificationMethod": "SMS", "phoneNumber": PHONE})
    page.do(
        "open", url=page.running.control_url, context={"viewport": {"width": 340, "height": 700}, "colorScheme": "dark"}
    )
    page.do("waitFor", text=page.running.sandbox.config.tenant_id)
    assert page.do("evaluate", expression="document.documentElement.scrollWidth") == 340
