"""The Server API beyond what the SDK's own tests touch: devices, challenges, claims, sessions, filters."""

from typing import Any

import jwt
import pytest

from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.sandbox.tenant.entities import Device
from tests.ceremonies import Visitor
from tests.helpers import ask


def post(running: RunningSandbox, path: str, body: Any = None) -> Any:
    status, answer, _ = ask(running, "POST", path, body or {})
    assert status == 200, answer
    return answer


def code_of(running: RunningSandbox) -> str:
    message = running.sandbox.outbox.last()
    assert message
    assert message.code
    return message.code


def start(running: RunningSandbox, **more: Any) -> Any:
    body = {"verificationMethod": "EMAIL_OTP", "action": "signIn", "email": "ada@example.com", **more}
    return post(running, "/challenge", body)


def verify(running: RunningSandbox, started: Any, code: str | None = None) -> Any:
    body = {"challengeId": started["challengeId"], "verificationCode": code or code_of(running)}
    return post(running, "/verify", body)


def met(running: RunningSandbox, user_id: str = "u") -> str:
    """A token of a challenge that was met."""
    started = start(running)
    verify(running, started)
    token: str = post(running, "/claim", {"challengeId": started["challengeId"], "userId": user_id})["token"]
    return token


def test_a_challenge_without_a_user_is_verified_and_then_claimed(empty: RunningSandbox) -> None:
    started = start(empty)
    assert started["expiresAt"] == int(empty.sandbox.clock.now().timestamp()) + 600
    assert verify(empty, started, "wrong") == {"isVerified": False, "failureReason": "CODE_INVALID_OR_EXPIRED"}
    assert verify(empty, started) == {
        "isVerified": True,
        "email": "ada@example.com",
        "verificationMethod": "EMAIL_OTP",
    }
    claimed = post(empty, "/claim", {"challengeId": started["challengeId"], "userId": "u"})
    assert claimed["verificationMethod"] == "EMAIL_OTP"
    verdict = post(empty, "/validate", {"token": claimed["token"]})
    assert (verdict["isValid"], verdict["userId"], verdict["idempotencyKey"]) == (True, "u", started["idempotencyKey"])


def test_a_challenge_cannot_be_claimed_twice_or_unverified_or_by_another_user(empty: RunningSandbox) -> None:
    started = start(empty)
    body = {"challengeId": started["challengeId"], "userId": "u"}
    assert ask(empty, "POST", "/claim", body)[0] == 400
    verify(empty, started)
    post(empty, "/claim", body)
    assert ask(empty, "POST", "/claim", body)[0] == 400
    named = start(empty, userId="a")
    verify(empty, named)
    assert ask(empty, "POST", "/claim", {"challengeId": named["challengeId"], "userId": "b"})[0] == 400


def test_a_claim_can_skip_verification_but_does_not_complete_the_challenge(empty: RunningSandbox) -> None:
    started = start(empty)
    body = {"challengeId": started["challengeId"], "userId": "u", "skipVerificationCheck": True}
    verdict = post(empty, "/validate", {"token": post(empty, "/claim", body)["token"]})
    assert (verdict["isValid"], verdict["state"]) == (False, "CHALLENGE_REQUIRED")


def test_a_verified_challenge_of_a_known_user_completes_their_action(empty: RunningSandbox) -> None:
    started = start(empty, userId="u", idempotencyKey="k")
    assert ask(empty, "GET", "/users/u/actions/signIn/k")[1]["state"] == "CHALLENGE_REQUIRED"
    verify(empty, started)
    assert ask(empty, "GET", "/users/u/actions/signIn/k")[1]["state"] == "CHALLENGE_SUCCEEDED"


def test_a_verified_challenge_passed_to_track_completes_its_action_once(empty: RunningSandbox) -> None:
    post(empty, "/users/u/authenticators", {"verificationMethod": "EMAIL_OTP", "email": "ada@example.com"})
    started = start(empty)
    verify(empty, started)
    body = {"challengeId": started["challengeId"]}
    assert post(empty, "/users/u/actions/payment", body)["state"] == "CHALLENGE_REQUIRED"
    assert post(empty, "/users/u/actions/signIn", body)["state"] == "CHALLENGE_SUCCEEDED"
    assert post(empty, "/users/u/actions/signIn", body)["state"] == "CHALLENGE_REQUIRED"
    assert ask(empty, "POST", "/claim", {**body, "userId": "u"})[0] == 400


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_active_challenge_is_found_by_get_and_by_post(empty: RunningSandbox, method: str) -> None:
    def active(**asked: str) -> Any:
        if method == "POST":
            return post(empty, "/challenges", asked)
        return ask(empty, "GET", "/challenges?" + "&".join(f"{key}={value}" for key, value in asked.items()))[1]

    started = start(empty, userId="u")
    asked = {"userId": "u", "action": "signIn", "verificationMethod": "EMAIL_OTP"}
    expected = {
        "challengeId": started["challengeId"],
        "expiresAt": started["expiresAt"],
        "verificationMethod": "EMAIL_OTP",
        "email": "ada@example.com",
        "action": "signIn",
    }
    assert active(**asked) == active(challengeId=started["challengeId"]) == expected
    verify(empty, started)
    assert active(**asked) == {}


