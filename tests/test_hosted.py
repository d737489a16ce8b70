"""The hosted pages in a real Chromium, opened by `launch()` of Authsignal's browser SDK in each of its modes."""

from collections.abc import Iterator
from datetime import timedelta

import pyotp
import pytest

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.sandbox import SandboxConfig, run_in_thread
from tests.chromium import SharedChromium
from tests.helpers import MANAGEMENT_SECRET, SECRET, ask
from tests.hosted_pages import Pages

EMAIL, PHONE = "ada@example.com", "+64211234567"


@pytest.fixture(scope="module")
def chromium(chromium_process: SharedChromium) -> Iterator[Pages]:
    with run_in_thread(SandboxConfig()) as running, chromium_process.used() as process:
        yield Pages(process, running)


@pytest.fixture
def pages(chromium: Pages) -> Pages:
    """An application's page that has the SDK, before an empty tenant."""
    chromium.running.sandbox.reset()
    chromium.open()
    return chromium


def test_a_user_enrols_and_uses_a_passkey_in_a_pop_up(pages: Pages) -> None:
    pages.launch(pages.track(), mode="popup")
    pages.do("chooseMethod", method="Passkey")
    pages.do("click", button="Create passkey")
    pages.do("waitFor", text="Save these recovery codes")
    pages.do("follow", link="Continue")
    pages.assert_met(pages.do("finish")["token"], "PASSKEY")
    pages.launch(pages.track(action="payment"), mode="popup")
    pages.do("click", button="Use passkey")
    pages.assert_met(pages.do("finish")["token"], "PASSKEY", "payment")
    assert pages.do("complaints") == []


def test_the_pages_of_a_further_tenant_in_another_region_use_its_passkeys(chromium: Pages) -> None:
    acme = {"region": "eu", "api_secret_key": SECRET}
    with run_in_thread(SandboxConfig(api_secret_key="another", tenants={"acme": acme})) as running:
        pages = Pages(chromium.process, running.tenant("acme"))
        pages.open()
        pages.launch(pages.track(), mode="popup")
        pages.do("chooseMethod", method="Passkey")
        pages.do("click", button="Create passkey")
        pages.do("waitFor", text="Save these recovery codes")
        pages.do("follow", link="Continue")
        pages.assert_met(pages.do("finish")["token"], "PASSKEY")
        assert pages.do("complaints") == []
        assert running.sandbox.store.counts()["users"] == 0


@pytest.mark.deep
def test_a_redirect_leads_back_to_the_application_with_the_token(pages: Pages) -> None:
    pages.launch(pages.track(), mode="redirect")
    pages.do("chooseMethod", method="E-mail code")
    pages.do("fill", label="E-mail address", text=EMAIL)
    pages.do("click", button="Continue")
    pages.enter_code()
    pages.do("follow", link="Continue")
    pages.assert_met(pages.returned(), "EMAIL_OTP")
    pages.launch(pages.track(action="payment"), mode="redirect")
    pages.do("chooseMethod", method="E-mail code")
    pages.do("waitFor", text="We sent a code to a•••@example.com.")
    pages.do("fill", label="Code", text="000000" if pages.code() != "000000" else "111111")
    pages.do("click", button="Continue")
    pages.do("waitFor", text="That code is not correct")
    pages.enter_code()
    pages.assert_met(pages.returned(), "EMAIL_OTP", "payment")
    assert pages.do("complaints") == []


@pytest.mark.deep
def test_a_window_returns_the_token_of_a_text_message(pages: Pages) -> None:
    pages.enrolled(verificationMethod="SMS", phoneNumber=PHONE)
    pages.launch(pages.track(), mode="window")
    pages.do("chooseMethod", method="Text message")
    pages.enter_code()
    pages.assert_met(pages.do("finish")["token"], "SMS")


@pytest.mark.deep
def test_a_phone_number_is_enrolled(pages: Pages) -> None:
    pages.launch(pages.track(), mode="popup")
    pages.do("chooseMethod", method="Text message")
    pages.do("fill", label="Phone number", text=PHONE)
    pages.do("click", button="Continue")
    pages.do("click", button="Send a new code")
    pages.do("waitFor", text=f"We sent a code to {PHONE}.")
    pages.enter_code()
    pages.do("follow", link="Continue")
    pages.assert_met(pages.do("finish")["token"], "SMS")


