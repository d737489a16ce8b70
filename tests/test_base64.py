"""Wherever a client sends base64, either alphabet is accepted, padded or not."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.sandbox.core.base64_text import decoded, url_safe
from dlt_authsignal.sandbox.verification.software_app import SoftwareApp
from tests.ceremonies import Visitor
from tests.helpers import ask
from tests.test_apps import APPS, app_asks, bearer, enrolled, pushed
from tests.tiers import deep_after

Spelling = Callable[[bytes], str]


def mime(value: bytes) -> str:
    return base64.encodebytes(value).decode()


def standard(value: bytes) -> str:
    return base64.b64encode(value).decode()


def bare(value: bytes) -> str:
    return standard(value).rstrip("=")


def url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode()


def bare_url(value: bytes) -> str:
    return url(value).rstrip("=")


BINARY = ("id", "rawId", "clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle")
SPELLINGS: list[Spelling] = [standard, bare_url, url, bare, mime]


@given(st.binary(max_size=80))
def test_every_spelling_of_bytes_is_decoded_to_these_bytes(value: bytes) -> None:
    for spelling in SPELLINGS:
        assert decoded(spelling(value)) == value
        assert url_safe(spelling(value)) == bare_url(value)


@pytest.mark.parametrize("text", ["!", "a", "abcde", "a b", "a=b=", "ä", "AA=A", "%2B", "\x00"])
def test_other_text_is_not_decoded(text: str) -> None:
    assert decoded(text) is None


def respelled(credential: dict[str, Any], spelling: Spelling) -> dict[str, Any]:
    """The response of a browser with all of its base64 in another spelling."""
    found: dict[str, Any] = {}
    for name, value in credential.items():
        if isinstance(value, dict) and name == "response":
            found[name] = respelled(value, spelling)
        elif name in BINARY and value:
            found[name] = spelling(decoded(value) or b"")
        else:
            found[name] = value
    return found


@pytest.mark.parametrize("spelling", deep_after(2, SPELLINGS))
def test_a_passkey_is_registered_recognised_and_used(empty: RunningSandbox, spelling: Spelling) -> None:
    visitor = Visitor(empty).track()
    path = "/user-authenticators/passkey"
    options = visitor.post(f"{path}/registration-options", {})[1]
    made = visitor.passkey.create(options["options"])
    body = {"challengeId": options["challengeId"], "registrationCredential": respelled(made, spelling)}
    status, answer = visitor.post(path, body)
    assert (status, answer["isVerified"]) == (200, True)
    credential_id = answer["userAuthenticator"]["webauthnCredential"]["credentialId"]
    assert credential_id == made["id"]
    options = visitor.anonymous(f"{path}/authentication-options")[1]
    signed = respelled(visitor.passkey.get(options["options"]), spelling)
    body = {"challengeId": options["challengeId"], "authenticationCredential": signed}
    status, answer = visitor.anonymous("/verify/passkey", body)
    assert (status, answer["userId"]) == (200, "u")


@pytest.mark.parametrize("spelling", deep_after(2, SPELLINGS[:4]))
def test_a_passkey_that_the_server_enrolled_is_found_in_every_spelling(
    empty: RunningSandbox, spelling: Spelling
) -> None:
    credential_id, key = b"\xfb\xff\xfe\x01", b"\xa5\x01\x02\x03"
    body = {
        "verificationMethod": "PASSKEY",
        "credentialId": spelling(credential_id),
        "credentialPublicKey": spelling(key),
    }
    status, answer, _ = ask(empty, "POST", "/users/u/authenticators", body)
    assert (status, answer["authenticator"]["webauthnCredential"]["credentialId"]) == (200, spelling(credential_id))
    found = empty.sandbox.store.passkey(url(credential_id))
    assert found
    assert found.credential
    assert found.credential.public_key == key
    query = f"passkey?credentialIds={bare_url(b'other')},{bare_url(credential_id)}"
    assert app_asks(empty, "GET", query)[0] == 200
    again = {**body, "credentialId": bare_url(credential_id)}
    assert ask(empty, "POST", "/users/v/authenticators", again)[0] == 400


@pytest.mark.parametrize("key", ["", "!!!", "a", "a b"])
def test_a_public_key_that_is_not_base64_is_refused(empty: RunningSandbox, key: str) -> None:
    body = {"verificationMethod": "PASSKEY", "credentialId": "x", "credentialPublicKey": key}
    assert ask(empty, "POST", "/users/u/authenticators", body)[0] == 400


@pytest.mark.parametrize("spelling", deep_after(2, SPELLINGS))
def test_an_app_enrols_reads_itself_and_approves_a_push(empty: RunningSandbox, spelling: Spelling) -> None:
    app = SoftwareApp()
    der = decoded(app.public_key) or b""
    body = {**app.enrolment(), "publicKey": spelling(der)}
    auth = bearer(empty, action="addApp")
    assert ask(empty, "POST", f"{APPS}/push", body, auth=auth)[0] == 200
    challenge = pushed(empty, bearer(empty), action="signIn")
    answer = app.answer(challenge)
    signature = spelling(decoded(answer["signature"]) or b"")
    answer |= {"publicKey": spelling(der), "signature": signature}
    assert app_asks(empty, "POST", "push/challenge", answer)[0] == 200


@pytest.mark.parametrize("spelling", deep_after(1, [bare_url, url, bare]))
def test_an_app_signs_in_with_the_basic_value_that_ios_sends(empty: RunningSandbox, spelling: Spelling) -> None:
    app = enrolled(empty, "in-app")
    auth = f"Basic {spelling(f'{empty.sandbox.config.tenant_id}:'.encode())}"
    started = ask(empty, "POST", "/client/challenge", {"action": "signIn"}, auth=auth)[1]
    body = {key: value for key, value in app.answer(started["challengeId"]).items() if key != "approved"}
    status, answer, _ = ask(empty, "POST", "/client/verify/in-app", body, auth=auth)
    assert (status, answer["userId"]) == (200, "u")
