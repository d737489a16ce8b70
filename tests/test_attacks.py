"""Ways in that must stay shut: what was proved for one attempt, user or method proves nothing for another."""

import socket
from urllib.parse import urlsplit

import pytest

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.sandbox.verification.software_app import SoftwareApp
from tests.ceremonies import Visitor
from tests.helpers import ask
from tests.test_management import manage
from tests.test_webhooks import Receiver, receiver

__all__ = ["receiver"]


@pytest.fixture
def visitor(empty: RunningSandbox) -> Visitor:
    """A user with a passkey."""
    visitor = Visitor(empty).track()
    visitor.register()
    return visitor


def test_a_sign_in_with_the_key_of_a_blocked_attempt_does_not_unblock_it(visitor: Visitor) -> None:
    visitor.track("payment", idempotencyKey="K")
    ask(visitor.running, "PATCH", "/users/u/actions/payment/K", {"state": "BLOCK"})
    started = visitor.anonymous("/challenge", {"action": "payment", "idempotencyKey": "K"})[1]
    options = visitor.anonymous("/user-authenticators/passkey/authentication-options", started)[1]
    token = visitor.anonymous("/verify/passkey", visitor.answer(options))[1]["accessToken"]
    verdict = visitor.validate(token)
    assert (verdict["isValid"], verdict["state"]) == (False, "BLOCK")


def test_options_of_one_attempt_do_not_complete_another(visitor: Visitor) -> None:
    visitor.track("signIn")
    options = visitor.post("/user-authenticators/passkey/authentication-options", {})[1]
    visitor.track("payment")
    assert visitor.post("/verify/passkey", visitor.answer(options))[0] == 400
    assert visitor.validate()["isValid"] is False


def test_a_code_of_one_action_does_not_complete_another_with_the_same_idempotency_key(empty: RunningSandbox) -> None:
    visitor = Visitor(empty).track()
    visitor.post("/user-authenticators/email-otp", {"email": "ada@example.com"})
    visitor.post("/verify/email-otp", {"verificationCode": visitor.last_code()})
    visitor.track("signIn", idempotencyKey="K").post("/challenge/email-otp")
    code = visitor.last_code()
    visitor.track("payment", idempotencyKey="K")
    assert visitor.post("/verify/email-otp", {"verificationCode": code})[1]["isVerified"] is False
    assert visitor.validate()["isValid"] is False


def test_a_push_for_one_attempt_does_not_complete_another(empty: RunningSandbox) -> None:
    visitor, app = Visitor(empty).track(), SoftwareApp()
    visitor.post("/user-authenticators/push", app.enrolment())
    visitor.track("signIn")
    challenge_id = visitor.post("/challenge/push", {})[1]["challengeId"]
    auth = basic_auth(empty.sandbox.config.tenant_id)
    answer = app.answer(challenge_id, approved=True)
    assert ask(empty, "POST", "/client/user-authenticators/push/challenge", answer, auth=auth)[0] == 200
    visitor.track("payment").post("/verify/push", {"challengeId": challenge_id})
    states = {row["actionCode"]: row["state"] for row in ask(empty, "GET", "/users/u/actions?codes=payment")[1]}
    assert states == {"payment": "CHALLENGE_REQUIRED"}


def test_another_user_cannot_take_over_a_credential_or_the_key_of_an_app(visitor: Visitor) -> None:
    held = visitor.authenticators()[0]["webauthnCredential"]["credentialId"]
    body = {"verificationMethod": "PASSKEY", "credentialId": held, "credentialPublicKey": "AAAA"}
    assert ask(visitor.running, "POST", "/users/mallory/authenticators", body)[0] == 400
    assert visitor.sign_in()[1]["userId"] == "u"
    app = SoftwareApp()
    visitor.post("/user-authenticators/push", app.enrolment())
    mallory = Visitor(visitor.running, "mallory").track()
    mallory.post("/user-authenticators/in-app", app.enrolment())
    visitor.track("payment")
    challenge_id = visitor.post("/challenge/push", {})[1]["challengeId"]
    auth = basic_auth(visitor.running.sandbox.config.tenant_id)
    answer = app.answer(challenge_id, approved=True)
    assert ask(visitor.running, "POST", "/client/user-authenticators/push/challenge", answer, auth=auth)[0] == 200