@pytest.mark.parametrize(
    "body",
    [
        {"verificationMethod": "EMAIL_OTP", "action": "signIn"},
        {"verificationMethod": "SMS", "action": "signIn", "email": "ada@example.com"},
        {"verificationMethod": "PIGEON", "action": "signIn", "email": "ada@example.com"},
        {"verificationMethod": "EMAIL_OTP", "email": "ada@example.com"},
        {"verificationMethod": "EMAIL_OTP", "action": "sign in", "email": "ada@example.com"},
        {"verificationMethod": "EMAIL_OTP", "action": "a", "email": "ada@example.com", "challengeId": "none"},
    ],
)
def test_a_challenge_that_cannot_be_sent_is_refused_and_sends_nothing(
    empty: RunningSandbox, body: dict[str, Any]
) -> None:
    status, answer, _ = ask(empty, "POST", "/challenge", body)
    assert (status, answer["errorCode"]) == (400, "invalid_request")
    assert len(empty.sandbox.outbox) == 0


def test_a_session_token_can_be_verified_with_the_published_key(empty: RunningSandbox) -> None:
    tokens = post(empty, "/sessions", {"clientId": "web", "token": met(empty)})
    tenant = empty.sandbox.config.tenant_id
    keys = ask(empty, "GET", f"/client/public/{tenant}/.well-known/jwks", auth=None)[1]
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(tokens["accessToken"])["kid"]]
    options: Any = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(tokens["accessToken"], key, algorithms=["RS256"], audience="web", options=options)
    assert claims["sub"] == "u"
    valid = post(empty, "/sessions/validate", {"accessToken": tokens["accessToken"], "clientIds": ["web"]})
    assert (valid["user"]["userId"], valid["verificationMethod"]) == ("u", "EMAIL_OTP")
    assert valid["expiresAt"] == claims["exp"]


def test_a_refresh_replaces_both_tokens(empty: RunningSandbox) -> None:
    old = post(empty, "/sessions", {"clientId": "web", "token": met(empty)})
    new = post(empty, "/sessions/refresh", {"refreshToken": old["refreshToken"]})
    assert ask(empty, "POST", "/sessions/refresh", {"refreshToken": old["refreshToken"]})[0] == 400
    assert ask(empty, "POST", "/sessions/validate", {"accessToken": old["accessToken"]})[0] == 400
    assert post(empty, "/sessions/validate", {"accessToken": new["accessToken"]})["user"]["userId"] == "u"


def test_sessions_end_when_revoked_or_expired(empty: RunningSandbox) -> None:
    first, second = (post(empty, "/sessions", {"clientId": "web", "token": met(empty)}) for _ in range(2))
    post(empty, "/sessions/revoke", {"accessToken": first["accessToken"]})
    assert ask(empty, "POST", "/sessions/validate", {"accessToken": first["accessToken"]})[0] == 400
    assert ask(empty, "POST", "/sessions/validate", {"accessToken": second["accessToken"]})[0] == 200
    ask(empty, "POST", "/_sandbox/clock/advance", {"seconds": 3601})
    assert ask(empty, "POST", "/sessions/validate", {"accessToken": second["accessToken"]})[0] == 400
    renewed = post(empty, "/sessions/refresh", {"refreshToken": second["refreshToken"]})
    post(empty, "/sessions/user/revoke", {"userId": "u"})
    assert ask(empty, "POST", "/sessions/validate", {"accessToken": renewed["accessToken"]})[0] == 400


def test_a_session_needs_a_completed_challenge(empty: RunningSandbox) -> None:
    visitor = Visitor(empty).track()
    for token in (visitor.token, "nonsense"):
        assert ask(empty, "POST", "/sessions", {"clientId": "web", "token": token})[0] == 400
    assert ask(empty, "POST", "/sessions", {"clientId": "web", "token": met(empty), "action": "other"})[0] == 400