@pytest.mark.deep
def test_an_authenticator_app_is_enrolled_by_its_qr_code_and_used(pages: Pages) -> None:
    clock = pages.running.clock
    pages.launch(pages.track(), mode="popup")
    pages.do("chooseMethod", method="Authenticator app")
    app = pyotp.TOTP(pages.do("text", selector=".secret").replace(" ", ""))
    pages.do("fill", label="Code", text="123")
    pages.do("click", button="Continue")
    pages.do("waitFor", text="That code is not correct")
    assert pages.do("text", selector=".secret").replace(" ", "") == app.secret
    pages.do("fill", label="Code", text=app.at(clock.now()))
    pages.do("click", button="Continue")
    pages.do("follow", link="Continue")
    pages.assert_met(pages.do("finish")["token"], "AUTHENTICATOR_APP")
    clock.advance(timedelta(seconds=60))
    pages.launch(pages.track(action="payment"), mode="popup")
    pages.do("fill", label="Code", text=app.at(clock.now()))
    pages.do("click", button="Continue")
    pages.assert_met(pages.do("finish")["token"], "AUTHENTICATOR_APP", "payment")


@pytest.mark.deep
def test_the_page_continues_when_the_link_in_the_e_mail_is_opened(pages: Pages) -> None:
    pages.launch(pages.track(), mode="popup")
    pages.do("chooseMethod", method="E-mail link")
    pages.do("fill", label="E-mail address", text=EMAIL)
    pages.do("click", button="Continue")
    pages.do("click", button="I have opened the link")
    pages.do("waitFor", text="The link has not been opened yet.")
    pages.do("visit", url=pages.running.outbox.last(EMAIL).url)  # type: ignore[union-attr]
    pages.do("follow", link="Continue")
    pages.assert_met(pages.do("finish")["token"], "EMAIL_MAGIC_LINK")
    pages.launch(pages.track(action="payment"), mode="popup")
    pages.do("chooseMethod", method="E-mail link")
    pages.do("waitFor", text="Check your e-mail")
    pages.do("visit", url=pages.running.outbox.last(EMAIL).url)  # type: ignore[union-attr]
    pages.assert_met(pages.do("finish")["token"], "EMAIL_MAGIC_LINK", "payment")


@pytest.mark.deep
def test_a_security_key_is_added_and_used(pages: Pages) -> None:
    pages.do("authenticator", transport="usb")
    pages.launch(pages.track(), mode="popup")
    pages.do("chooseMethod", method="Security key")
    pages.do("click", button="Add security key")
    pages.do("follow", link="Continue")
    pages.assert_met(pages.do("finish")["token"], "SECURITY_KEY")
    pages.launch(pages.track(action="payment"), mode="popup")
    pages.do("click", button="Use security key")
    pages.assert_met(pages.do("finish")["token"], "SECURITY_KEY", "payment")


@pytest.mark.deep
def test_a_recovery_code_works_once(pages: Pages) -> None:
    [code, *_] = pages.enrolled(verificationMethod="SMS", phoneNumber=PHONE)["recoveryCodes"]
    pages.launch(pages.track(), mode="popup")
    pages.do("chooseMethod", method="Recovery code")
    pages.do("fill", label="Code", text=code)
    pages.do("click", button="Continue")
    pages.assert_met(pages.do("finish")["token"], "RECOVERY_CODE")
    pages.launch(pages.track(action="payment"), mode="popup")
    pages.do("chooseMethod", method="Recovery code")
    pages.do("fill", label="Code", text=code)
    pages.do("click", button="Continue")
    pages.do("waitFor", text="That code is not correct")
    assert pages.state("payment") == "CHALLENGE_REQUIRED"


