"""Passkeys in software, judged by py_webauthn."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import InvalidBackupFlags, WebAuthnException
from webauthn.registration.verify_registration_response import VerifiedRegistration

from dlt_authsignal import errors
from dlt_authsignal.passkey import ALGORITHMS, SOFTWARE_AAGUID, SoftwarePasskey, Tamper

ORIGIN, RP = "http://localhost:4443", "localhost"
OTHER_ID = b"\x07" * 32


def creation(**changes: Any) -> dict[str, Any]:
    """PublicKeyCredentialCreationOptionsJSON as py_webauthn writes it, with fields of its JSON changed."""
    made = generate_registration_options(rp_id=RP, rp_name="Shop", user_name="ada", user_id=b"ada-1")
    return {**json.loads(options_to_json(made)), "attestation": "direct", **changes}


def request(**changes: Any) -> dict[str, Any]:
    """PublicKeyCredentialRequestOptionsJSON, likewise."""
    return {**json.loads(options_to_json(generate_authentication_options(rp_id=RP))), **changes}


def listed(*registrations: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"type": "public-key", "id": value["id"]} for value in registrations]


def judge_registration(options: Mapping[str, Any], answer: Mapping[str, Any]) -> VerifiedRegistration:
    return verify_registration_response(
        credential=json.dumps(answer),
        expected_challenge=base64url_to_bytes(options["challenge"]),
        expected_rp_id=RP,
        expected_origin=ORIGIN,
        require_user_verification=True,
    )


@dataclass
class Site:
    """A relying party with one enrolled passkey: its public key and counter, as py_webauthn reported them."""

    passkey: SoftwarePasskey
    answer: dict[str, Any]
    enrolled: VerifiedRegistration
    count: int

    @classmethod
    def enrol(cls, passkey: SoftwarePasskey, tamper: Tamper | None = None, **changes: Any) -> "Site":
        options = creation(**changes)
        answer = passkey.create(options, tamper=tamper or Tamper())
        enrolled = judge_registration(options, answer)
        return cls(passkey, answer, enrolled, enrolled.sign_count)

    def judge(
        self, options: Mapping[str, Any], answer: Mapping[str, Any], *, verified: bool = True
    ) -> VerifiedAuthentication:
        done = verify_authentication_response(
            credential=json.dumps(answer),
            expected_challenge=base64url_to_bytes(options["challenge"]),
            expected_rp_id=RP,
            expected_origin=ORIGIN,
            credential_public_key=self.enrolled.credential_public_key,
            credential_current_sign_count=self.count,
            require_user_verification=verified,
        )
        self.count = done.new_sign_count
        return done

    def sign_in(self, tamper: Tamper | None = None, **changes: Any) -> VerifiedAuthentication:
        options = request(**changes)
        return self.judge(options, self.passkey.get(options, tamper=tamper or Tamper()))


@pytest.fixture
def site() -> Site:
    return Site.enrol(SoftwarePasskey(origin=ORIGIN))


# one test for both attestations: an RSA key takes its time
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_enrols_with_and_without_attestation_and_signs_in(algorithm: str) -> None:
    passkey = SoftwarePasskey(origin=ORIGIN, algorithm=algorithm)
    for attestation, form in (("none", "none"), ("direct", "packed")):
        site = Site.enrol(passkey, attestation=attestation)
        assert site.enrolled.fmt == form
        assert site.enrolled.aaguid == SOFTWARE_AAGUID
        assert site.answer["response"]["publicKeyAlgorithm"] == ALGORITHMS[algorithm]
        assert site.sign_in().new_sign_count == 1
        assert site.sign_in(allowCredentials=listed(site.answer)).new_sign_count == 2


def test_the_first_algorithm_of_the_site_that_the_passkey_supports_is_used() -> None:
    passkey = SoftwarePasskey(origin=ORIGIN)
    for numbers, taken in (([-7, -8], -7), ([-8, -7], -8), ([-35, -7], -7), ([], -7)):
        offered = [{"type": "public-key", "alg": number} for number in numbers]
        answer = passkey.create(creation(pubKeyCredParams=offered))
        assert answer["response"]["publicKeyAlgorithm"] == taken


@pytest.mark.parametrize("algorithm", [None, "EdDSA"])
def test_no_algorithm_in_common_is_an_error(algorithm: str | None) -> None:
    passkey = SoftwarePasskey(origin=ORIGIN, algorithm=algorithm)
    offered = [{"type": "public-key", "alg": -7 if algorithm else -35}, {"type": "other", "alg": -8}]
    with pytest.raises(errors.AlgorithmUnsupported, match=r"^NotSupportedError: .*pubKeyCredParams"):
        passkey.create(creation(pubKeyCredParams=offered))


def test_a_registration_response_has_the_fields_of_a_browser(site: Site) -> None:
    assert set(site.answer) == {
        "id",
        "rawId",
        "type",
        "authenticatorAttachment",
        "clientExtensionResults",
        "response",
    }
    assert set(site.answer["response"]) == {
        "clientDataJSON",
        "attestationObject",
        "transports",
        "publicKeyAlgorithm",
        "publicKey",
        "authenticatorData",
    }
    assert site.answer["authenticatorAttachment"] == "platform"
    assert "=" not in json.dumps(site.answer)
    client_data = json.loads(base64url_to_bytes(site.answer["response"]["clientDataJSON"]))
    assert list(client_data) == ["type", "challenge", "origin", "crossOrigin"]


def test_an_authentication_response_has_the_fields_of_a_browser(site: Site) -> None:
    answer = site.passkey.get(request())
    assert set(answer["response"]) == {"clientDataJSON", "authenticatorData", "signature", "userHandle"}
    assert base64url_to_bytes(answer["response"]["userHandle"]) == b"ada-1"
    assert "=" not in json.dumps(answer)


LIES = [
    Tamper(origin="https://evil.example"),
    Tamper(rp_id="evil.example"),
    Tamper(challenge=b"another"),
    Tamper(challenge=b""),
    Tamper(bad_signature=True),
    Tamper(user_verified=False),
    Tamper(user_present=False),
]


@pytest.mark.parametrize("tamper", [*LIES, Tamper(type="webauthn.get")], ids=str)
def test_no_tampered_registration_is_verified(tamper: Tamper) -> None:
    passkey, options = SoftwarePasskey(origin=ORIGIN), creation()
    with pytest.raises(WebAuthnException):
        judge_registration(options, passkey.create(options, tamper=tamper))
    judge_registration(options, SoftwarePasskey(origin=ORIGIN).create(options))


@pytest.mark.parametrize(
    "tamper", [*LIES, Tamper(type="webauthn.create"), Tamper(sign_count=0), Tamper(sign_count=1)], ids=str
)
def test_no_tampered_sign_in_is_verified(site: Site, tamper: Tamper) -> None:
    site.sign_in()
    with pytest.raises(WebAuthnException):
        site.sign_in(tamper)
    site.sign_in()


def test_backed_up_without_backup_eligibility_is_refused(site: Site) -> None:
    lie = Tamper(backup_eligible=False, backed_up=True)
    with pytest.raises(InvalidBackupFlags):
        site.sign_in(lie)
    with pytest.raises(InvalidBackupFlags):
        Site.enrol(SoftwarePasskey(origin=ORIGIN), lie)


def test_a_bad_signature_is_refused_for_every_fast_algorithm() -> None:
    for algorithm in ("ES256", "EdDSA"):
        site = Site.enrol(SoftwarePasskey(origin=ORIGIN, algorithm=algorithm))
        with pytest.raises(WebAuthnException, match="signature"):
            site.sign_in(Tamper(bad_signature=True))


def test_a_sign_in_with_the_credential_id_of_another_passkey_fails_verification(site: Site) -> None:
    victim = Site.enrol(SoftwarePasskey(origin=ORIGIN))
    options = request()
    answer = site.passkey.get(options, tamper=Tamper(credential_id=victim.enrolled.credential_id))
    assert answer["id"] == answer["rawId"] == victim.answer["id"]
    with pytest.raises(WebAuthnException, match="signature"):
        victim.judge(options, answer)


def test_a_tampered_registration_can_claim_a_credential_id_that_is_already_used() -> None:
    claimed = Site.enrol(SoftwarePasskey(origin=ORIGIN), Tamper(credential_id=OTHER_ID))
    assert claimed.enrolled.credential_id == OTHER_ID
    assert claimed.answer["id"] == bytes_to_base64url(OTHER_ID)


def test_a_tampered_user_handle_is_sent_to_the_site(site: Site) -> None:
    answer = site.passkey.get(request(), tamper=Tamper(user_handle=b"x"))
    assert base64url_to_bytes(answer["response"]["userHandle"]) == b"x"
    liar = Site.enrol(SoftwarePasskey(origin=ORIGIN), Tamper(user_handle=b"y"))
    assert base64url_to_bytes(liar.passkey.get(request())["response"]["userHandle"]) == b"y"


def test_a_replayed_response_is_refused(site: Site) -> None:
    options = request()
    answer = site.passkey.get(options)
    site.judge(options, answer)
    with pytest.raises(WebAuthnException, match="sign count"):
        site.judge(options, answer)


def test_a_passkey_without_a_sign_counter_stays_at_zero_and_signs_in_again() -> None:
    site = Site.enrol(SoftwarePasskey(origin=ORIGIN, counting=False))
    assert [site.sign_in().new_sign_count for _ in range(3)] == [0, 0, 0]


def test_a_registration_with_a_high_sign_count_makes_the_next_sign_in_look_like_a_clone() -> None:
    site = Site.enrol(SoftwarePasskey(origin=ORIGIN), Tamper(sign_count=9))
    with pytest.raises(WebAuthnException, match="sign count"):
        site.sign_in()


@pytest.mark.parametrize(
    ("eligible", "backed_up", "kind"),
    [(True, True, "multi_device"), (True, False, "multi_device"), (False, False, "single_device")],
)
def test_backup_flags_are_reported_as_configured(eligible: bool, backed_up: bool, kind: str) -> None:
    site = Site.enrol(SoftwarePasskey(origin=ORIGIN, backup_eligible=eligible, backed_up=backed_up))
    for seen in (site.enrolled, site.sign_in()):
        assert (seen.credential_device_type, seen.credential_backed_up) == (kind, backed_up)


def test_an_excluded_passkey_is_not_enrolled_twice(site: Site) -> None:
    with pytest.raises(errors.PasskeyExists, match=r"^InvalidStateError"):
        site.passkey.create(creation(excludeCredentials=listed(site.answer)))
    assert len(site.passkey.credentials) == 1
    Site.enrol(SoftwarePasskey(origin=ORIGIN), excludeCredentials=listed(site.answer))


def test_without_allow_credentials_the_newest_passkey_of_the_site_signs_in(site: Site) -> None:
    newer = Site.enrol(site.passkey)
    assert newer.sign_in().credential_id == newer.enrolled.credential_id
    assert site.sign_in(allowCredentials=listed(site.answer)).credential_id == site.enrolled.credential_id


def test_a_request_without_a_matching_passkey_is_an_error(site: Site) -> None:
    with pytest.raises(errors.PasskeyNotAllowed, match=r"^NotAllowedError: .*allowCredentials"):
        site.passkey.get(request(allowCredentials=[{"type": "public-key", "id": "AAAA"}]))
    with pytest.raises(errors.PasskeyNotAllowed, match=r"create\(\)"):
        SoftwarePasskey(origin=ORIGIN).get(request())


@pytest.mark.parametrize(
    ("attachment", "selection", "discoverable"),
    [
        ("platform", {"residentKey": "discouraged"}, True),
        ("cross-platform", {"residentKey": "discouraged", "requireResidentKey": True}, False),
        ("cross-platform", {"residentKey": "preferred"}, True),
        ("cross-platform", {"residentKey": "required"}, True),
        ("cross-platform", {"requireResidentKey": True}, True),
        ("cross-platform", {}, False),
    ],
)
def test_a_security_key_is_discoverable_if_requested_and_a_platform_passkey_always(
    attachment: Any, selection: dict[str, Any], discoverable: bool
) -> None:
    passkey = SoftwarePasskey(origin=ORIGIN, attachment=attachment)
    site = Site.enrol(passkey, authenticatorSelection=selection, extensions={"credProps": True})
    assert site.answer["clientExtensionResults"] == {"credProps": {"rk": discoverable}}
    assert site.answer["authenticatorAttachment"] == attachment
    answer = passkey.get(request(allowCredentials=listed(site.answer)))
    assert ("userHandle" in answer["response"]) is discoverable
    if discoverable:
        site.sign_in()
    else:
        with pytest.raises(errors.PasskeyNotAllowed, match="discoverable"):
            passkey.get(request())


def test_a_request_for_another_authenticator_attachment_is_refused() -> None:
    options = creation(authenticatorSelection={"authenticatorAttachment": "cross-platform"})
    with pytest.raises(errors.PasskeyNotAllowed, match='attachment="cross-platform"'):
        SoftwarePasskey(origin=ORIGIN).create(options)


def test_required_user_verification_that_is_unavailable_is_an_error(site: Site) -> None:
    site.passkey.user_verified = False
    with pytest.raises(errors.PasskeyNotAllowed, match="user_verified=True"):
        site.passkey.get(request(userVerification="required"))
    with pytest.raises(errors.PasskeyNotAllowed, match="user_verified=True"):
        site.passkey.create(creation(authenticatorSelection={"userVerification": "required"}))


@pytest.mark.parametrize(("wanted", "verified"), [("required", True), ("preferred", True), ("discouraged", False)])
def test_the_user_is_verified_unless_the_site_discourages_verification(site: Site, wanted: str, verified: bool) -> None:
    options = request(userVerification=wanted)
    assert site.judge(options, site.passkey.get(options), verified=False).user_verified is verified


@pytest.mark.parametrize("setting", ["user_present", "user_verified"])
def test_a_sign_in_without_user_presence_or_verification_is_refused(site: Site, setting: str) -> None:
    setattr(site.passkey, setting, False)
    with pytest.raises(WebAuthnException, match=r"[Uu]ser"):
        site.sign_in()


@pytest.mark.parametrize("rp_id", ["app.shop.example", "shop.example", None])
def test_the_relying_party_id_can_be_the_host_or_a_parent_domain(rp_id: str | None) -> None:
    passkey, options = SoftwarePasskey(origin="https://app.shop.example"), creation(rp={"id": rp_id, "name": "Shop"})
    judged = verify_registration_response(
        credential=passkey.create(options),
        expected_challenge=base64url_to_bytes(options["challenge"]),
        expected_rp_id=rp_id or "app.shop.example",
        expected_origin="https://app.shop.example",
    )
    assert passkey.get(request(rpId=rp_id))["id"] == bytes_to_base64url(judged.credential_id)


@pytest.mark.parametrize("rp_id", ["evil.example", "example", "hop.example", "x.app.shop.example", ""])
def test_a_foreign_relying_party_id_is_an_error_unless_it_is_tampered(rp_id: str) -> None:
    passkey = SoftwarePasskey(origin="https://app.shop.example")
    options = creation(rp={"id": rp_id, "name": "Evil"})
    with pytest.raises(errors.ForeignRelyingParty, match=r"^SecurityError"):
        passkey.create(options)
    with pytest.raises(errors.ForeignRelyingParty, match=r"^SecurityError"):
        passkey.get(request(rpId=rp_id))
    lie = Tamper(rp_id=rp_id)
    made = passkey.create(options, tamper=lie)
    assert passkey.get(request(rpId=rp_id), tamper=lie)["id"] == made["id"]


def test_an_exported_passkey_continues_with_its_sign_counts() -> None:
    first = Site.enrol(SoftwarePasskey(origin=ORIGIN, algorithm="EdDSA", aaguid="bada5566-a7aa-401f-bd96-45619a55120d"))
    second = Site.enrol(first.passkey)
    second.sign_in()
    kept = json.loads(json.dumps(first.passkey.export()))
    loaded = SoftwarePasskey.load(kept)
    assert loaded.export() == kept
    first.passkey = second.passkey = loaded
    assert second.sign_in().new_sign_count == 2
    assert first.sign_in(allowCredentials=listed(first.answer)).new_sign_count == 1
    assert Site.enrol(loaded).enrolled.aaguid == "bada5566-a7aa-401f-bd96-45619a55120d"


def test_an_invalid_export_is_refused_without_quoting_it(site: Site) -> None:
    good = site.passkey.export()
    row = good["credentials"][0]
    broken: list[Any] = [
        {},
        {**good, "colour": "red"},
        {**good, "credentials": None},
        {**good, "credentials": [{**row, "user_handle": "=="}]},
        {**good, "credentials": [{**row, "private_key": row["private_key"][:60]}]},
        {**good, "credentials": [{**row, "private_key": None}]},
        [],
    ]
    for kept in broken:
        with pytest.raises(errors.ConfigurationError, match=r"export\(\)") as refused:
            SoftwarePasskey.load(kept)
        assert "PRIVATE" not in str(refused.value)
        assert refused.value.__suppress_context__


def test_no_representation_shows_a_private_key_or_a_user(site: Site) -> None:
    assert repr(site.passkey) == "<SoftwarePasskey at http://localhost:4443, 1 passkey>"
    assert "private" not in repr(site.passkey.credentials).lower()


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "http://localhost:4443/"},
        {"origin": "HTTPS://shop.example"},
        {"origin": "https://shop.example:443"},
        {"origin": "https://ada:secret@shop.example"},
        {"origin": "https://["},
        {"origin": "localhost"},
        {"origin": "http://127.0.0.1:4443"},
        {"origin": "http://[::1]:4443"},
        {"origin": "http://shop.example"},
        {"algorithm": "ES512"},
        {"attachment": "usb"},
        {"aaguid": "none"},
        {"backup_eligible": False},
    ],
    ids=str,
)
def test_an_invalid_setting_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.ConfigurationError) as refused:
        SoftwarePasskey(**{"origin": ORIGIN, **wrong})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"challenge": None},
        {"challenge": "AA=="},
        {"challenge": "A+/A"},
        {"challenge": "A"},
        {"rp": None},
        {"rp": {"id": 7}},
        {"user": {"id": "", "name": "a", "displayName": "a"}},
        {"user": {"id": "A" * 88, "name": "a", "displayName": "a"}},
        {"user": {"id": "AAAA", "displayName": "a"}},
        {"pubKeyCredParams": None},
        {"excludeCredentials": {}},
        {"excludeCredentials": ["AAAA"]},
        {"extensions": []},
    ],
    ids=str,
)
def test_malformed_options_are_an_error_and_create_no_passkey(wrong: dict[str, Any]) -> None:
    passkey = SoftwarePasskey(origin=ORIGIN)
    with pytest.raises(errors.OptionsUnusable, match=r"^TypeError: "):
        passkey.create(creation(**wrong))
    assert passkey.credentials == ()


def test_options_inside_the_server_response_are_refused_with_the_reason() -> None:
    with pytest.raises(errors.OptionsUnusable, match="not the server response around it"):
        SoftwarePasskey(origin=ORIGIN).get({"challengeId": "c", "options": request()})


@settings(max_examples=30, deadline=None)
@given(handle=st.binary(min_size=1, max_size=64), challenge=st.binary(max_size=200), name=st.text(), display=st.text())
def test_any_user_handle_challenge_and_name_work_in_a_ceremony(
    handle: bytes, challenge: bytes, name: str, display: str
) -> None:
    user = {"id": bytes_to_base64url(handle), "name": name, "displayName": display}
    asked = bytes_to_base64url(challenge)
    site = Site.enrol(SoftwarePasskey(origin=ORIGIN, algorithm="EdDSA"), user=user, challenge=asked)
    options = request(challenge=asked)
    answer = site.passkey.get(options)
    site.judge(options, answer)
    assert base64url_to_bytes(answer["response"]["userHandle"]) == handle
    kept = SoftwarePasskey.load(json.loads(json.dumps(site.passkey.export()))).credentials[0]
    assert (kept.user_handle, kept.user_name, kept.user_display_name) == (handle, name, display)


def test_importing_the_package_does_not_import_passkeys() -> None:
    program = "import sys, dlt_authsignal; sys.exit(any('passkey' in name or name == 'cbor2' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