def test_the_server_api_cannot_verify_or_claim_a_passkey_ceremony(visitor: Visitor) -> None:
    options = visitor.anonymous("/user-authenticators/passkey/authentication-options")[1]
    body = {
        "verificationMethod": "EMAIL_OTP",
        "action": "signIn",
        "email": "m@example.com",
        "challengeId": options["challengeId"],
    }
    assert ask(visitor.running, "POST", "/challenge", body)[0] == 400
    claim = {"challengeId": options["challengeId"], "userId": "m", "skipVerificationCheck": True}
    assert ask(visitor.running, "POST", "/claim", claim)[0] == 400
    assert visitor.anonymous("/verify/passkey", visitor.answer(options))[1]["isVerified"] is True


def test_an_enrolment_refused_by_the_verification_webhook_enrols_nothing(
    empty: RunningSandbox, receiver: Receiver
) -> None:
    url = {"verificationWebhookUrl": f"{receiver.url}/verify"}
    manage(empty, "PATCH", "/action-configurations/signIn", url)
    receiver.usually = 500
    visitor = Visitor(empty).track()
    assert visitor.register()[0] == 400
    visitor.post("/user-authenticators/email-otp", {"email": "ada@example.com"})
    assert visitor.post("/verify/email-otp", {"verificationCode": visitor.last_code()})[0] == 400
    assert [row.get("verifiedAt") for row in visitor.authenticators()] == [None]
    message = empty.sandbox.outbox.last()
    assert message
    tracked = ask(empty, "POST", "/users/u/actions/signIn", {"challengeId": message.challenge_id})[1]
    assert tracked["state"] == "ALLOW"
    assert visitor.validate()["isValid"] is False


def test_a_blocked_attempt_does_not_widen_the_token_scope(visitor: Visitor) -> None:
    visitor.track("payment", idempotencyKey="K")
    ask(visitor.running, "PATCH", "/users/u/actions/payment/K", {"state": "BLOCK"})
    assert visitor.confirm()[1]["isVerified"] is True
    assert visitor.post("/user-authenticators/email-otp", {"email": "a@example.com"})[0] == 403


def test_a_raised_limit_still_limits(empty: RunningSandbox) -> None:
    methods = {row["verificationMethod"]: row["authenticatorId"] for row in ask(empty, "GET", "/authenticators")[1]}
    visitor = Visitor(empty).track()
    visitor.post("/user-authenticators/email-otp", {"email": "ada@example.com"})
    visitor.post("/verify/email-otp", {"verificationCode": "0"})
    change = {"rateLimitConfiguration": {"rateLimit": 15, "windowInMinutes": 5}}
    manage(empty, "PATCH", f"/authenticator-configurations/{methods['EMAIL_OTP']}", change)
    wrong = {"verificationCode": "0"}
    reasons = [visitor.post("/verify/email-otp", wrong)[1]["failureReason"] for _ in range(15)]
    assert reasons == ["CODE_INVALID_OR_EXPIRED"] * 14 + ["MAX_ATTEMPTS_EXCEEDED"]


def test_a_head_request_does_not_open_a_magic_link(empty: RunningSandbox) -> None:
    visitor = Visitor(empty).track()
    visitor.post("/user-authenticators/email-magic-link", {"email": "ada@example.com"})
    message = empty.sandbox.outbox.last()
    assert message
    assert message.url
    from urllib.request import Request, urlopen

    with urlopen(Request(message.url, method="HEAD"), timeout=30) as answer:
        assert answer.status == 200
    assert visitor.post("/verify/email-magic-link/finalize", {})[1]["isVerified"] is False


def test_ids_that_are_not_valid_text_are_refused(empty: RunningSandbox) -> None:
    assert ask(empty, "PATCH", "/users/%ff", {"email": "a@example.com"})[0] == 400
    assert ask(empty, "GET", "/users/%fe")[0] == 400


def test_a_client_that_disconnects_in_mid_body_causes_no_error(
    empty: RunningSandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    host, port = urlsplit(empty.url).hostname, urlsplit(empty.url).port
    with socket.create_connection((host, port), 5) as connection:
        auth = f"Authorization: {basic_auth('sandbox-server-secret')}\r\n"
        head = f"POST /v1/users/u/actions/a HTTP/1.1\r\nHost: x\r\n{auth}Content-Length: 100\r\n\r\n"
        connection.sendall(head.encode() + b"{")
    assert ask(empty, "GET", "/users/u")[0] == 200
    assert "Traceback" not in capfd.readouterr().err
