"""Fields that Authsignal may add: what is hashed, what is withheld, and what stays in plain text."""

import base64
import hashlib
import hmac
import json
import secrets
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.secret_fields import is_secret, is_suspicious, is_withheld
from dlt_authsignal.schema.sensitivity import is_free_form
from dlt_authsignal.schema.tables.server import ACTION_DETAILS, TABLES, USER_ACTIONS, USER_AUTHENTICATORS, USERS
from dlt_authsignal.source.metrics.schema_drift import Drift, TableDrift, sentences
from dlt_authsignal.source.privacy.policy import KEEP, Privacy
from dlt_authsignal.source.rows.arrow_builder import Shaper
from dlt_authsignal.source.rows.flatten import Answers
from dlt_authsignal.source.rows.row_builder import Placer

KEY = "3f9c1be07a52d8644e0d97b1c65fa2380b7e41d95c8f2a6310d4e97f58ab2c61"
HASHED = Privacy(key=KEY)
KEYLESS = Privacy()
READ_AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
KEYS = {"actionCode": "a", "idempotencyKey": "k", "userAuthenticatorId": "a"}
WAYS = [Shaper, Placer]

CERTAIN = [
    "apiKeys",
    "accessTokenValue",
    "totpKey",
    "backupCodes",
    "passwordHash",
    "jwt",
    "pwd",
    "apiKey",
    "api_keys",
    "APIKEY",
    "apikeys",
    "API_KEYS",
    "accesstokenvalue",
    "userPassword",
    "passwd",
    "otp",
    "OTPs",
    "otps",
    "otpCode",
    "smsOtp",
    "userotp",
    "totp_uri",
    "seedPhrase",
    "clientSecrets",
    "credentials",
    "twilioCredentials",
    "oauthToken",
    "idToken",
    "bearer",
    "authorization",
    "setCookie",
    "csrfToken",
    "pinCode",
    "PIN",
    "privateKey",
    "private_key_pem",
    "masterKey",
    "encryptionKey",
    "recoveryPhrase",
    "scratch-codes",
    "verification_codes",
    "securityCode",
    "JWTs",
    "secretKeyBase",
    "secretId",
    "mfaSeed",
    "totpseed",
    "jwtValue",
    "X-Api-Key",
    "sessionId",
    "jsessionid",
    "newPassword",
    "passphrase",
    "ａｐｉＫｅｙ",
    "otpauth",
    "recoveryWords",
    "passwort",
    "creds",
    "authCreds",
    "authorisation",
    "prvkey",
    "refreshtkn",
    "codeword",
    "safeWord",
    "ott",
]
SUSPICIOUS = [
    "clave",
    "qrData",
    "code",
    "key",
    "loginCode",
    "emailcode",
    "signingCodes",
    "webhookKey",
    "hmacKey",
    "nonce",
    "salt",
    "signature",
    "qrCode",
    "inviteCode",
    "magic_link_url",
    "verificationUrl",
    "samlAssertion",
    "serviceTicket",
    "pepper",
    "databaseUrl",
    "connectionString",
    "cardNumber",
    "securityAnswer",
    "authHeader",
    "jwks",
]
HARMLESS = [
    "countryCode",
    "errorCode",
    "postalCode",
    "statusCode",
    "publicKey",
    "keyId",
    "tokenType",
    "tokenExpiresAt",
    "tokenexpiresat",
    "hasPassword",
    "passwordUpdatedAt",
    "isOtpEnabled",
    "otpLength",
    "passwordless",
    "passwordlessEnabled",
    "tokenized",
    "shipping",
    "mapping",
    "pinned",
    "keyboard",
    "monkey",
    "barcode",
    "postcode",
    "unicode",
    "footprint",
    "options",
    "passkeyName",
    "passengers",
    "compass",
    "credentialBackedUp",
    "primaryKey",
    "rowHash",
    "verificationCodeLength",
    "tokenDurationInMinutes",
    "disableRecoveryCodes",
    "smsCountryCodes",
    "EMAIL_OTP",
    "ticketId",
    "answered",
    "panel",
    "cardType",
    "verificationUrlCount",
]


