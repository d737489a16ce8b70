"""Conformance of the Server API: every method of Authsignal's Node SDK against a real sandbox."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from dlt_authsignal.api.responses import UNAUTHORIZED_TEXT
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from tests.helpers import SECRET
from tests.node_process import NodeProcess, node

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
EMAIL, PHONE = "ada@example.com", "+64211234567"


class Failed(Exception):
    """An error of the SDK."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error)
        self.error = error


class Sdk:
    """The SDK: its methods under their own names, its request as keyword arguments."""

    def __init__(self, process: NodeProcess, running: RunningSandbox, secret: str = SECRET) -> None:
        self._process, self._secret, self.running = process, secret, running

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            answer = self._process.ask(method=method, request=request, apiSecretKey=self._secret)
            if "error" in answer:
                raise Failed(answer["error"])
            return answer["returned"]

        return call

    def with_secret(self, secret: str) -> "Sdk":
        return Sdk(self._process, self.running, secret)

    def sent_code(self) -> str:
        """The code of the newest message."""
        message = self.running.sandbox.outbox.last()
        assert message is not None
        assert message.code is not None
        return message.code


@pytest.fixture(scope="module")
def judge(node_modules: Path) -> Iterator[Sdk]:
    with run_in_thread(SandboxConfig()) as running, node("server_sdk.mjs", API_URL=running.url) as process:
        yield Sdk(process, running)


@pytest.fixture
def sdk(judge: Sdk) -> Sdk:
    """The SDK before an empty tenant."""
    judge.running.sandbox.reset()
    return judge


def verified_token(sdk: Sdk) -> str:
    """A token whose challenge was met: the whole way of a server that sends the codes itself."""
    started = sdk.challenge(verificationMethod="EMAIL_OTP", action="signIn", email=EMAIL)
    assert sdk.verify(challengeId=started["challengeId"], verificationCode=sdk.sent_code())["isVerified"] is True
    token: str = sdk.claimChallenge(challengeId=started["challengeId"], userId="ada")["token"]
    return token


def test_every_method_of_the_sdk_is_tested_here(sdk: Sdk) -> None:
    methods = {name for name in sdk.methods() if name not in ("constructor", "getRequestConfig")}
    tree = ast.parse(Path(__file__).read_text("utf-8"))
    called = {
        found.func.attr
        for found in ast.walk(tree)
        if isinstance(found, ast.Call)
        and isinstance(found.func, ast.Attribute)
        and isinstance(found.func.value, ast.Name)
        and found.func.value.id == "sdk"
    }
    assert len(methods) == 21
    assert methods <= called


def test_a_wrong_secret_raises_the_error_type_of_the_sdk(sdk: Sdk) -> None:
    with pytest.raises(Failed) as failed:
        sdk.with_secret("wrong").getUser(userId="ada")
    assert failed.value.error == {
        "name": "AuthsignalError",
        "mapped": True,
        "statusCode": 401,
        "errorCode": "unauthorized",
        "errorDescription": UNAUTHORIZED_TEXT,
        "message": f"AuthsignalError: 401 - {UNAUTHORIZED_TEXT}",
    }


def test_bad_input_raises_the_error_type_of_the_sdk_too(sdk: Sdk) -> None:
    with pytest.raises(Failed) as failed:
        sdk.enrollVerifiedAuthenticator(userId="ada", attributes={"verificationMethod": "TELEPATHY"})
    assert (failed.value.error["statusCode"], failed.value.error["errorCode"]) == (400, "invalid_request")
    assert failed.value.error["errorDescription"]


def test_an_unknown_user_is_not_enrolled(sdk: Sdk) -> None:
    assert sdk.getUser(userId="nobody") == {"isEnrolled": False}


def test_a_user_is_updated_read_and_deleted(sdk: Sdk) -> None:
    attributes = {
        "email": EMAIL,
        "emailVerified": True,
        "phoneNumber": PHONE,
        "phoneNumberVerified": False,
        "username": "ada",
        "displayName": "Ada",
        "locale": "en-NZ",
        "custom": {"plan": "gold", "seats": 3, "beta": True},
    }
    said = sdk.updateUser(userId="ada:1", attributes=attributes)
    assert {name: said[name] for name in attributes} == attributes
    user = sdk.getUser(userId="ada:1")
    assert {name: user[name] for name in attributes} == attributes
    assert user["isEnrolled"] is False
    assert "PASSKEY" in user["allowedVerificationMethods"]
    sdk.enrollVerifiedAuthenticator(userId="ada:1", attributes={"verificationMethod": "SMS", "phoneNumber": PHONE})
    assert sdk.getUser(userId="ada:1")["enrolledVerificationMethods"] == ["SMS"]
    assert sdk.deleteUser(userId="ada:1") is None
    assert sdk.getUser(userId="ada:1") == {"isEnrolled": False}
    assert sdk.getAuthenticators(userId="ada:1") == []