def test_a_device_is_remembered_forgotten_and_invalidated(empty: RunningSandbox) -> None:
    empty.sandbox.store.put_device(Device(user_id="u", device_id="d/1", created_at=empty.sandbox.clock.now()))
    path = "/users/u/devices/d%2F1"
    moment = "2027-01-01T00:00:00.000Z"
    assert ask(empty, "PATCH", path, {"rememberedUntil": moment})[1]["rememberedUntil"] == moment
    assert "rememberedUntil" not in ask(empty, "PATCH", path, {"rememberedUntil": None})[1]
    assert ask(empty, "PATCH", path, {"rememberedUntil": "soon"})[0] == 400
    assert ask(empty, "PATCH", path, {"rememberedUntil": "2027-01-01T00:00:00"})[0] == 400
    assert "invalidatedAt" in post(empty, f"{path}/invalidate")
    assert [row["deviceId"] for row in ask(empty, "GET", "/users/u/devices")[1]] == ["d/1"]
    assert ask(empty, "POST", "/users/u/devices/none/invalidate")[0] == 404


def test_a_challenge_completed_on_a_device_registers_the_device(empty: RunningSandbox) -> None:
    visitor = Visitor(empty).track(deviceId="phone")
    visitor.register()
    (device,) = ask(empty, "GET", "/users/u/devices")[1]
    assert (device["deviceId"], device["lastVerificationMethod"]) == ("phone", "PASSKEY")


def test_users_are_found_by_a_token(empty: RunningSandbox) -> None:
    visitor = Visitor(empty).track()
    found = ask(empty, "GET", f"/users?token={visitor.token}")[1]
    assert [user["userId"] for user in found["users"]] == ["u"]
    assert found["tokenPayload"]["sub"] == "u"
    assert ask(empty, "GET", "/users?token=nonsense")[0] == 400


def test_matching_authenticators_get_a_verified_e_mail_address(empty: RunningSandbox) -> None:
    post(empty, "/users/u/authenticators", {"verificationMethod": "EMAIL_OTP", "email": "old@example.com"})
    ask(empty, "PATCH", "/users/u", {"email": "new@example.com"})
    assert ask(empty, "GET", "/users/u/authenticators")[1][0]["email"] == "old@example.com"
    ask(empty, "PATCH", "/users/u", {"emailVerified": True})
    assert ask(empty, "GET", "/users/u/authenticators")[1][0]["email"] == "new@example.com"


def test_a_verification_method_that_the_tenant_has_not_enabled_is_refused(empty: RunningSandbox) -> None:
    from dlt_authsignal.sandbox import SandboxConfig, run_in_thread

    with run_in_thread(SandboxConfig(seed=1, methods=("SMS",))) as running:
        for path, body in (
            ("/users/u/authenticators", {"verificationMethod": "EMAIL_OTP", "email": "a@example.com"}),
            ("/challenge", {"verificationMethod": "EMAIL_OTP", "action": "a", "email": "a@example.com"}),
        ):
            assert ask(running, "POST", path, body)[1]["errorCode"] == "invalid_request"


def test_a_tenant_without_verification_methods_cannot_track(empty: RunningSandbox) -> None:
    from dlt_authsignal.sandbox import SandboxConfig, run_in_thread

    with run_in_thread(SandboxConfig(seed=1, methods=())) as running:
        status, answer, _ = ask(running, "POST", "/users/u/actions/signIn")
        assert (status, answer["errorCode"]) == (400, "AUTHENTICATOR_NOT_FOUND")


def test_deleting_a_user_ends_their_challenges_sessions_and_recovery_codes(empty: RunningSandbox) -> None:
    visitor = Visitor(empty).track()
    visitor.register()
    session = post(empty, "/sessions", {"clientId": "web", "token": visitor.token})
    options = visitor.post("/user-authenticators/passkey/registration-options", {})[1]
    ask(empty, "DELETE", "/users/u")
    assert ask(empty, "POST", "/sessions/validate", {"accessToken": session["accessToken"]})[0] == 400
    assert ask(empty, "POST", "/sessions/refresh", {"refreshToken": session["refreshToken"]})[0] == 400
    body = {"challengeId": options["challengeId"], "registrationCredential": {}}
    assert visitor.post("/user-authenticators/passkey", body)[1]["errorCode"] == "unauthorized"
    assert visitor.sign_in()[1]["errorCode"] == "unknown_credential"
    deleted = [event.about.user_id for event in empty.sandbox.recorded_events if event.type == "authenticator.deleted"]
    assert deleted == ["u"]