def digest(text: str) -> str:
    return hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def load(
    way: Any, privacy: Privacy, items: list[dict[str, Any]], table: Table = USERS, **known: Any
) -> list[dict[str, Any]]:
    """The rows of one batch, without nulls and provenance."""
    shape = way(table, api="server", tenant_id=None, privacy=privacy, **known)
    ids = {"user_id": [f"u{place}" for place in range(len(items))]}
    requests = list(range(len(items)))
    made = shape(Answers(items=list(items), requests=requests, read_at=[READ_AT] * len(items), keys=ids))
    rows = made if isinstance(made, list) else made.to_pylist()
    return [{name: value for name, value in row.items() if value is not None and name[0] != "_"} for row in rows]


def one(privacy: Privacy, item: dict[str, Any], table: Table = USERS, **known: Any) -> dict[str, Any]:
    quick, slow = (load(way, privacy, [item], table, **known)[0] for way in WAYS)
    assert quick.keys() == slow.keys()
    return quick


def said(row: dict[str, Any]) -> str:
    return json.dumps(row, default=str, ensure_ascii=False)


@pytest.mark.parametrize(
    "free_form", ["custom", "customData", "custom_data", "metadata", "userMetadata", "extraData", "context"]
)
@pytest.mark.parametrize("privacy", [HASHED, KEYLESS])
def test_free_form_objects_are_filtered_at_any_depth(free_form: str, privacy: Privacy) -> None:
    inner = {free_form: {"who": "gold", "plan": "plus"}}
    for item in (
        inner,
        {"profile": inner},
        {"a": {"b": {"c": inner}}},
        {"list": [inner]},
        {"profile": {"x": [[inner]]}},
    ):
        row = said(one(privacy, {**item, **KEYS}, USER_ACTIONS))
        assert "gold" not in row
        assert "plus" not in row
        allowed = one(Privacy(key=KEY, allow=frozenset({"plan"})), {**item, **KEYS}, USER_ACTIONS)
        assert "plus" in said(allowed)
        assert "gold" not in said(allowed)


@pytest.mark.parametrize(
    ("item", "column"), [({"context": {"who": "gold"}}, "context"), ({"a": {"blob": [{"x": 1}]}}, "a")]
)
def test_the_report_names_free_form_objects_whose_keys_are_left_out(item: dict[str, Any], column: str) -> None:
    drift = Drift()
    load(Shaper, HASHED, [item], drift=drift.of("users"))
    assert drift.report()["users"]["filtered"][0].startswith(column)
    assert "Only their keys in privacy_allow are loaded." in "\n".join(sentences(drift.report()))


HIDDEN: dict[str, Any] = {
    "reviewer": "Ann Smith1",
    "note": "Ann Smith2 paid",
    "creds": "hunter2x",
    "smsCode": "482913",
    "link": "https://x.test/?token=abc123q",
    "sess": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "random": "kJ8sQ2vX9rT4mN7pW3zB6yL1",
    "deep": {"manager": "Ann Smith3", "list": ["Ann Smith4 called"]},
}


def leaves_of(value: Any) -> list[str]:
    if isinstance(value, dict | list):
        return [leaf for inner in (value.values() if isinstance(value, dict) else value) for leaf in leaves_of(inner)]
    return [str(value)]


@pytest.mark.parametrize("privacy", [HASHED, KEYLESS])
def test_objects_in_declared_lists_are_protected_like_undeclared_columns(privacy: Privacy) -> None:
    shown = said(one(privacy, {"enrolledVerificationMethods": ["SMS", HIDDEN]}))
    assert [leaf for leaf in leaves_of(HIDDEN) if leaf in shown] == []
    assert "SMS" in shown


def test_secrets_in_declared_lists_are_never_loaded() -> None:
    shown = said(one(KEEP, {"enrolledVerificationMethods": ["SMS", HIDDEN["sess"], HIDDEN]}))
    assert [key for key in ("smsCode", "link", "sess", "random") if HIDDEN[key] in shown] == []
    assert "Ann Smith1" in shown


def test_rules_of_an_action_keep_their_names_and_descriptions() -> None:
    rules = [{"ruleId": "0b6f1c9e", "name": "Block other countries", "description": "By Ann, for all"}]
    row = one(HASHED, {"rules": rules, **KEYS}, ACTION_DETAILS)
    assert (json.loads(row["rules"]) if isinstance(row["rules"], str) else row["rules"]) == rules


