"""Passkey and security key ceremonies against the sandbox: py_webauthn verifies on the server's side."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from http.cookies import SimpleCookie

import pytest

from dlt_authsignal.api.endpoints import basic_auth, bearer_auth
from dlt_authsignal.passkey import SoftwarePasskey, Tamper
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from tests.ceremonies import HONEST, ORIGIN, PASSKEY, Visitor
from tests.helpers import ask


@pytest.fixture
def visitor(empty: RunningSandbox) -> Visitor:
    """A user without authenticators, with a token."""
    return Visitor(empty).track()


def test_a_new_user_registers_a_passkey_and_completes_the_challenge(visitor: Visitor) -> None:
    status, answer = visitor.register(username="ada@example.com", displayName="Ada")
    assert (status, answer["isVerified"], answer["userId"]) == (200, True, "u")
    (row,) = visitor.authenticators()
    assert row == answer["userAuthenticator"]
    assert (row["verificationMethod"], row["username"], row["displayName"]) == ("PASSKEY", "ada@example.com", "Ada")
    assert row["webauthnCredential"]["credentialBackedUp"] is True
    assert row["webauthnCredential"]["credentialDeviceType"] == "multiDevice"
    verdict = visitor.validate()
    assert (verdict["isValid"], verdict["verificationMethod"]) == (True, "PASSKEY")


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_a_discoverable_passkey_signs_in_and_identifies_its_user(visitor: Visitor, algorithm: str) -> None:
    visitor.passkey = SoftwarePasskey(origin=ORIGIN, algorithm=algorithm)
    visitor.register(username="ada@example.com")
    status, answer = visitor.sign_in("signIn")
    assert (status, answer["isVerified"], answer["userId"]) == (200, True, "u")
    assert answer["username"] == "ada@example.com"
    verdict = visitor.validate(answer["accessToken"])
    assert (verdict["isValid"], verdict["action"], verdict["userId"]) == (True, "signIn", "u")


def test_a_sign_in_without_an_action_gets_the_configured_one(visitor: Visitor) -> None:
    visitor.register()
    token = visitor.sign_in()[1]["accessToken"]
    assert visitor.validate(token)["action"] == visitor.running.sandbox.config.passkey_action


def test_a_tracked_challenge_is_completed_with_a_passkey(visitor: Visitor) -> None:
    visitor.register()
    visitor.track("payment")
    assert visitor.validate()["state"] == "CHALLENGE_REQUIRED"
    assert visitor.confirm()[1]["isVerified"] is True
    assert visitor.validate()["state"] == "CHALLENGE_SUCCEEDED"


def test_options_exclude_and_allow_exactly_the_passkeys_of_the_user(visitor: Visitor) -> None:
    credential_id = visitor.register()[1]["userAuthenticator"]["webauthnCredential"]["credentialId"]
    options = visitor.post(f"{PASSKEY.removeprefix('/client')}/registration-options", {})[1]["options"]
    assert [item["id"] for item in options["excludeCredentials"]] == [credential_id]
    options = visitor.post(f"{PASSKEY.removeprefix('/client')}/authentication-options", {})[1]["options"]
    assert [item["id"] for item in options["allowCredentials"]] == [credential_id]
    options = visitor.anonymous(f"{PASSKEY.removeprefix('/client')}/authentication-options")[1]["options"]
    assert options["allowCredentials"] == []


def changed(tamper: Tamper) -> str:
    """Names of the settings that differ from an honest answer."""
    return ",".join(name for name, value in asdict(tamper).items() if value != getattr(HONEST, name))


TAMPERED = [
    Tamper(origin="https://evil.example"),
    Tamper(rp_id="evil.example"),
    Tamper(type="payment.get"),
    Tamper(challenge=b"another challenge, as long as 32"),
    Tamper(user_verified=False),
    Tamper(user_present=False),
]


@pytest.mark.parametrize("tamper", TAMPERED, ids=changed)
def test_a_tampered_registration_enrols_nothing(visitor: Visitor, tamper: Tamper) -> None:
    status, answer = visitor.register(tamper)
    assert (status, answer["errorCode"]) == (400, "invalid_credential")
    assert visitor.authenticators() == []
    assert visitor.validate()["isValid"] is False


@pytest.mark.parametrize(
    "tamper",
    [*TAMPERED, Tamper(bad_signature=True), Tamper(sign_count=0), Tamper(user_handle=b"somebody")],
    ids=changed,
)
def test_a_tampered_authentication_response_does_not_sign_in(visitor: Visitor, tamper: Tamper) -> None:
    visitor.register()
    visitor.sign_in()
    before = visitor.authenticators()
    status, answer = visitor.sign_in("signIn", tamper)
    assert (status, answer["errorCode"]) == (400, "invalid_credential")
    assert "accessToken" not in answer
    assert visitor.authenticators() == before


def test_an_unknown_credential_is_reported_as_unknown(visitor: Visitor) -> None:
    visitor.register()
    (row,) = visitor.authenticators()
    ask(visitor.running, "DELETE", f"/users/u/authenticators/{row['userAuthenticatorId']}")
    assert visitor.sign_in()[1]["errorCode"] == "unknown_credential"


def test_a_challenge_can_be_used_once_even_if_verification_failed(visitor: Visitor) -> None:
    visitor.register()
    options = visitor.anonymous("/user-authenticators/passkey/authentication-options")[1]
    wrong = visitor.answer(options, Tamper(bad_signature=True))
    assert visitor.anonymous("/verify/passkey", wrong)[1]["errorCode"] == "invalid_credential"
    right = visitor.answer(options)
    assert visitor.anonymous("/verify/passkey", right)[0] == 400


def test_of_many_simultaneous_responses_to_one_challenge_exactly_one_succeeds(visitor: Visitor) -> None:
    visitor.register()
    options = visitor.anonymous("/user-authenticators/passkey/authentication-options")[1]
    answer = visitor.answer(options)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: visitor.anonymous("/verify/passkey", answer)[0], range(8)))
    assert sorted(statuses) == [200] + [400] * 7


def test_a_challenge_expires_with_its_token(visitor: Visitor) -> None:
    visitor.register()
    options = visitor.anonymous("/user-authenticators/passkey/authentication-options")[1]
    visitor.wait(minutes=10, seconds=1)
    assert visitor.anonymous("/verify/passkey", visitor.answer(options))[0] == 400


def test_a_user_cannot_complete_the_challenge_of_another_user(visitor: Visitor) -> None:
    visitor.register()
    other = Visitor(visitor.running, "other").track()
    options = other.post("/user-authenticators/passkey/authentication-options", {})[1]
    stolen = {"challengeId": options["challengeId"], "options": {**options["options"], "allowCredentials": []}}
    assert visitor.anonymous("/verify/passkey", visitor.answer(stolen))[0] == 400
    fresh = other.post("/user-authenticators/passkey/authentication-options", {})[1]
    fresh["options"]["allowCredentials"] = []
    status, answer = other.post("/verify/passkey", visitor.answer(fresh))
    assert (status, answer["errorCode"]) == (400, "invalid_credential")


def test_adding_a_passkey_does_not_complete_the_challenge_of_an_enrolled_user(visitor: Visitor) -> None:
    visitor.register()
    visitor.passkey = SoftwarePasskey(origin=ORIGIN)
    visitor.track(scope="read:authenticators add:authenticators")
    assert visitor.register()[0] == 200
    assert visitor.validate()["state"] == "CHALLENGE_REQUIRED"


def test_an_enrolled_user_needs_the_add_scope_to_add_a_passkey(visitor: Visitor) -> None:
    visitor.register()
    visitor.track()
    assert visitor.post("/user-authenticators/passkey/registration-options", {})[0] == 403


def test_a_blocked_action_stays_blocked_whatever_is_verified(visitor: Visitor) -> None:
    visitor.register()
    visitor.track(idempotencyKey="k")
    ask(visitor.running, "PATCH", "/users/u/actions/signIn/k", {"state": "BLOCK"})
    visitor.confirm()
    assert visitor.validate()["state"] == "BLOCK"


def test_cookies_contain_the_challenge_of_the_web_routes(visitor: Visitor) -> None:
    visitor.register()
    auth = basic_auth(visitor.running.sandbox.config.tenant_id)
    headers = ask(visitor.running, "POST", "/client/challenge/web", {"action": "signIn"}, auth=auth)[2]
    cookie = {key: morsel.value for key, morsel in SimpleCookie(headers["set-cookie"]).items()}
    sent = {"Cookie": "; ".join(f"{key}={value}" for key, value in cookie.items())}
    path = f"{PASSKEY}/authentication-options/web"
    options = ask(visitor.running, "POST", path, {}, auth=auth, headers=sent)[1]
    assert options["challengeId"] in cookie.values()
    body = visitor.answer(options)
    del body["challengeId"]
    status, answer, _ = ask(visitor.running, "POST", "/client/verify/passkey", body, auth=auth, headers=sent)
    assert status == 200
    assert visitor.validate(answer["accessToken"])["action"] == "signIn"


def test_the_tenant_id_is_accepted_with_and_without_the_trailing_colon(visitor: Visitor) -> None:
    import base64

    tenant = visitor.running.sandbox.config.tenant_id
    for name in (tenant, f"{tenant}:"):
        auth = "Basic " + base64.b64encode(name.encode()).decode()
        assert ask(visitor.running, "POST", "/client/challenge", {"action": "a"}, auth=auth)[0] == 200
    assert ask(visitor.running, "POST", "/client/challenge", {}, auth=basic_auth(f"{tenant}x"))[0] == 401


def test_the_paths_of_dlthubs_authsignal_page_run_the_same_ceremonies(visitor: Visitor) -> None:
    options = visitor.post("/user-authenticators/passkey/registration-options", {})[1]
    body = {
        "challengeId": options["challengeId"],
        "registrationCredential": visitor.passkey.create(options["options"]),
    }
    assert visitor.post("/user-authenticators/passkey/register", body)[1]["isVerified"] is True
    started = visitor.anonymous("/user-authenticators/passkey/initiate-challenge", {"action": "signIn"})[1]
    options = visitor.anonymous("/user-authenticators/passkey/authentication-options", started)[1]
    answer = visitor.anonymous("/user-authenticators/passkey/authentication", visitor.answer(options))
    assert answer[1]["isVerified"] is True


def test_the_paths_of_dlthubs_authsignal_page_can_be_disabled() -> None:
    with run_in_thread(SandboxConfig(seed=1, seed_page_paths=False)) as running:
        visitor = Visitor(running).track()
        assert visitor.post("/user-authenticators/passkey/register", {})[0] == 404
        assert visitor.anonymous("/user-authenticators/passkey/initiate-challenge")[0] == 404


def test_only_expected_origins_are_accepted_if_the_tenant_configures_them() -> None:
    config = SandboxConfig(seed=1, relying_party="example.com", expected_origins=("https://app.example.com",))
    with run_in_thread(config) as running:
        for origin, status in (("https://app.example.com", 200), ("https://login.example.com", 400)):
            visitor = Visitor(running, origin.partition("//")[2], passkey=SoftwarePasskey(origin=origin)).track()
            answered, answer = visitor.register()
            assert answered == status, origin
            if status == 400:
                assert f"the origin {origin} is not one of https://app.example.com" in answer["errorDescription"]


def test_the_tenant_can_check_whether_a_credential_id_exists(visitor: Visitor) -> None:
    held = visitor.register()[1]["userAuthenticator"]["webauthnCredential"]["credentialId"]
    auth = basic_auth(visitor.running.sandbox.config.tenant_id)
    for query, status in ((f"credentialIds=x,{held}", 200), (f"credentialId={held}", 200), ("credentialIds=x", 404)):
        assert ask(visitor.running, "GET", f"{PASSKEY}?{query}", auth=auth)[0] == status


def test_a_passkey_enrolled_by_the_server_in_a_batch_signs_in(visitor: Visitor) -> None:
    from webauthn import base64url_to_bytes, verify_registration_response
    from webauthn.helpers import bytes_to_base64url

    options = visitor.post("/user-authenticators/passkey/registration-options", {})[1]["options"]
    credential = visitor.passkey.create(options)
    verified = verify_registration_response(
        credential=credential,
        expected_challenge=base64url_to_bytes(options["challenge"]),
        expected_rp_id="localhost",
        expected_origin=ORIGIN,
    )
    row = {
        "userId": "batched",
        "verificationMethod": "PASSKEY",
        "credentialId": credential["id"],
        "credentialPublicKey": bytes_to_base64url(verified.credential_public_key),
    }
    answer = ask(visitor.running, "POST", "/users/authenticators", {"authenticators": [row, row]})[1]
    assert (answer["total"], answer["succeeded"], answer["failed"]) == (2, 1, 1)
    assert answer["failures"][0]["errorCode"] == "conflict"
    assert visitor.sign_in()[1]["userId"] == "batched"


def test_a_security_key_is_enrolled_and_used_without_challenge_ids(visitor: Visitor) -> None:
    visitor.passkey = SoftwarePasskey(origin=ORIGIN, attachment="cross-platform")
    path = "/user-authenticators/security-key"
    options = visitor.post(f"{path}/registration-options", {})[1]
    assert visitor.post(path, visitor.passkey.create(options))[1]["isVerified"] is True
    visitor.track("payment")
    options = visitor.post(f"{path}/authentication-options", {})[1]
    answer = visitor.passkey.get(options)
    assert visitor.post("/verify/security-key", answer)[1]["isVerified"] is True
    assert visitor.validate()["verificationMethod"] == "SECURITY_KEY"
    assert visitor.post("/verify/security-key", answer)[0] == 400


def test_a_passkey_of_a_seeded_user_cannot_sign_in(seeded: RunningSandbox) -> None:
    store = seeded.sandbox.store
    held = next(
        value for user in store.users() for value in store.authenticators(user.user_id) if value.credential is not None
    )
    assert held.credential
    visitor = Visitor(seeded)
    options = visitor.anonymous("/user-authenticators/passkey/authentication-options")[1]
    body = {
        "challengeId": options["challengeId"],
        "authenticationCredential": {"id": held.credential.credential_id, "response": {}},
    }
    assert visitor.anonymous("/verify/passkey", body)[1]["errorCode"] in ("invalid_credential", "unknown_credential")


@pytest.mark.parametrize(
    "credential",
    [{}, {"id": 3}, {"id": "x", "response": 3}, {"id": "x", "rawId": "x", "response": {}, "type": "public-key"}],
)
def test_an_invalid_credential_is_refused(visitor: Visitor, credential: dict[str, object]) -> None:
    options = visitor.post("/user-authenticators/passkey/registration-options", {})[1]
    body = {"challengeId": options["challengeId"], "registrationCredential": credential}
    status, answer = visitor.post("/user-authenticators/passkey", body)
    assert (status, answer["errorCode"]) == (400, "invalid_credential")
    assert ask(visitor.running, "GET", "/client/user-authenticators", auth=bearer_auth(visitor.token))[1] == []


@pytest.mark.parametrize("credential_id", ["a", "abcde", "é", "Ａ", "with space", "~~~"])
def test_credential_ids_that_no_browser_accepts_do_not_break_the_options(visitor: Visitor, credential_id: str) -> None:
    body = {"verificationMethod": "PASSKEY", "credentialId": credential_id, "credentialPublicKey": "AAAA"}
    assert ask(visitor.running, "POST", "/users/u/authenticators", body)[0] == 200
    visitor.track(scope="read:authenticators add:authenticators")
    assert visitor.post("/user-authenticators/passkey/registration-options", {})[0] == 200
    assert visitor.post("/user-authenticators/passkey/authentication-options", {})[0] == 200


@pytest.mark.parametrize("depth", [100, 5_000])
def test_deeply_nested_client_data_is_refused(visitor: Visitor, depth: int) -> None:
    import base64

    options = visitor.post("/user-authenticators/passkey/registration-options", {})[1]
    credential = visitor.passkey.create(options["options"])
    nested = base64.urlsafe_b64encode(b"[" * depth + b"]" * depth).decode().rstrip("=")
    credential["response"]["clientDataJSON"] = nested
    body = {"challengeId": options["challengeId"], "registrationCredential": credential}
    assert visitor.post("/user-authenticators/passkey", body)[1]["errorCode"] == "invalid_credential"


def test_transports_that_are_not_a_list_are_left_out(visitor: Visitor) -> None:
    options = visitor.post("/user-authenticators/passkey/registration-options", {})[1]
    credential = visitor.passkey.create(options["options"])
    credential["response"]["transports"] = 7
    body = {"challengeId": options["challengeId"], "registrationCredential": credential}
    held = visitor.post("/user-authenticators/passkey", body)[1]["userAuthenticator"]["webauthnCredential"]
    options = visitor.post("/user-authenticators/passkey/authentication-options", {})[1]["options"]
    (offered,) = options["allowCredentials"]
    assert (offered["id"], offered.get("transports")) == (held["credentialId"], None)


def test_a_registered_passkey_shows_the_browser_and_the_system_it_was_registered_with(visitor: Visitor) -> None:
    options = visitor.post("/user-authenticators/passkey/registration-options", {})[1]
    body = {
        "challengeId": options["challengeId"],
        "registrationCredential": visitor.passkey.create(options["options"]),
    }
    webkit = "AppleWebKit/537.36 (KHTML, like Gecko)"
    agent = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/141.0.0.0 Safari/537.36"
    headers = {"User-Agent": agent}
    path, auth = "/client/user-authenticators/passkey", bearer_auth(visitor.token)
    answer = ask(visitor.running, "POST", path, body, auth=auth, headers=headers)[1]
    (row,) = ask(visitor.running, "GET", "/users/u/authenticators")[1]
    for found in (answer["userAuthenticator"], row):
        parts = found["webauthnCredential"]["parsedUserAgent"]
        assert parts["ua"] == agent
        assert (parts["browser"]["name"], parts["browser"]["major"]) == ("Chrome", "141")
        assert (parts["os"]["name"], parts["os"]["version"]) == ("Windows", "10")
