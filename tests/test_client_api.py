"""Codes, links and authenticator apps of the Client API; tokens and their scopes."""

import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.error import HTTPError

import pyotp
import pytest

from dlt_authsignal.sandbox import RunningSandbox
from tests.ceremonies import Visitor
from tests.helpers import ask


@pytest.fixture
def visitor(empty: RunningSandbox) -> Visitor:
    """A user without authenticators, with a token."""
    return Visitor(empty).track()


CODES = [
    ("sms", "SMS", {"phoneNumber": "+64211234567"}),
    ("email-otp", "EMAIL_OTP", {"email": "ada@example.com"}),
]


@pytest.mark.parametrize(("path", "method", "address"), CODES)
def test_a_code_enrols_a_method_and_later_completes_a_challenge(
    visitor: Visitor, path: str, method: str, address: dict[str, str]
) -> None:
    assert visitor.post(f"/user-authenticators/{path}", address)[1]["userId"] == "u"
    assert visitor.authenticators()[0].get("verifiedAt") is None
    status, answer = visitor.post(f"/verify/{path}", {"verificationCode": visitor.last_code()})
    assert (status, answer["isVerified"]) == (200, True)
    assert answer["userAuthenticator"]["verificationMethod"] == method
    visitor.track("payment")
    assert visitor.validate()["state"] == "CHALLENGE_REQUIRED"
    assert visitor.post(f"/challenge/{path}", {})[1]["challengeId"]
    assert visitor.post(f"/verify/{path}", {"verificationCode": visitor.last_code()})[1]["isVerified"]
    verdict = visitor.validate()
    assert (verdict["state"], verdict["verificationMethod"]) == ("CHALLENGE_SUCCEEDED", method)
    assert visitor.authenticators()[0]["lastVerifiedAt"]


@pytest.mark.parametrize(("path", "method", "address"), CODES)
def test_a_wrong_code_is_a_200_response_and_a_right_one_works_once(
    visitor: Visitor, path: str, method: str, address: dict[str, str]
) -> None:
    visitor.post(f"/user-authenticators/{path}", address)
    status, answer = visitor.post(f"/verify/{path}", {"verificationCode": "no"})
    assert (status, answer) == (200, {"isVerified": False, "failureReason": "CODE_INVALID_OR_EXPIRED"})
    code = visitor.last_code()
    assert visitor.post(f"/verify/{path}", {"verificationCode": code})[1]["isVerified"] is True
    assert visitor.post(f"/verify/{path}", {"verificationCode": code})[1]["isVerified"] is False


def test_of_many_simultaneous_right_codes_exactly_one_succeeds(visitor: Visitor) -> None:
    visitor.post("/user-authenticators/email-otp", {"email": "ada@example.com"})
    body, token = {"verificationCode": visitor.last_code()}, visitor.token

    def verify(_: int) -> bool:
        return bool(Visitor(visitor.running, token=token).post("/verify/email-otp", body)[1]["isVerified"])

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(verify, range(8))) == 1


def test_a_code_expires_with_its_challenge(visitor: Visitor) -> None:
    visitor.post("/user-authenticators/sms", {"phoneNumber": "+64211234567"})
    code = visitor.last_code()
    visitor.wait(minutes=10)
    visitor.track()
    assert visitor.post("/verify/sms", {"verificationCode": code})[1]["failureReason"] == "CODE_INVALID_OR_EXPIRED"


def test_eleven_wrong_codes_in_five_minutes_are_refused_until_six_minutes_later(visitor: Visitor) -> None:
    visitor.post("/user-authenticators/email-otp", {"email": "ada@example.com"})
    code, wrong = visitor.last_code(), {"verificationCode": "0"}
    reasons = [visitor.post("/verify/email-otp", wrong)[1]["failureReason"] for _ in range(11)]
    assert reasons == ["CODE_INVALID_OR_EXPIRED"] * 10 + ["MAX_ATTEMPTS_EXCEEDED"]
    assert visitor.post("/verify/email-otp", {"verificationCode": code})[1]["failureReason"] == "MAX_ATTEMPTS_EXCEEDED"
    visitor.wait(minutes=6)
    assert visitor.post("/verify/email-otp", {"verificationCode": code})[1]["isVerified"] is True


def test_the_seventh_text_message_within_ten_minutes_is_not_sent(visitor: Visitor) -> None:
    for _ in range(6):
        assert visitor.post("/user-authenticators/sms", {"phoneNumber": "+64211234567"})[0] == 200
    status, answer = visitor.post("/user-authenticators/sms", {"phoneNumber": "+64211234567"})
    assert (status, answer["errorCode"]) == (429, "too_many_requests")
    assert len(visitor.running.sandbox.outbox) == 6
    assert len(visitor.authenticators()) == 1


