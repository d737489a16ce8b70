"""Mobile apps over the socket: their credentials, push, QR codes and in-app verification."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.sandbox.sessions.challenges import Challenge
from dlt_authsignal.sandbox.verification.signatures import canonical, removal_message
from dlt_authsignal.sandbox.verification.software_app import SoftwareApp
from tests.helpers import ask

APPS = "/client/user-authenticators"
KINDS = [("push", "PUSH"), ("qr-code", "QR_CODE"), ("in-app", "IN_APP")]


def tenant(running: RunningSandbox) -> str:
    return basic_auth(running.sandbox.config.tenant_id)


def bearer(running: RunningSandbox, user: str = "u", action: str = "signIn", **tracked: Any) -> str:
    """Authorization by a token that may add authenticators."""
    body = {"scope": "read:authenticators add:authenticators", **tracked}
    return f"Bearer {ask(running, 'POST', f'/users/{user}/actions/{action}', body)[1]['token']}"


def enrolled(running: RunningSandbox, kind: str, user: str = "u", app: SoftwareApp | None = None) -> SoftwareApp:
    app = app or SoftwareApp()
    status, answer, _ = ask(running, "POST", f"{APPS}/{kind}", app.enrolment(), auth=bearer(running, user, "addApp"))
    assert status == 200, answer
    return app


def app_asks(running: RunningSandbox, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
    """Status and answer of a request of an app, which knows the tenant only."""
    return ask(running, method, f"{APPS}/{path}", body, auth=tenant(running), **more)[:2]


def state_of(running: RunningSandbox, action: str, user: str = "u") -> str:
    return str(ask(running, "GET", f"/users/{user}/actions?codes={action}")[1][-1]["state"])


def pushed(running: RunningSandbox, auth: str, **body: Any) -> str:
    """The id of a push challenge that was started."""
    status, answer, _ = ask(running, "POST", "/client/challenge/push", body, auth=auth)
    assert status == 200, answer
    return str(answer["challengeId"])


def push_state(running: RunningSandbox, challenge_id: str, auth: str) -> Any:
    return ask(running, "POST", "/client/verify/push", {"challengeId": challenge_id}, auth=auth)[1]


def shown(running: RunningSandbox, auth: str | None = None, **body: Any) -> dict[str, str]:
    """What the browser is told of a QR code it starts."""
    status, answer, _ = ask(running, "POST", "/client/challenge/qr-code", body, auth=auth or tenant(running))
    assert status == 200, answer
    return {name: answer[name] for name in ("challengeId", "deviceCode", "expiresAt")}


def qr_state(running: RunningSandbox, code: dict[str, str]) -> Any:
    poll = {name: code[name] for name in ("challengeId", "deviceCode")}
    return ask(running, "POST", "/client/verify/qr-code", poll, auth=tenant(running))[1]


def started_in_app(running: RunningSandbox, **about: Any) -> str:
    """The id of a challenge as `POST /client/challenge` begins it."""
    sandbox = running.sandbox
    now = sandbox.clock.now()
    challenge = Challenge(
        challenge_id=sandbox.new_id(), method="ANY", created_at=now, expires_at=now + timedelta(minutes=10), **about
    )
    return sandbox.challenges.put(challenge).challenge_id


def refused(answer: tuple[int, Any], code: str = "invalid_request") -> bool:
    """Whether it is an error as Authsignal words them."""
    status, body = answer
    return status == 400 and body["error"] == body["errorCode"] == code and bool(body["errorDescription"])


@pytest.mark.parametrize(("kind", "method"), KINDS)
def test_an_app_enrols_reads_itself_and_is_listed(empty: RunningSandbox, kind: str, method: str) -> None:
    auth, app = bearer(empty), SoftwareApp(platform="android")
    status, answer, _ = ask(empty, "POST", f"{APPS}/{kind}", app.enrolment(), auth=auth)
    assert status == 200
    assert answer["userId"] == "u"
    assert answer["verifiedAt"]
    for key in (app.query_key, base64.b64encode(app.public_key.encode()).decode()):
        assert app_asks(empty, "GET", f"{kind}?publicKey={key}") == (200, answer)
    (row,) = ask(empty, "GET", APPS, auth=auth)[1]
    assert (row["verificationMethod"], row["devicePlatform"], row["isDefault"]) == (method, "ANDROID", True)
    assert [event.type for event in empty.sandbox.recorded_events][-1] == "authenticator.created"
    assert ask(empty, "POST", "/users/u/actions/pay")[1]["enrolledVerificationMethods"] == [method]


def test_an_app_that_enrols_again_is_one_app_of_one_user(empty: RunningSandbox) -> None:
    app = enrolled(empty, "push")
    enrolled(empty, "push", app=app)
    assert len(ask(empty, "GET", "/users/u/authenticators")[1]) == 1
    other = ask(empty, "POST", f"{APPS}/push", app.enrolment(), auth=bearer(empty, "other"))
    assert refused(other[:2])
    assert ask(empty, "GET", "/users/other/authenticators")[1] == []


def test_an_app_without_a_key_or_a_platform_is_not_enrolled(empty: RunningSandbox) -> None:
    auth, right = bearer(empty), SoftwareApp().enrolment()
    no_key = base64.b64encode(b"0" * 91).decode()
    for wrong in ({"publicKey": "nonsense"}, {"publicKey": ""}, {"publicKey": no_key}, {"devicePlatform": "toaster"}):
        assert refused(ask(empty, "POST", f"{APPS}/push", {**right, **wrong}, auth=auth)[:2])
    assert refused(ask(empty, "POST", f"{APPS}/push", {"publicKey": right["publicKey"]}, auth=auth)[:2])
    assert empty.sandbox.store.counts()["authenticators"] == 0


@pytest.mark.parametrize(("kind", "method"), KINDS)
def test_a_removed_app_is_an_unknown_credential(empty: RunningSandbox, kind: str, method: str) -> None:
    app = enrolled(empty, kind)
    status, _ = app_asks(empty, "POST", f"{kind}/remove", app.removal(empty.sandbox.clock.now()))
    assert status == 200
    assert refused(app_asks(empty, "GET", f"{kind}?publicKey={app.query_key}"), "invalid_credential")
    assert ask(empty, "GET", "/users/u/authenticators")[1] == []
    last = empty.sandbox.recorded_events[-1]
    assert (last.type, last.about.verification_method) == ("authenticator.deleted", method)


def test_an_app_can_only_remove_itself_with_a_current_signature(empty: RunningSandbox) -> None:
    app, other, now = enrolled(empty, "push"), SoftwareApp(), empty.sandbox.clock.now()
    signed_by_other = {**app.removal(now), "signature": other.removal(now)["signature"]}
    assert refused(app_asks(empty, "POST", "push/remove", signed_by_other))
    assert refused(app_asks(empty, "POST", "push/remove", app.removal(now - timedelta(minutes=30))))
    assert refused(app_asks(empty, "POST", "push/remove", other.removal(now)), "invalid_credential")
    assert refused(app_asks(empty, "POST", "qr-code/remove", app.removal(now)), "invalid_credential")
    assert app_asks(empty, "GET", f"push?publicKey={app.query_key}")[0] == 200


def test_an_update_needs_a_signature_over_a_message_that_works_once(empty: RunningSandbox) -> None:
    app = enrolled(empty, "push")
    to_sign = app_asks(empty, "POST", f"push/sign?publicKey={app.query_key}")[1]
    wrong = app.update(to_sign["challengeId"], to_sign["challengeId"], pushToken="t")
    assert refused(app_asks(empty, "PATCH", "push", wrong))
    right = app.update(to_sign["challengeId"], to_sign["message"], pushToken="t", resetExpiry=True)
    status, answer = app_asks(empty, "PATCH", "push", right)
    assert (status, answer["pushToken"], bool(answer["lastVerifiedAt"])) == (200, "t", True)
    assert refused(app_asks(empty, "PATCH", "push", right))
    other = enrolled(empty, "push", "other")
    foreign = app_asks(empty, "POST", f"push/sign?publicKey={app.query_key}")[1]
    assert refused(app_asks(empty, "PATCH", "push", other.update(foreign["challengeId"], foreign["message"])))


@pytest.mark.parametrize("algorithm", ["EC", "RSA"])
def test_an_approved_push_completes_the_challenge_of_the_action(
    empty: RunningSandbox, algorithm: Literal["EC", "RSA"]
) -> None:
    app = enrolled(empty, "push", app=SoftwareApp(algorithm=algorithm))
    auth = bearer(empty, action="pay", idempotencyKey="k", custom={"amount": 3})
    assert state_of(empty, "pay") == "CHALLENGE_REQUIRED"
    challenge_id = pushed(empty, auth)
    assert push_state(empty, challenge_id, auth) == {"isVerified": False, "isConsumed": False}

    waiting = app_asks(empty, "GET", f"push/challenge?publicKey={app.query_key}")[1]
    assert (waiting["challengeId"], waiting["actionCode"], waiting["idempotencyKey"]) == (challenge_id, "pay", "k")
    assert waiting["custom"] == {"amount": 3}
    assert isinstance(waiting["expiresAt"], int)

    answer = app_asks(empty, "POST", "push/challenge", app.answer(challenge_id))
    assert answer == (200, {"isVerified": True})
    assert state_of(empty, "pay") == "CHALLENGE_SUCCEEDED"
    assert "lastVerifiedAt" in app_asks(empty, "GET", f"push?publicKey={app.query_key}")[1]

    done = push_state(empty, challenge_id, auth)
    assert (done["isVerified"], done["isConsumed"]) == (True, True)
    validated = ask(empty, "POST", "/validate", {"token": done["accessToken"]})[1]
    assert (validated["isValid"], validated["verificationMethod"]) == (True, "PUSH")
    assert push_state(empty, challenge_id, auth) == {"isVerified": True, "isConsumed": True}
    enrolling = ask(empty, "POST", f"{APPS}/in-app", SoftwareApp().enrolment(), auth=f"Bearer {done['accessToken']}")
    assert enrolling[0] == 200


def test_a_declined_push_returns_no_token_and_does_not_change_the_action(empty: RunningSandbox) -> None:
    app, auth = enrolled(empty, "push"), bearer(empty, action="pay")
    challenge_id = pushed(empty, auth)
    assert app_asks(empty, "POST", "push/challenge", app.answer(challenge_id, approved=False))[0] == 200
    assert push_state(empty, challenge_id, auth) == {"isVerified": False, "isConsumed": True}
    assert refused(app_asks(empty, "POST", "push/challenge", app.answer(challenge_id)))
    assert state_of(empty, "pay") == "CHALLENGE_REQUIRED"


def test_a_push_notification_is_in_the_outbox_of_each_app(empty: RunningSandbox) -> None:
    enrolled(empty, "push")
    enrolled(empty, "push")
    ids = [row["userAuthenticatorId"] for row in ask(empty, "GET", "/users/u/authenticators")[1]]
    started = ask(empty, "POST", "/client/challenge/push", {}, auth=bearer(empty))[1]
    assert [result["userAuthenticatorId"] for result in started["deliveryResults"]] == ids
    assert [(message.channel, message.to) for message in empty.sandbox.outbox] == [("push", each) for each in ids]


def test_a_push_to_one_app_cannot_be_answered_by_another(empty: RunningSandbox) -> None:
    first, second, auth = enrolled(empty, "push"), enrolled(empty, "push"), bearer(empty)
    mine = app_asks(empty, "GET", f"push?publicKey={first.query_key}")[1]["userAuthenticatorId"]
    challenge_id = pushed(empty, auth, userAuthenticatorId=mine)
    assert "challengeId" not in app_asks(empty, "GET", f"push/challenge?publicKey={second.query_key}")[1]
    assert refused(app_asks(empty, "POST", "push/challenge", second.answer(challenge_id)))
    assert app_asks(empty, "POST", "push/challenge", first.answer(challenge_id))[0] == 200


def test_a_push_needs_an_enrolled_app(empty: RunningSandbox) -> None:
    assert refused(ask(empty, "POST", "/client/challenge/push", {}, auth=bearer(empty))[:2])
    enrolled(empty, "push")
    body = {"userAuthenticatorId": "nobody's"}
    assert refused(ask(empty, "POST", "/client/challenge/push", body, auth=bearer(empty))[:2])
    assert list(empty.sandbox.outbox) == []


def test_the_number_of_a_push_must_match(empty: RunningSandbox) -> None:
    app, auth = enrolled(empty, "push"), bearer(empty, action="pay")
    challenge_id = pushed(empty, auth)
    message = empty.sandbox.outbox.last("u")
    assert message
    assert message.code
    wrong = f"{(int(message.code) + 1) % 100:02d}"
    assert refused(app_asks(empty, "POST", "push/challenge", app.answer(challenge_id, code=wrong)))
    assert state_of(empty, "pay") == "CHALLENGE_REQUIRED"
    assert app_asks(empty, "POST", "push/challenge", app.answer(challenge_id, code=message.code))[0] == 200


def test_a_pending_push_is_read_with_a_valid_signature_that_works_once(empty: RunningSandbox) -> None:
    app = enrolled(empty, "push")
    challenge_id = pushed(empty, bearer(empty))
    message = app_asks(empty, "POST", f"push/challenge/sign?publicKey={app.query_key}")[1]["message"]
    pending = f"push/challenge?publicKey={app.query_key}"
    forged = {"X-Authsignal-Signature": SoftwareApp().sign(message)}
    signed = {"X-Authsignal-Signature": app.sign(message)}
    assert refused(app_asks(empty, "GET", pending, headers=forged))
    assert app_asks(empty, "GET", pending, headers=signed)[1]["challengeId"] == challenge_id
    assert refused(app_asks(empty, "GET", pending, headers=signed))


@pytest.mark.parametrize("kind", ["push", "qr-code"])
def test_a_forged_response_changes_nothing(empty: RunningSandbox, kind: str) -> None:
    app, thief = enrolled(empty, kind), enrolled(empty, kind, "thief")
    auth = bearer(empty, action="pay")
    challenge_id = pushed(empty, auth) if kind == "push" else shown(empty, auth)["challengeId"]
    before = empty.sandbox.challenges.get(challenge_id, empty.sandbox.clock.now())
    claiming = ["qr-code/challenge/claim"] if kind == "qr-code" else []
    for path in [f"{kind}/challenge", *claiming]:
        forged = {**app.answer(challenge_id), "signature": thief.sign(challenge_id)}
        other_id = {**app.answer(challenge_id), "signature": app.sign("another")}
        garbage = {**app.answer(challenge_id), "signature": "!"}
        for body in (forged, other_id, garbage, thief.answer(challenge_id), app.answer("unknown")):
            assert refused(app_asks(empty, "POST", path, body))
        assert refused(app_asks(empty, "POST", path, SoftwareApp().answer(challenge_id)), "invalid_credential")
    assert empty.sandbox.challenges.get(challenge_id, empty.sandbox.clock.now()) == before
    assert state_of(empty, "pay") == "CHALLENGE_REQUIRED"


def test_another_user_cannot_poll_a_push(empty: RunningSandbox) -> None:
    app, auth = enrolled(empty, "push"), bearer(empty)
    challenge_id = pushed(empty, auth)
    app_asks(empty, "POST", "push/challenge", app.answer(challenge_id))
    poll = ask(empty, "POST", "/client/verify/push", {"challengeId": challenge_id}, auth=bearer(empty, "other"))
    assert refused(poll[:2])


def test_challenges_expire_with_the_token(empty: RunningSandbox) -> None:
    pusher, scanner, verifier = enrolled(empty, "push"), enrolled(empty, "qr-code"), enrolled(empty, "in-app")
    push, code, in_app = pushed(empty, bearer(empty)), shown(empty, action="signIn"), started_in_app(empty)
    to_sign = app_asks(empty, "POST", f"push/sign?publicKey={pusher.query_key}")[1]
    ask(empty, "POST", "/_sandbox/clock/advance", {"seconds": 601})
    assert refused(app_asks(empty, "POST", "push/challenge", pusher.answer(push)))
    assert "challengeId" not in app_asks(empty, "GET", f"push/challenge?publicKey={pusher.query_key}")[1]
    assert refused(app_asks(empty, "PATCH", "push", pusher.update(to_sign["challengeId"], to_sign["message"])))
    assert refused(app_asks(empty, "POST", "qr-code/challenge/claim", scanner.claim(code["challengeId"])))
    assert qr_state(empty, code)["errorCode"] == "invalid_request"
    late = ask(empty, "POST", "/client/verify/in-app", verifier.claim(in_app), auth=tenant(empty))
    assert refused(late[:2])


def test_a_qr_code_goes_from_unclaimed_to_approved(empty: RunningSandbox) -> None:
    app = enrolled(empty, "qr-code")
    code = shown(empty, action="kiosk", custom={"till": 4})
    assert code["expiresAt"].endswith("Z")
    assert qr_state(empty, code) == {"isClaimed": False, "isConsumed": False, "isVerified": False}

    status, claimed = app_asks(empty, "POST", "qr-code/challenge/claim", app.claim(code["challengeId"]))
    assert (status, claimed["success"], claimed["actionCode"], claimed["custom"]) == (200, True, "kiosk", {"till": 4})
    assert qr_state(empty, code) == {"isClaimed": True, "isConsumed": False, "isVerified": False}
    assert state_of(empty, "kiosk") == "CHALLENGE_REQUIRED"

    assert app_asks(empty, "POST", "qr-code/challenge", app.answer(code["challengeId"]))[0] == 200
    done = qr_state(empty, code)
    assert (done["isClaimed"], done["isConsumed"], done["isVerified"]) == (True, True, True)
    validated = ask(empty, "POST", "/validate", {"token": done["accessToken"]})[1]
    assert (validated["isValid"], validated["userId"], validated["action"]) == (True, "u", "kiosk")
    assert qr_state(empty, code) == {"isClaimed": True, "isConsumed": True, "isVerified": True}
    assert state_of(empty, "kiosk") == "CHALLENGE_SUCCEEDED"
    recorded = [event.about.action_code for event in empty.sandbox.recorded_events if event.type.startswith("action.")]
    assert recorded[-1] == "kiosk"


def test_a_declined_qr_code_is_consumed_and_not_verified(empty: RunningSandbox) -> None:
    app, code = enrolled(empty, "qr-code"), shown(empty, action="kiosk")
    app_asks(empty, "POST", "qr-code/challenge/claim", app.claim(code["challengeId"]))
    app_asks(empty, "POST", "qr-code/challenge", app.answer(code["challengeId"], approved=False))
    assert qr_state(empty, code) == {"isClaimed": True, "isConsumed": True, "isVerified": False}
    assert refused(app_asks(empty, "POST", "qr-code/challenge", app.answer(code["challengeId"])))
    assert state_of(empty, "kiosk") == "CHALLENGE_REQUIRED"


def test_a_qr_code_is_claimed_once_and_answered_by_the_app_that_claimed_it(empty: RunningSandbox) -> None:
    app, other, code = enrolled(empty, "qr-code"), enrolled(empty, "qr-code", "other"), shown(empty, action="kiosk")
    challenge_id = code["challengeId"]
    assert refused(app_asks(empty, "POST", "qr-code/challenge", app.answer(challenge_id)))
    assert app_asks(empty, "POST", "qr-code/challenge/claim", app.claim(challenge_id))[0] == 200
    for again in (app, other):
        assert refused(app_asks(empty, "POST", "qr-code/challenge/claim", again.claim(challenge_id)))
    assert refused(app_asks(empty, "POST", "qr-code/challenge", other.answer(challenge_id)))
    assert ask(empty, "GET", "/users/other/actions?codes=kiosk")[1] == []


def test_a_qr_code_of_a_known_user_completes_only_their_action(empty: RunningSandbox) -> None:
    app, other = enrolled(empty, "qr-code"), enrolled(empty, "qr-code", "other")
    code = shown(empty, bearer(empty, action="pay", custom={"amount": 3}), action="ignored")
    assert refused(app_asks(empty, "POST", "qr-code/challenge/claim", other.claim(code["challengeId"])))
    claimed = app_asks(empty, "POST", "qr-code/challenge/claim", app.claim(code["challengeId"]))[1]
    assert (claimed["actionCode"], claimed["custom"]) == ("pay", {"amount": 3})
    app_asks(empty, "POST", "qr-code/challenge", app.answer(code["challengeId"]))
    assert state_of(empty, "pay") == "CHALLENGE_SUCCEEDED"
    assert ask(empty, "GET", "/users/u/actions?codes=ignored")[1] == []


def test_a_qr_code_is_polled_only_with_its_device_code(empty: RunningSandbox) -> None:
    code = shown(empty, action="kiosk")
    assert qr_state(empty, {**code, "deviceCode": "guess"})["errorCode"] == "invalid_request"


def test_an_app_verifies_the_action_of_its_token(empty: RunningSandbox) -> None:
    app, auth = enrolled(empty, "in-app"), bearer(empty, action="pay", username="ann")
    proof = app.claim(started_in_app(empty))
    status, answer, _ = ask(empty, "POST", "/client/verify/in-app", proof, auth=auth)
    assert (status, answer["userId"], answer["username"]) == (200, "u", "ann")
    assert state_of(empty, "pay") == "CHALLENGE_SUCCEEDED"
    assert ask(empty, "POST", "/validate", {"token": answer["token"]})[1]["isValid"]
    assert refused(ask(empty, "POST", "/client/verify/in-app", proof, auth=auth)[:2])


def test_an_app_signs_its_user_in_without_a_token(empty: RunningSandbox) -> None:
    app = enrolled(empty, "in-app")
    proof = app.claim(started_in_app(empty, action_code="openApp"))
    status, answer, _ = ask(empty, "POST", "/client/verify/in-app", proof, auth=tenant(empty))
    assert status == 200
    validated = ask(empty, "POST", "/validate", {"token": answer["token"]})[1]
    assert (validated["isValid"], validated["action"], validated["verificationMethod"]) == (True, "openApp", "IN_APP")


def test_an_app_cannot_verify_another_user_or_an_unsigned_challenge(empty: RunningSandbox) -> None:
    app, challenge_id = enrolled(empty, "in-app"), started_in_app(empty)
    proof = app.claim(challenge_id)
    assert refused(ask(empty, "POST", "/client/verify/in-app", proof, auth=bearer(empty, "other"))[:2])
    forged = {**proof, "signature": SoftwareApp().sign(challenge_id)}
    assert refused(ask(empty, "POST", "/client/verify/in-app", forged, auth=tenant(empty))[:2])
    assert ask(empty, "POST", "/client/verify/in-app", proof, auth=tenant(empty))[0] == 200


def test_a_disabled_verification_method_is_refused(empty: RunningSandbox) -> None:
    app, auth = SoftwareApp(), bearer(empty)
    for key, value in empty.sandbox.tenant.methods.items():
        if value["verificationMethod"] in ("PUSH", "QR_CODE"):
            empty.sandbox.tenant = empty.sandbox.tenant.put("methods", key, {**value, "isActive": False})
    assert refused(ask(empty, "POST", f"{APPS}/push", app.enrolment(), auth=auth)[:2])
    assert refused(ask(empty, "POST", "/client/challenge/push", {}, auth=auth)[:2])
    assert refused(ask(empty, "POST", "/client/challenge/qr-code", {}, auth=tenant(empty))[:2])


def test_a_removal_message_equals_that_of_the_sdks() -> None:
    # both SDKs print floor(seconds / 600) as a floating-point number
    assert removal_message(datetime(2026, 11, 2, 9, 9, 59, 999_999, UTC)) == "2989350.0"


def test_keys_of_other_curves_and_short_rsa_keys_are_refused() -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    keys = (
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(public_exponent=65537, key_size=1024),  # noqa: S505 - to be refused
    )
    for key in keys:
        der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert canonical(base64.b64encode(der).decode()) is None


def socket_of(running: RunningSandbox, protocol: str) -> ClientConnection:
    """The WebSocket that the browser SDK opens, at the URL that it derives from its base URL."""
    url = running.url.replace("http://", "ws://").replace("v1", "ws-v1-challenge").replace("api", "api-ws")
    return connect(url, subprotocols=[Subprotocol("authsignal-ws"), Subprotocol(protocol)], open_timeout=30)


def test_a_web_socket_tells_the_browser_each_state_of_its_qr_code(empty: RunningSandbox) -> None:
    app = enrolled(empty, "qr-code")
    with socket_of(empty, f"x.authsignal.tenant.{empty.sandbox.config.tenant_id}") as browser:
        data = {"challengeType": "QR_CODE", "actionCode": "kiosk", "custom": {"seat": "12A"}}
        browser.send(json.dumps({"type": "CREATE_CHALLENGE", "data": data}))
        created = json.loads(browser.recv(timeout=30))
        challenge_id = created["data"].pop("challengeId")
        assert datetime.fromisoformat(created["data"].pop("expiresAt")) > empty.clock.now()
        assert created == {"type": "CHALLENGE_CREATED", "data": {"challengeType": "QR_CODE", "state": "unclaimed"}}
        claimed = app_asks(empty, "POST", "qr-code/challenge/claim", app.claim(challenge_id))[1]
        assert (claimed["actionCode"], claimed["custom"]) == ("kiosk", {"seat": "12A"})
        app_asks(empty, "POST", "qr-code/challenge", app.answer(challenge_id))
        states = [json.loads(browser.recv(timeout=30)) for _ in range(2)]
    assert {state["type"] for state in states} == {"STATE_CHANGE"}
    assert {state["data"]["challengeId"] for state in states} == {challenge_id}
    assert [state["data"]["state"] for state in states] == ["claimed", "approved"]
    token = states[1]["data"]["accessToken"]
    assert ask(empty, "POST", "/validate", {"token": token})[1]["verificationMethod"] == "QR_CODE"


def test_a_web_socket_needs_the_tenant_or_a_token(empty: RunningSandbox) -> None:
    for protocol in ("x.authsignal.tenant.another", "x.authsignal.token.abc", "another"):
        with pytest.raises(InvalidStatus) as refusal, socket_of(empty, protocol):
            pass
        assert refusal.value.response.status_code == 403
    token = bearer(empty).removeprefix("Bearer ")
    with socket_of(empty, f"x.authsignal.token.{token}") as browser:
        assert browser.subprotocol == "authsignal-ws"
        browser.send("{}")
        with pytest.raises(ConnectionClosed):
            browser.recv(timeout=30)


def test_attestation_gets_a_new_nonce_each_time(empty: RunningSandbox) -> None:
    nonces = {ask(empty, "POST", "/client/challenge", {}, auth=tenant(empty))[1]["nonce"] for _ in range(3)}
    assert len(nonces) == 3
