"""Push, QR code and in-app verification, with a mobile app in software."""

from typing import Any

import pytest

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.sandbox.software_app import SoftwareApp
from tests.ceremonies import Visitor
from tests.helpers import ask


@pytest.fixture
def visitor(empty: RunningSandbox) -> Visitor:
    """Somebody without authenticators, with a token."""
    return Visitor(empty).track()


def enrolled(visitor: Visitor, kind: str) -> SoftwareApp:
    app = SoftwareApp()
    status, answer = visitor.post(f"/user-authenticators/{kind}", app.enrolment())
    assert status == 200, answer
    return app


def phone(visitor: Visitor, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """A call that the app makes: by the tenant id, signed in its body."""
    auth = basic_auth(visitor.running.sandbox.config.tenant_id)
    return ask(visitor.running, method, f"/client/user-authenticators{path}", body, auth=auth, headers=headers)[:2]


def quoted(app: SoftwareApp) -> str:
    from urllib.parse import quote

    return quote(app.public_key, safe="")


@pytest.mark.parametrize("kind", ["push", "qr-code", "in-app"])
def test_an_app_is_enrolled_read_and_removed_by_its_own_signature(visitor: Visitor, kind: str) -> None:
    app = enrolled(visitor, kind)
    status, shown = phone(visitor, "GET", f"/{kind}?publicKey={quoted(app)}")
    assert (status, shown["userId"]) == (200, "u")
    assert visitor.authenticators()[0]["devicePlatform"] == "IOS"
    wrong = {"publicKey": app.public_key, "signature": SoftwareApp().sign(app.public_key)}
    assert phone(visitor, "POST", f"/{kind}/remove", wrong)[0] == 401
    right = {"publicKey": app.public_key, "signature": app.sign(app.public_key)}
    assert phone(visitor, "POST", f"/{kind}/remove", right) == (200, {"success": True})
    assert phone(visitor, "GET", f"/{kind}?publicKey={quoted(app)}")[0] == 404
    assert visitor.authenticators() == []


@pytest.mark.parametrize("key", ["", "nonsense", "AAAA"])
def test_what_is_not_a_public_key_cannot_be_enrolled(visitor: Visitor, key: str) -> None:
    body = {**SoftwareApp().enrolment(), "publicKey": key}
    assert visitor.post("/user-authenticators/push", body)[1]["errorCode"] == "invalid_request"
    assert visitor.authenticators() == []


@pytest.mark.parametrize("approved", [True, False])
def test_a_push_is_answered_on_the_phone_while_the_browser_polls(visitor: Visitor, approved: bool) -> None:
    app = enrolled(visitor, "push")
    visitor.track("payment")
    started = visitor.post("/challenge/push", {"action": "payment"})[1]
    poll = {"challengeId": started["challengeId"]}
    message = visitor.running.sandbox.outbox.last()
    assert message
    assert message.channel == "push"
    assert visitor.post("/verify/push", poll)[1] == {"isConsumed": False, "isVerified": False}
    header = {"X-Authsignal-Signature": app.sign(app.public_key)}
    pending = phone(visitor, "GET", f"/push/challenge?publicKey={quoted(app)}", **header)[1]
    assert (pending["challengeId"], pending["actionCode"]) == (started["challengeId"], "payment")
    to_sign = phone(visitor, "POST", f"/push/challenge/sign?publicKey={quoted(app)}")[1]["message"]
    body = {**app.signed(to_sign), "approved": approved}
    assert phone(visitor, "POST", "/push/challenge", body)[0] == 200
    assert phone(visitor, "POST", "/push/challenge", body)[0] == 400
    polled = visitor.post("/verify/push", poll)[1]
    assert (polled["isConsumed"], polled["isVerified"]) == (True, approved)
    assert visitor.validate()["isValid"] is approved
    assert visitor.post("/verify/push", poll)[1] == {"isConsumed": True, "isVerified": approved}
    assert "challengeId" not in phone(visitor, "GET", f"/push/challenge?publicKey={quoted(app)}")[1]


def test_only_the_apps_own_signature_answers_a_push(visitor: Visitor) -> None:
    app, other = enrolled(visitor, "push"), SoftwareApp()
    visitor.track("payment")
    challenge_id = visitor.post("/challenge/push", {"action": "payment"})[1]["challengeId"]
    forged = {**app.signed(challenge_id, approved=True), "signature": other.sign(challenge_id)}
    assert phone(visitor, "POST", "/push/challenge", forged)[0] == 401
    assert phone(visitor, "POST", "/push/challenge", other.signed(challenge_id, approved=True))[0] == 404
    visitor.wait(minutes=11)
    assert phone(visitor, "POST", "/push/challenge", app.signed(challenge_id, approved=True))[0] == 400


def test_a_push_credential_expires_unless_it_is_renewed(visitor: Visitor) -> None:
    app = enrolled(visitor, "push")
    visitor.wait(days=80)
    challenge_id = phone(visitor, "POST", f"/push/sign?publicKey={quoted(app)}")[1]["challengeId"]
    renewed = phone(visitor, "PATCH", "/push", app.signed(challenge_id, pushToken="t", resetExpiry=True))[1]
    assert renewed["pushToken"] == "t"
    visitor.wait(days=80)
    assert phone(visitor, "GET", f"/push?publicKey={quoted(app)}")[0] == 200
    visitor.wait(days=11)
    assert phone(visitor, "GET", f"/push?publicKey={quoted(app)}")[0] == 404


def test_a_user_without_the_app_cannot_be_pushed(visitor: Visitor) -> None:
    assert visitor.post("/challenge/push", {"action": "signIn"})[1]["errorCode"] == "invalid_request"


@pytest.mark.parametrize("approved", [True, False])
def test_a_qr_code_goes_through_its_documented_states(visitor: Visitor, approved: bool) -> None:
    app = enrolled(visitor, "qr-code")
    started = visitor.anonymous("/challenge/qr-code", {"action": "kiosk", "custom": {"terminal": 7}})[1]
    poll = {"challengeId": started["challengeId"], "deviceCode": started["deviceCode"]}

    def state() -> tuple[bool, bool, bool]:
        answer = visitor.anonymous("/verify/qr-code", poll)[1]
        return answer["isClaimed"], answer["isConsumed"], answer["isVerified"]

    assert state() == (False, False, False)
    claimed = phone(visitor, "POST", "/qr-code/challenge/claim", app.signed(started["challengeId"]))[1]
    assert (claimed["success"], claimed["actionCode"], claimed["custom"]) == (True, "kiosk", {"terminal": 7})
    assert phone(visitor, "POST", "/qr-code/challenge/claim", app.signed(started["challengeId"]))[0] == 400
    assert state() == (True, False, False)
    answer = app.signed(started["challengeId"], approved=approved)
    assert phone(visitor, "POST", "/qr-code/challenge", answer)[0] == 200
    last = visitor.anonymous("/verify/qr-code", poll)[1]
    assert (last["isClaimed"], last["isConsumed"], last["isVerified"]) == (True, True, approved)
    if approved:
        verdict = visitor.validate(last["accessToken"])
        assert (verdict["isValid"], verdict["userId"], verdict["action"]) == (True, "u", "kiosk")
    again = visitor.anonymous("/verify/qr-code", poll)[1]
    assert again == {"isClaimed": True, "isConsumed": True, "isVerified": approved}


def test_a_qr_code_is_read_only_with_its_device_code(visitor: Visitor) -> None:
    started = visitor.anonymous("/challenge/qr-code", {"action": "kiosk"})[1]
    wrong = {"challengeId": started["challengeId"], "deviceCode": "guess"}
    assert visitor.anonymous("/verify/qr-code", wrong)[0] == 400


def test_an_app_meets_a_challenge_by_itself(visitor: Visitor) -> None:
    app = enrolled(visitor, "in-app")
    challenge_id = visitor.anonymous("/challenge", {"action": "transfer"})[1]["challengeId"]
    forged = {**app.signed(challenge_id), "signature": SoftwareApp().sign(challenge_id)}
    assert visitor.anonymous("/verify/in-app", forged)[0] == 401
    status, answer = visitor.anonymous("/verify/in-app", app.signed(challenge_id))
    assert (status, answer["userId"]) == (200, "u")
    verdict = visitor.validate(answer["token"])
    assert (verdict["isValid"], verdict["action"], verdict["verificationMethod"]) == (True, "transfer", "IN_APP")
    assert visitor.anonymous("/verify/in-app", app.signed(challenge_id))[0] == 400