def test_whatsapp_uses_the_number_enrolled_by_sms(visitor: Visitor) -> None:
    visitor.post("/user-authenticators/sms", {"phoneNumber": "+64211234567"})
    visitor.post("/verify/sms", {"verificationCode": visitor.last_code()})
    visitor.track("payment").post("/challenge/whatsapp")
    message = visitor.running.sandbox.outbox.last()
    assert message
    assert (message.channel, message.to) == ("whatsapp", "+64211234567")
    assert visitor.post("/verify/whatsapp", {"verificationCode": visitor.last_code()})[1]["isVerified"] is True
    assert visitor.validate()["verificationMethod"] == "WHATSAPP"
    assert [row["verificationMethod"] for row in visitor.authenticators()] == ["SMS"]


def test_a_magic_link_opened_elsewhere_verifies_the_waiting_page_once(visitor: Visitor) -> None:
    visitor.post("/user-authenticators/email-magic-link", {"email": "ada@example.com"})
    assert visitor.post("/verify/email-magic-link/finalize", {})[1] == {"isVerified": False}
    message = visitor.running.sandbox.outbox.last("ada@example.com")
    assert message
    assert message.url
    with urllib.request.urlopen(message.url, timeout=30) as page:
        assert page.status == 200
    assert visitor.post("/verify/email-magic-link/finalize", {})[1]["isVerified"] is True
    assert visitor.post("/verify/email-magic-link/finalize", {})[1]["isVerified"] is False
    with pytest.raises(HTTPError, match="404"):
        urllib.request.urlopen(message.url, timeout=30)


def test_an_authenticator_app_follows_rfc_6238_with_the_sandbox_clock(visitor: Visitor) -> None:
    enrolled = visitor.post("/user-authenticators/totp")[1]
    parsed = pyotp.parse_uri(enrolled["uri"])
    assert isinstance(parsed, pyotp.TOTP)
    assert parsed.secret == enrolled["secret"]

    def code(seconds: int = 0) -> dict[str, str]:
        return {"verificationCode": parsed.at(visitor.running.sandbox.clock.now() + timedelta(seconds=seconds))}

    assert visitor.post("/verify/totp", code(-90))[1]["failureReason"] == "CODE_INVALID_OR_EXPIRED"
    right = code()
    assert visitor.post("/verify/totp", right)[1]["isVerified"] is True
    assert visitor.post("/verify/totp", right)[1]["isVerified"] is False
    visitor.wait(seconds=60)
    visitor.track("payment")
    assert visitor.post("/verify/totp", code())[1]["isVerified"] is True
    assert visitor.validate()["verificationMethod"] == "AUTHENTICATOR_APP"


def test_an_otp_uri_enrolled_by_the_server_works(visitor: Visitor) -> None:
    totp = pyotp.TOTP(pyotp.random_base32())
    body = {"verificationMethod": "AUTHENTICATOR_APP", "otpUri": totp.provisioning_uri(name="ada", issuer_name="x")}
    assert ask(visitor.running, "POST", "/users/u/authenticators", body)[0] == 200
    visitor.track("payment")
    code = totp.at(visitor.running.sandbox.clock.now())
    assert visitor.post("/verify/totp", {"verificationCode": code})[1]["isVerified"] is True


@pytest.mark.parametrize("path", ["sms", "email-otp", "email-magic-link", "whatsapp"])
def test_a_user_without_the_verification_method_cannot_be_challenged_by_it(visitor: Visitor, path: str) -> None:
    status, answer = visitor.post(f"/challenge/{path}", {})
    assert (status, answer["errorCode"]) == (400, "invalid_request")
    assert len(visitor.running.sandbox.outbox) == 0


def test_a_completed_challenge_returns_a_token_that_can_manage_authenticators(visitor: Visitor) -> None:
    visitor.post("/user-authenticators/sms", {"phoneNumber": "+64211234567"})
    visitor.post("/verify/sms", {"verificationCode": visitor.last_code()})
    visitor.track("payment")
    email = {"email": "ada@example.com"}
    assert visitor.post("/user-authenticators/email-otp", email)[0] == 403
    visitor.post("/challenge/sms", {})
    visitor.post("/verify/sms", {"verificationCode": visitor.last_code()})
    assert visitor.post("/user-authenticators/email-otp", email)[0] == 200


def test_enrolling_again_replaces_the_unfinished_authenticator(visitor: Visitor) -> None:
    for address in ("a@example.com", "b@example.com"):
        visitor.post("/user-authenticators/email-otp", {"email": address})
    assert [row["email"] for row in visitor.authenticators()] == ["b@example.com"]


def test_the_same_seed_sends_the_same_codes(visitor: Visitor) -> None:
    visitor.post("/user-authenticators/sms", {"phoneNumber": "+64211234567"})
    first = visitor.last_code()
    visitor.running.sandbox.reset()
    visitor.track().post("/user-authenticators/sms", {"phoneNumber": "+64211234567"})
    assert visitor.last_code() == first