@pytest.mark.parametrize("query", [{"email": EMAIL}, {"phoneNumber": PHONE}, {"username": "ada"}])
def test_users_are_found_by_their_identifiers(sdk: Sdk, query: dict[str, str]) -> None:
    sdk.updateUser(userId="ada", attributes={"email": EMAIL, "phoneNumber": PHONE, "username": "ada"})
    sdk.updateUser(userId="bob", attributes={"email": "b@example.com", "phoneNumber": "+1", "username": "bob"})
    [user] = sdk.queryUsers(**query)["users"]
    assert user["userId"] == "ada"
    assert (user["emailVerified"], user["phoneNumberVerified"]) == (False, False)
    assert user.items() >= query.items()


def test_a_user_is_found_by_a_token(sdk: Sdk) -> None:
    token = sdk.track(userId="ada", action="signIn")["token"]
    found = sdk.queryUsers(token=token)
    assert [user["userId"] for user in found["users"]] == ["ada"]
    assert found["tokenPayload"]["sub"] == "ada"


def test_users_are_listed_page_by_page(sdk: Sdk) -> None:
    for name in "abc":
        sdk.updateUser(userId=name, attributes={"email": EMAIL})
    first = sdk.queryUsers(limit=2)
    second = sdk.queryUsers(limit=2, lastEvaluatedUserId=first["lastEvaluatedUserId"])
    assert [user["userId"] for user in first["users"] + second["users"]] == ["a", "b", "c"]
    assert "lastEvaluatedUserId" not in second


def test_authenticators_are_enrolled_listed_and_deleted(sdk: Sdk) -> None:
    sms = sdk.enrollVerifiedAuthenticator(
        userId="ada", attributes={"verificationMethod": "SMS", "phoneNumber": PHONE, "isDefault": True}
    )
    mail = sdk.enrollVerifiedAuthenticator(userId="ada", attributes={"verificationMethod": "EMAIL_OTP", "email": EMAIL})
    assert len(sms["recoveryCodes"]) == 5
    assert "recoveryCodes" not in mail
    listed = {row["verificationMethod"]: row for row in sdk.getAuthenticators(userId="ada")}
    assert sorted(listed) == ["EMAIL_OTP", "SMS"]
    assert listed["SMS"] == sms["authenticator"]
    assert (listed["SMS"]["userId"], listed["SMS"]["phoneNumber"]) == ("ada", PHONE)
    assert "email" not in listed["SMS"]
    assert ISO.fullmatch(listed["SMS"]["createdAt"])
    assert ISO.fullmatch(listed["SMS"]["verifiedAt"])
    wanted = listed["SMS"]["userAuthenticatorId"]
    assert sdk.deleteAuthenticator(userId="ada", userAuthenticatorId=wanted) is None
    assert [row["verificationMethod"] for row in sdk.getAuthenticators(userId="ada")] == ["EMAIL_OTP"]
    with pytest.raises(Failed):
        sdk.deleteAuthenticator(userId="ada", userAuthenticatorId=wanted)