@pytest.mark.parametrize("way", WAYS)
def test_unknown_fields_inside_declared_lists_are_treated_in_one_way_in_a_batch(way: Any) -> None:
    items = [{"enrolledVerificationMethods": [{"note": text}]} for text in ("high", "Ann Miller", "low")]
    drift = Drift()
    found = said({"rows": load(way, HASHED, items, drift=drift.of("users"))})
    assert [text for text in ("high", "Ann Miller", "low") if text in found] == []
    (line,) = sentences(drift.report())
    assert 'privacy_allow = ["enrolled_verification_methods"]' in line
    allowed = Privacy(key=KEY, allow=frozenset({"enrolled_verification_methods"}))
    assert "Ann Miller" in said({"rows": load(way, allowed, items)})


def test_privacy_allow_opens_a_declared_column_for_values_of_another_type_but_not_for_secrets() -> None:
    allowed = Privacy(key=KEY, allow=frozenset({"is_enrolled"}))
    assert "Ann Miller" in said(one(allowed, {"isEnrolled": "Ann Miller"}))
    assert HIDDEN["sess"] not in said(one(allowed, {"isEnrolled": HIDDEN["sess"]}))


def test_a_list_of_free_form_objects_is_filtered_in_declared_lists_too() -> None:
    item = {"customData": [{"who": "gold"}], "enrolledVerificationMethods": ["SMS", {"custom": {"who": "gold"}}]}
    assert "gold" not in said(one(HASHED, item))
    assert "SMS" in said(one(HASHED, item))


@pytest.mark.parametrize(
    "item",
    [
        {"birthDate": "1981-02-03"},
        {"mobile": "20121125"},
        {"dob": "1981-02-03T00:00:00Z"},
        {"dateOfBirth": "1981-02-03 10:00"},
        {"bornOn": "1981-02-03"},
        {"anniversary": "1981-02-03"},
        {"phoneNumberOther": "1981-02-03T10:00:00Z"},
        {"profile": {"birthday": "1981W05"}},
        {"list": [{"birthDate": "1981-02-03"}]},
        {"anniversary": "2018-02-03T00:00:00Z"},
        {"passportNumber": "2018-02-03T00:00:00Z"},
        {"birthYear": "1981"},
        {"contactNumber": "20121125"},
        {"profile": {"nationalId": "350"}},
    ],
)
def test_a_value_that_looks_like_a_date_is_protected_all_the_same(item: dict[str, Any]) -> None:
    (value,) = [*str(item).split("'")[-2:-1]]
    assert value not in said(one(HASHED, item))
    assert value not in said(one(KEYLESS, item))


@pytest.mark.parametrize(
    "item",
    [{"emailCount": 3}, {"phoneType": "mobile"}, {"emailStatus": "verified"}, {"mobileEnabled": True}],
    ids=str,
)
def test_a_name_that_only_describes_an_identifier_does_not_hide_the_value(item: dict[str, Any]) -> None:
    assert next(iter(item.values())) in one(HASHED, item).values()


@pytest.mark.parametrize("number", [350000000, 19810203])
@pytest.mark.parametrize(
    "name",
    [
        "contactNumber",
        "smsNumber",
        "taxId",
        "taxFileNumber",
        "passportNumber",
        "landlineNo",
        "nationalIdentifier",
        "bankAccount",
        "idCard",
        "imei",
        "birthYear",
    ],
)
def test_a_number_in_a_field_named_like_an_identifier_is_protected(name: str, number: int) -> None:
    for item in ({name: number}, {"x": [{name: number}]}):
        assert str(number) not in said(one(HASHED, item))


def test_times_of_events_stay_in_plain_text() -> None:
    times = {
        "emailVerifiedAt": "2026-01-02T00:00:00Z",
        "lastSeen": "2026-01-02T03:04:05.678Z",
        "until": "9999-12-31T23:59Z",
    }
    row = one(HASHED, times)
    assert set(times.values()) <= set(row.values())


