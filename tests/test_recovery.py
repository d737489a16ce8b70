"""Recovery codes: given once, each works once."""

import asyncio

import pytest

from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.sandbox.verification.challenge_flow import use_recovery_code
from tests.ceremonies import Visitor
from tests.helpers import ask

SMS = {"verificationMethod": "SMS", "phoneNumber": "+64211234567"}


def use(running: RunningSandbox, token: str, code: str) -> str:
    return asyncio.run(use_recovery_code(running.sandbox, token, code))


def test_a_recovery_code_completes_the_challenge_once(empty: RunningSandbox) -> None:
    codes = ask(empty, "POST", "/users/u/authenticators", SMS)[1]["recoveryCodes"]
    assert len(set(codes)) == 5
    visitor = Visitor(empty).track()
    visitor.token = use(empty, visitor.token, codes[0])
    verdict = visitor.validate()
    assert (verdict["isValid"], verdict["verificationMethod"]) == (True, "RECOVERY_CODE")
    with pytest.raises(ValueError, match="unused"):
        use(empty, visitor.token, codes[0])
    assert use(empty, visitor.track("payment").token, codes[1])


def test_only_the_first_enrolment_returns_recovery_codes(empty: RunningSandbox) -> None:
    ask(empty, "POST", "/users/u/authenticators", SMS)
    second = {"verificationMethod": "EMAIL_OTP", "email": "ada@example.com"}
    assert "recoveryCodes" not in ask(empty, "POST", "/users/u/authenticators", second)[1]


def test_a_recovery_code_of_another_user_or_an_expired_token_is_refused(empty: RunningSandbox) -> None:
    codes = ask(empty, "POST", "/users/u/authenticators", SMS)[1]["recoveryCodes"]
    with pytest.raises(ValueError, match="unused"):
        use(empty, Visitor(empty, "other").track().token, codes[0])
    visitor = Visitor(empty).track()
    visitor.wait(minutes=11)
    with pytest.raises(ValueError, match="expired"):
        use(empty, visitor.token, codes[0])


def test_the_control_route_accepts_a_recovery_code_once(empty: RunningSandbox) -> None:
    codes = ask(empty, "POST", "/users/u/authenticators", SMS)[1]["recoveryCodes"]
    visitor = Visitor(empty).track()
    body = {"token": visitor.token, "code": codes[0]}
    status, answer, _ = ask(empty, "POST", "/_sandbox/recovery-code", body)
    assert status == 200
    assert visitor.validate(answer["accessToken"])["isValid"] is True
    assert ask(empty, "POST", "/_sandbox/recovery-code", body)[0] == 400
    assert ask(empty, "POST", "/_sandbox/recovery-code", {"token": 3})[0] == 400