def test_an_action_is_tracked_read_changed_and_validated(sdk: Sdk) -> None:
    sdk.enrollVerifiedAuthenticator(userId="ada", attributes={"verificationMethod": "SMS", "phoneNumber": PHONE})
    about = {"idempotencyKey": "k", "ipAddress": "203.0.113.9", "userAgent": "SDK", "custom": {"amount": 3}}
    tracked = sdk.track(userId="ada", action="signIn", attributes=about)
    assert (tracked["state"], tracked["idempotencyKey"], tracked["isEnrolled"]) == ("CHALLENGE_REQUIRED", "k", True)
    assert tracked["enrolledVerificationMethods"] == ["SMS"]
    assert tracked["defaultVerificationMethod"] == "SMS"
    assert tracked["url"].endswith(tracked["token"])
    action = sdk.getAction(userId="ada", action="signIn", idempotencyKey="k")
    assert action["state"] == "CHALLENGE_REQUIRED"
    assert action["output"] is not None
    assert ISO.fullmatch(action["stateUpdatedAt"])
    verdict = sdk.validateChallenge(token=tracked["token"], userId="ada", action="signIn")
    assert verdict.items() >= {"isValid": False, "state": "CHALLENGE_REQUIRED", "action": "signIn"}.items()
    assert (verdict["userId"], verdict["idempotencyKey"]) == ("ada", "k")
    changed = sdk.updateAction(
        userId="ada", action="signIn", idempotencyKey="k", attributes={"state": "CHALLENGE_SUCCEEDED"}
    )
    assert changed["state"] == "CHALLENGE_SUCCEEDED"
    assert sdk.validateChallenge(token=tracked["token"])["isValid"] is True


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"token": "garbage"}, "Token is invalid."),
        ({"userId": "bob"}, "User is invalid."),
        ({"action": "payment"}, "Action is invalid."),
    ],
)
def test_an_invalid_token_is_a_response_with_the_reason(sdk: Sdk, about: dict[str, str], why: str) -> None:
    token = sdk.track(userId="ada", action="signIn")["token"]
    verdict = sdk.validateChallenge(**{"token": token, **about})
    assert (verdict["isValid"], verdict["error"]) == (False, why)


def test_actions_are_found_by_code_state_and_date(sdk: Sdk) -> None:
    sdk.enrollVerifiedAuthenticator(userId="ada", attributes={"verificationMethod": "SMS", "phoneNumber": PHONE})
    for code in ("signIn", "payment", "updateProfile"):
        sdk.track(userId="ada", action=code, attributes={"idempotencyKey": f"{code}-1"})

    def codes(**query: Any) -> list[str]:
        return sorted(row["actionCode"] for row in sdk.queryUserActions(userId="ada", **query))

    assert codes() == ["payment", "signIn", "updateProfile"]
    assert codes(actionCodes=["signIn", "payment"]) == ["payment", "signIn"]
    assert codes(state="ALLOW") == ["updateProfile"]
    assert codes(actionCodes=["signIn"], state="ALLOW") == []
    assert codes(fromDate="2020-01-01T00:00:00.000Z") == ["payment", "signIn", "updateProfile"]
    assert codes(fromDate="2999-01-01T00:00:00.000Z") == []
    row = sdk.queryUserActions(userId="ada", actionCodes=["signIn"])[0]
    assert row["idempotencyKey"] == "signIn-1"
    assert ISO.fullmatch(row["createdAt"])


@pytest.mark.parametrize(
    ("method", "address"),
    [("EMAIL_OTP", {"email": EMAIL}), ("SMS", {"phoneNumber": PHONE}), ("WHATSAPP", {"phoneNumber": PHONE})],
)
def test_a_challenge_is_sent_read_verified_and_claimed(sdk: Sdk, method: str, address: dict[str, str]) -> None:
    now = sdk.running.sandbox.clock.now().timestamp()
    started = sdk.challenge(verificationMethod=method, action="signIn", **address)
    assert 590 <= started["expiresAt"] - now <= 600
    about = sdk.getChallenge(challengeId=started["challengeId"])
    assert about == {
        "challengeId": started["challengeId"],
        "expiresAt": started["expiresAt"],
        "verificationMethod": method,
        "action": "signIn",
        **address,
    }
    verified = sdk.verify(challengeId=started["challengeId"], verificationCode=sdk.sent_code())
    assert verified == {"isVerified": True, "verificationMethod": method, **address}
    assert sdk.getChallenge(challengeId=started["challengeId"]) == {}
    claimed = sdk.claimChallenge(challengeId=started["challengeId"], userId="ada")
    assert claimed["verificationMethod"] == method
    verdict = sdk.validateChallenge(token=claimed["token"], userId="ada", action="signIn")
    assert (verdict["isValid"], verdict["state"]) == (True, "CHALLENGE_SUCCEEDED")
    assert (verdict["verificationMethod"], verdict["idempotencyKey"]) == (method, started["idempotencyKey"])
    with pytest.raises(Failed):
        sdk.claimChallenge(challengeId=started["challengeId"], userId="ada")