@pytest.mark.parametrize("name", CERTAIN)
def test_a_secret_is_recognised_by_a_word_of_its_name(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", SUSPICIOUS)
def test_a_name_that_may_be_that_of_a_secret_is_withheld_unless_it_is_allowed(name: str) -> None:
    for place in ({name: "PLANTED"}, {"x": {name: "PLANTED"}}, {"x": [{name: "PLANTED"}]}, {name: ["PLANTED"]}):
        for privacy in (HASHED, KEYLESS, KEEP):
            assert "PLANTED" not in said(one(privacy, place))
    allowed = Privacy(mode="keep", allow=frozenset({"x"}))
    assert is_secret(name) or "PLANTED" in said(one(allowed, {"x": [{name: "PLANTED"}]}))
    assert is_suspicious(name) or is_secret(name)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_name_that_only_contains_such_a_word_is_loaded(name: str) -> None:
    assert not is_withheld(name)
    assert not is_suspicious(name)


def test_no_declared_column_is_taken_for_a_secret() -> None:
    for table in TABLES.values():
        for column in table.columns:
            for name in {column.name, *(column.field or "").split(".")} - {""}:
                assert not is_withheld(name), name
                assert not is_suspicious(name), name
                assert column.kind == "free-form" or column.type != "json" or not is_free_form(name), name


@pytest.mark.parametrize("privacy", [HASHED, KEYLESS, KEEP])
@pytest.mark.parametrize("name", CERTAIN[::4])
def test_secret_names_are_withheld_at_any_depth(name: str, privacy: Privacy) -> None:
    for item in (
        {name: "PLANTED"},
        {"x": {"y": {name: "PLANTED"}}},
        {"x": [{name: ["PLANTED"]}]},
        {name: {"v": "PLANTED"}},
    ):
        assert "PLANTED" not in said(one(privacy, {**item, **KEYS}, USER_AUTHENTICATORS))


@pytest.mark.parametrize(
    "text",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJQTEFOVEVEIn0.PLANTED",
        "see otpauth://totp/x?secret=PLANTED",
        "https://x.example/a?token=PLANTED",
        "https://x.example/a#access_token=PLANTED",
        "https://x.example/a?lang=de&code=PLANTED",
        "https%3A%2F%2Fx.example%2F%3Ftoken%3DPLANTED",
        "postgresql://app:PLANTED@db.example/x",
        "-----BEGIN RSA PRIVATE KEY-----\nPLANTED",
        "Bearer PLANTED123",
        "$2b$12$PLANTED",
        "password: PLANTED22",
        "GOCSPX-PLANTED-PLANTED-PLANTED",
        "pbkdf2_sha256$260000$PLANTED",
    ],
)
def test_a_secret_is_recognised_by_its_form_in_every_mode(text: str) -> None:
    for privacy in (HASHED, KEYLESS, KEEP, Privacy(mode="keep", allow=frozenset({"link", "links"}))):
        for item in ({"link": text}, {"links": ["x", text]}, {"links": [{"to": text}]}, {"isEnrolled": text}):
            assert "PLANTED" not in said(one(privacy, item))


def test_long_random_text_is_withheld_in_plain_mode_unless_it_is_an_id_or_allowed() -> None:
    random = [
        base64.b64encode(secrets.token_bytes(32)).decode(),
        secrets.token_hex(32),
        "JBSWY3DPEHPK3PXPJBSWY3DP",
        "kX9f2Qw7Zp4Lr8Tn5Vb3",
    ]
    for text in random:
        assert text not in said(one(KEEP, {"extraText": text, "list": [f"x {text}"]}))
        assert text in said(one(KEEP, {"traceId": text}))
        assert text in said(one(Privacy(mode="keep", allow=frozenset({"extra_text"})), {"extraText": text}))
    for text in (
        "a-long-slug-with-many-words-and-2026",
        "550e8400-e29b-41d4-a716-446655440000",
        "Ann wrote a sentence",
    ):
        assert one(KEEP, {"extraText": text})["extra_text"] == text


@pytest.mark.parametrize(
    "value",
    [True, 7, 1.5, "SMS", "CHALLENGE_REQUIRED", "high", "singleDevice", "cross-platform", "de-CH", "0.25", "42"],
)
def test_an_undeclared_value_with_a_harmless_form_stays(value: Any) -> None:
    assert one(HASHED, {"fresh": value})["fresh"] == value
    assert json.loads(one(KEYLESS, {"fresh": [value]})["fresh"]) == [value]


