"""Authenticator apps that were enrolled elsewhere: every legal otpauth URI, and codes by its parameters."""

import base64
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA512
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from hypothesis import given
from hypothesis import strategies as st

from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.sandbox.core.refusals import Refusal
from dlt_authsignal.sandbox.verification.otp_uri import parse
from tests.ceremonies import Visitor
from tests.helpers import ask
from tests.tiers import deep_after

SECRET = "JBSWY3DPEHPK3PXP"
LONG = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

LEGAL: list[tuple[str, dict[str, Any]]] = [
    (f"otpauth://totp/x?secret={SECRET}", {}),
    (f"otpauth://totp/Acme:ann?secret={SECRET}&issuer=Acme&digits=8&period=60&algorithm=SHA256",
     {"digits": 8, "period": 60, "hash": SHA256()}),
    (f"otpauth://totp/Acme%20Co:ann%40example.com?issuer=Acme+Co&secret={SECRET.lower()}", {}),
    ("otpauth://totp/x?secret=jbsw%20y3dp%20ehpk%203pxp", {}),
    ("otpauth://totp/x?secret=JBSW-Y3DP-EHPK-3PXP", {}),
    ("otpauth://totp/x?secret=JBSWY3DP+EHPK3PXP", {}),
    (f"otpauth://totp/x?secret={SECRET}%3D%3D%3D%3D", {}),
    (f"otpauth://totp/x?secret={SECRET}===", {}),
    (f"OTPAUTH://TOTP/x?Secret={SECRET}&ALGORITHM=sha512", {"hash": SHA512()}),
    (f"otpauth://totp/x?secret={SECRET}&algorithm=SHA-256", {"hash": SHA256()}),
    (f"otpauth://totp/Other:ann?secret={SECRET}&issuer=Acme", {}),
    (f"otpauth://totp/?secret={SECRET}", {}),
    (f"otpauth://totp?secret={SECRET}", {}),
    (f"otpauth://totp/x?secret={SECRET}&image=https%3A%2F%2Fa.example%2Fi.png&color=red", {}),
    (f"otpauth://totp/x?secret={SECRET}&digits=7&period=15", {"digits": 7, "period": 15}),
    (f"otpauth://totp/x?secret={LONG}", {}),
]  # fmt: skip


@pytest.mark.parametrize(("uri", "settings"), deep_after(4, LEGAL))
def test_a_code_by_the_parameters_of_the_uri_is_accepted(
    empty: RunningSandbox, uri: str, settings: dict[str, Any]
) -> None:
    body = {"verificationMethod": "AUTHENTICATOR_APP", "otpUri": uri}
    assert ask(empty, "POST", "/users/u/authenticators", body)[0] == 200
    now = int(empty.sandbox.clock.now().timestamp())
    visitor = Visitor(empty).track()
    for secret, is_right in ((b"another secret", False), (base64.b32decode(LONG if LONG in uri else SECRET), True)):
        answer = visitor.post("/verify/totp", {"verificationCode": code(secret, now, **settings)})[1]
        assert answer["isVerified"] is is_right


def code(secret: bytes, now: int, digits: int = 6, period: int = 30, hash: Any = SHA1()) -> str:  # noqa: B008, S303
    """The code that an authenticator app shows, by a library that the sandbox does not use for it."""
    return TOTP(secret, digits, hash, period, enforce_key_length=False).generate(now).decode()


ILLEGAL = [
    "nonsense",
    SECRET,
    f"https://totp/x?secret={SECRET}",
    f"otpauth://hotp/x?secret={SECRET}&counter=1",
    f"otpauth://other/x?secret={SECRET}",
    "otpauth://totp/x",
    "otpauth://totp/x?secret=",
    "otpauth://totp/x?secret=0189!",
    "otpauth://totp/x?secret=A",
    f"otpauth://totp/x?secret={SECRET}&digits=5",
    f"otpauth://totp/x?secret={SECRET}&digits=six",
    f"otpauth://totp/x?secret={SECRET}&digits=",
    f"otpauth://totp/x?secret={SECRET}&period=0",
    f"otpauth://totp/x?secret={SECRET}&period=-30",
    f"otpauth://totp/x?secret={SECRET}&period=1e3",
    f"otpauth://totp/x?secret={SECRET}&period=99999999999999",
    f"otpauth://totp/x?secret={SECRET}&algorithm=MD5",
    "otpauth://[/x",
]


@pytest.mark.parametrize("uri", deep_after(4, ILLEGAL))
def test_an_invalid_uri_is_refused_without_quoting_its_secret(empty: RunningSandbox, uri: str) -> None:
    body = {"verificationMethod": "AUTHENTICATOR_APP", "otpUri": uri}
    status, answer, _ = ask(empty, "POST", "/users/u/authenticators", body)
    assert (status, answer["errorCode"]) == (400, "invalid_request")
    assert SECRET not in str(answer)
    assert empty.sandbox.store.authenticators("u") == []


@given(st.binary(min_size=1, max_size=64), st.sampled_from([6, 7, 8]), st.integers(1, 86_400), st.text(max_size=20))
def test_what_a_uri_contains_is_read(secret: bytes, digits: int, period: int, label: str) -> None:
    text = base64.b32encode(secret).decode()
    label = quote(label, safe="")
    found = parse(f"otpauth://totp/{label}?secret={quote(text)}&digits={digits}&period={period}&issuer={label}")
    assert (found.secret, found.digits, found.period) == (text.rstrip("="), digits, period)
    assert SECRET not in repr(parse(f"otpauth://totp/x?secret={SECRET}"))


@given(st.text(max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        parse(text)