def test_a_challenge_of_a_known_user_is_found_by_user_and_action(sdk: Sdk) -> None:
    sdk.updateUser(userId="ada", attributes={"email": EMAIL})
    started = sdk.challenge(verificationMethod="EMAIL_OTP", action="signIn", userId="ada")
    found = sdk.getChallenge(userId="ada", action="signIn", verificationMethod="EMAIL_OTP")
    assert (found["challengeId"], found["email"]) == (started["challengeId"], EMAIL)
    assert sdk.getChallenge(userId="ada", action="payment", verificationMethod="EMAIL_OTP") == {}


def test_a_wrong_code_is_a_response_and_ten_are_too_many(sdk: Sdk) -> None:
    started = sdk.challenge(verificationMethod="EMAIL_OTP", action="signIn", email=EMAIL)
    code = sdk.sent_code()
    wrong = "000000" if code != "000000" else "111111"
    tries = [sdk.verify(challengeId=started["challengeId"], verificationCode=wrong) for _ in range(10)]
    assert tries == [{"isVerified": False, "failureReason": "CODE_INVALID_OR_EXPIRED"}] * 10
    late = sdk.verify(challengeId=started["challengeId"], verificationCode=code)
    assert late == {"isVerified": False, "failureReason": "MAX_ATTEMPTS_EXCEEDED"}


def test_an_unverified_challenge_is_claimed_only_on_request(sdk: Sdk) -> None:
    started = sdk.challenge(verificationMethod="SMS", action="signIn", phoneNumber=PHONE)
    with pytest.raises(Failed):
        sdk.claimChallenge(challengeId=started["challengeId"], userId="ada")
    claimed = sdk.claimChallenge(challengeId=started["challengeId"], userId="ada", skipVerificationCheck=True)
    assert sdk.validateChallenge(token=claimed["token"])["isValid"] is False


def test_a_session_is_created_and_its_token_verifies_with_the_public_key(sdk: Sdk) -> None:
    session = sdk.createSession(clientId="web", token=verified_token(sdk), action="signIn")
    tenant = sdk.running.sandbox.config.tenant_id
    keys = jwt.PyJWKClient(f"{sdk.running.url}/client/public/{tenant}/.well-known/jwks")
    key = keys.get_signing_key_from_jwt(session["accessToken"])
    claims = jwt.decode(session["accessToken"], key, algorithms=["RS256"], audience="web")
    assert claims["sub"] == "ada"
    said = sdk.validateSession(accessToken=session["accessToken"], clientIds=["web", "app"])
    assert (said["user"]["userId"], said["expiresAt"]) == ("ada", claims["exp"])
    assert said["verificationMethod"] == "EMAIL_OTP"


def test_a_session_of_another_client_is_refused(sdk: Sdk) -> None:
    session = sdk.createSession(clientId="web", token=verified_token(sdk))
    with pytest.raises(Failed):
        sdk.validateSession(accessToken=session["accessToken"], clientIds=["app"])


def test_a_session_needs_a_completed_challenge(sdk: Sdk) -> None:
    token = sdk.track(userId="ada", action="signIn")["token"]
    with pytest.raises(Failed):
        sdk.createSession(clientId="web", token=token)


def test_a_refreshed_session_replaces_its_tokens(sdk: Sdk) -> None:
    old = sdk.createSession(clientId="web", token=verified_token(sdk))
    new = sdk.refreshSession(refreshToken=old["refreshToken"])
    assert sdk.validateSession(accessToken=new["accessToken"])["user"]["userId"] == "ada"
    with pytest.raises(Failed):
        sdk.validateSession(accessToken=old["accessToken"])
    with pytest.raises(Failed):
        sdk.refreshSession(refreshToken=old["refreshToken"])


def test_a_revoked_session_has_ended(sdk: Sdk) -> None:
    session = sdk.createSession(clientId="web", token=verified_token(sdk))
    assert sdk.revokeSession(accessToken=session["accessToken"]) is None
    with pytest.raises(Failed):
        sdk.validateSession(accessToken=session["accessToken"])
    with pytest.raises(Failed):
        sdk.refreshSession(refreshToken=session["refreshToken"])


def test_all_sessions_of_a_user_are_revoked_in_one_request(sdk: Sdk) -> None:
    sessions = [sdk.createSession(clientId=client, token=verified_token(sdk)) for client in ("web", "app")]
    sdk.revokeUserSessions(userId="ada")
    for session in sessions:
        with pytest.raises(Failed):
            sdk.validateSession(accessToken=session["accessToken"])