@pytest.mark.deep
def test_cancel_returns_without_a_token_to_a_pop_up_and_with_the_open_challenge_to_a_redirect(pages: Pages) -> None:
    pages.enrolled(verificationMethod="SMS", phoneNumber=PHONE)
    pages.launch(pages.track(), mode="popup")
    pages.do("click", button="Cancel")
    assert "token" not in (pages.do("finish") or {})
    pages.launch(pages.track(), mode="redirect")
    pages.do("follow", link="Cancel")
    verdict = ask(pages.running, "POST", "/validate", {"token": pages.returned()})[1]
    assert (verdict["isValid"], verdict["state"]) == (False, "CHALLENGE_REQUIRED")


@pytest.mark.deep
def test_a_rule_that_asks_for_a_passkey_is_followed_after_the_challenge(pages: Pages) -> None:
    pages.enrolled(verificationMethod="SMS", phoneNumber=PHONE)
    prompts = {"promptToEnrollVerificationMethods": ["PASSKEY"]}
    ask(pages.running, "PATCH", "/management/action-configurations/signIn", prompts, auth=basic_auth(MANAGEMENT_SECRET))
    pages.launch(pages.track(), mode="popup")
    pages.do("chooseMethod", method="Text message")
    pages.enter_code()
    pages.do("click", button="Create passkey")
    pages.do("waitFor", text="Passkey was added")
    pages.do("follow", link="Continue")
    pages.assert_met(pages.do("finish")["token"], "SMS")
    held = pages.running.sandbox.store.authenticators("ada")
    assert [value.verification_method for value in held] == ["SMS", "PASSKEY"]


@pytest.mark.deep
def test_an_error_in_a_pop_up_reaches_the_application(pages: Pages) -> None:
    url = pages.track()
    pages.running.clock.advance(minutes=11)
    pages.launch(url, mode="popup")
    pages.do("waitFor", text="This page has expired")
    assert pages.do("evaluate", expression="errors") == [{"errorCode": "expired_token", "statusCode": 401}]
    pages.do("click", button="Return to the application")
    assert "token" not in (pages.do("finish") or {})


@pytest.mark.deep
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_a_phone_and_need_no_mouse(pages: Pages, scheme: str) -> None:
    pages.open(viewport={"width": 360, "height": 700}, colorScheme=scheme)
    pages.launch(pages.track(), mode="redirect")
    pages.assert_usable("Protect your account")
    pages.press("Tab", until="Authenticator app")
    pages.do("press", key="Enter")
    pages.assert_usable("Scan this QR code")
    assert pages.do("focused") == "code"
    pages.press("Tab", until="Use another method")
    pages.do("press", key="Enter")
    pages.press("Tab", until="E-mail code")
    pages.do("press", key="Enter")
    pages.assert_usable("Enter your e-mail address")
    pages.do("fill", label="E-mail address", text=EMAIL)
    pages.do("press", key="Enter")
    pages.assert_usable("We sent a code")
    pages.do("fill", label="Code", text=pages.code())
    pages.do("press", key="Enter")
    pages.assert_usable("Save these recovery codes")
    pages.press("Tab", until="Continue")
    pages.do("press", key="Enter")
    pages.assert_met(pages.returned(), "EMAIL_OTP")
    pages.launch(pages.track(action="payment"), mode="redirect")
    pages.assert_usable("Choose how to verify")


@pytest.mark.deep
def test_without_javascript_the_pages_say_what_needs_it(pages: Pages) -> None:
    url = pages.track()
    pages.open_url(url, javaScriptEnabled=False)
    pages.do("chooseMethod", method="Passkey")
    assert "need JavaScript" in pages.do("text", selector="noscript p")
    pages.do("follow", link="Use another method")
    pages.do("chooseMethod", method="E-mail code")
    pages.do("fill", label="E-mail address", text=EMAIL)
    pages.do("click", button="Continue")
    pages.enter_code()
    pages.do("follow", link="Continue")
    pages.assert_met(pages.returned(), "EMAIL_OTP")


@pytest.mark.deep
def test_a_page_at_another_host_than_the_passkeys_says_so(pages: Pages) -> None:
    url = pages.track().replace("localhost", "127.0.0.1", 1)
    pages.open_url(url)
    pages.do("chooseMethod", method="Passkey")
    pages.do("waitFor", text="Passkeys of this tenant belong to localhost, and this page is at 127.0.0.1.")
    assert ask(pages.running, "GET", "/users/ada/authenticators")[1] == []