@pytest.mark.parametrize(
    "value",
    [
        "Ann",
        "Ann Miller",
        "called twice",
        "1981-02-03",
        "ann_miller",
        "ingrid_olsen",
        "logan-paul",
        "756.1234.5678.97",
        "Zoë",
    ],
)
def test_other_text_of_an_undeclared_column_is_hashed_unless_the_column_is_allowed(value: str) -> None:
    assert one(HASHED, {"fresh": value})["fresh"] == digest(value.casefold())
    assert "fresh" not in one(KEYLESS, {"fresh": value})
    assert one(Privacy(key=KEY, allow=frozenset({"fresh"})), {"fresh": value})["fresh"] == value
    assert one(KEEP, {"fresh": value})["fresh"] == value
    assert value not in said(
        one(HASHED, {"list": [{"fresh": value}, [value], {"a": {"b": value}}], "isEnrolled": value})
    )


@pytest.mark.parametrize("way", WAYS)
def test_a_batch_with_one_other_text_hashes_the_whole_column(way: Any) -> None:
    first, second = load(way, HASHED, [{"fresh": "high"}, {"fresh": "Ann Miller"}])
    assert (first["fresh"], second["fresh"]) == (digest("high"), digest("ann miller"))
    rows = load(way, HASHED, [{"list": [{"a": "high", "b": "low"}]}, {"list": [{"a": "Ann Miller", "b": "low"}]}])
    assert "high" not in said({"rows": rows})
    assert "low" in said({"rows": rows})


@pytest.mark.parametrize("way", WAYS)
def test_a_column_stays_hashed_in_later_batches_and_runs(way: Any) -> None:
    remembered: list[str] = []
    drift = TableDrift()
    assert load(way, HASHED, [{"fresh": "high"}], hashed=remembered, drift=drift)[0]["fresh"] == "high"
    assert (remembered, drift.hashed) == ([], set())
    load(way, HASHED, [{"fresh": "Ann Miller"}], hashed=remembered, drift=drift, stored={"fresh": "text"})
    assert remembered == ["fresh"]
    assert (drift.hashed, drift.was_plain) == ({"fresh"}, {"fresh"})
    assert load(way, HASHED, [{"fresh": "high"}], hashed=remembered)[0]["fresh"] == digest("high")


@pytest.mark.parametrize("way", WAYS)
def test_a_column_with_many_different_words_is_no_enum(way: Any) -> None:
    names = [f"{a}{b}" for a in "abcdefgh" for b in ("nna", "ob", "enno", "ora", "ilo")]
    rows = load(way, HASHED, [{"fresh": name} for name in names])
    assert {row["fresh"] for row in rows} == {digest(name) for name in names}


def test_the_report_says_which_columns_are_hashed_and_how_to_allow_them() -> None:
    drift = Drift()
    for item in ({"fresh": "high", "loginCode": "1"}, {"fresh": "Ann Miller"}):
        load(Shaper, HASHED, [item], drift=drift.of("users"), stored={"fresh": "text"})
    lines = "\n".join(sentences(drift.report()))
    assert "does not know these columns: users.fresh." in lines
    assert 'privacy_allow = ["fresh"]' in lines
    assert "users.fresh: rows loaded earlier contain short words in plain text" in lines
    assert 'look like secrets: users.login_code. If they are harmless: privacy_allow = ["login_code"]' in lines
    assert "Ann" not in lines


def test_keys_with_spaces_in_a_list_are_hashed() -> None:
    row = one(HASHED, {"list": [{"Ann Miller": 5, "Bob Miller": 6}]})
    assert json.loads(row["list"]) == [{digest("ann miller"): 5, digest("bob miller"): 6}]
    assert list(json.loads(one(KEYLESS, {"list": [{"Ann Miller": 5, "Bob Miller": 6}]})["list"])[0].values()) == [5, 6]


WORDS = st.sampled_from(["fresh", "inner", "other"])
PLANTED = st.sampled_from(["Planted One", "planted@example.org", "Planted-2", "1970-01-01", "+41 79 000 00 00"])
NESTED = st.recursive(
    PLANTED,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=2), st.dictionaries(WORDS, inner, min_size=1, max_size=2)
    ),
    max_leaves=5,
)


@given(st.dictionaries(WORDS, NESTED, min_size=1, max_size=3), st.sampled_from([HASHED, KEYLESS]))
def test_no_planted_text_is_left_in_an_undeclared_column(item: dict[str, Any], privacy: Privacy) -> None:
    for way in WAYS:
        shown = said({"rows": load(way, privacy, [item, item])}).lower()
        assert not [each for each in ("planted", "1970", "000 00") if each in shown]
