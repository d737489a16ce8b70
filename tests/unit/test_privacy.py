"""What is done to identifiers: normal forms, hashes, and that nothing of a person is left in any cell."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.schema.sensitivity import kind_by_name
from dlt_authsignal.schema.tables.ceremonies import CEREMONIES
from dlt_authsignal.schema.tables.configuration import CONFIGURATION
from dlt_authsignal.schema.tables.server import TABLES, USER_ACTIONS, USER_AUTHENTICATORS, USERS
from dlt_authsignal.source.privacy.guard import Guard
from dlt_authsignal.source.privacy.keyed_hash import KeyedHash
from dlt_authsignal.source.privacy.policy import KEEP, Privacy
from dlt_authsignal.source.privacy.recognition.identifiers import country_of, domain_of, normal, replaced, truncated
from dlt_authsignal.source.privacy.settings import privacy_of
from dlt_authsignal.source.rows.arrow_builder import Shaper
from dlt_authsignal.source.rows.flatten import Answers
from dlt_authsignal.source.rows.row_builder import Placer
from tests.tiers import deep_after

KEY = "3f9c1be07a52d8644e0d97b1c65fa2380b7e41d95c8f2a6310d4e97f58ab2c61"
HASHED = Privacy(key=KEY)
KEYLESS = Privacy()
READ_AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

ADDRESS, NUMBER, IP4, IP6 = "canary@example.com", "+41 79 765 43 21", "203.0.113.77", "2001:db8:1:2::7"
CANARIES = (ADDRESS, NUMBER, IP4, IP6, "canary", "7654321", "765 43 21", ".113.77", "1:2::7", "2::7")
FIELDS = ("email", "phoneNumber", "username", "displayName", "custom", "locale", "createdAt", "isEnrolled", "risk")
MORE_FIELDS = ("contact", "workEmail", "ipAddress", "notes", "fullName", "deviceId", "enrolledVerificationMethods")

LOOKING_LIKE_SOMEBODY = st.sampled_from([ADDRESS, NUMBER, IP4, IP6, ADDRESS.upper(), f" {ADDRESS}", "+41797654321"])
SENTENCES = st.builds("{} {} {}".format, st.sampled_from(["", "asked", "(x)"]), LOOKING_LIKE_SOMEBODY, st.just("now"))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(["", "2026-01-02T03:04:05Z", "SMS"]))
VALUES = st.recursive(
    st.one_of(SCALARS, LOOKING_LIKE_SOMEBODY, SENTENCES),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from([*FIELDS, *MORE_FIELDS]), inner, max_size=2),
    ),
    max_leaves=4,
)
UNDECLARED = st.dictionaries(st.sampled_from([*MORE_FIELDS[:5], "risk"]), VALUES, max_size=3)
USER = st.dictionaries(st.sampled_from([*FIELDS, *MORE_FIELDS[:6]]), VALUES, max_size=5)


def answers(items: list[dict[str, Any]], user_id: str = "u") -> Answers:
    ids = [f"{user_id}{place}" if user_id == "u" else user_id for place in range(len(items))]
    return Answers(
        items=list(items), requests=list(range(len(items))), read_at=[READ_AT] * len(items), keys={"user_id": ids}
    )


def batch(
    privacy: Privacy, items: list[dict[str, Any]], table: Any = USERS, user_id: str = "u"
) -> list[dict[str, Any]]:
    shape = Shaper(table, api="server", tenant_id=None, privacy=privacy)
    return [_told(row) for row in shape(answers(items, user_id)).to_pylist()]


def by_row(privacy: Privacy, items: list[dict[str, Any]], table: Any = USERS) -> list[dict[str, Any]]:
    return [_told(row) for row in Placer(table, api="server", tenant_id=None, privacy=privacy)(answers(items))]


def one(privacy: Privacy, item: dict[str, Any], table: Any = USERS, user_id: str = "u") -> dict[str, Any]:
    return batch(privacy, [item], table, user_id)[0]


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None and not name.startswith("_")}


def digest(text: str) -> str:
    return hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("kind", "spellings", "form"),
    [
        ("email", ["Ann@Example.com", " ann@example.com\n", "ANN@EXAMPLE.COM"], "ann@example.com"),
        ("email", ["zoe\u0308@example.com", "ZO\u00cb@example.com"], "zo\u00eb@example.com"),
        ("phone", ["+41 79 123 45 67", "+41 (0)79 123-45-67", "0041791234567", "(+41) 79/1234567"], "+41791234567"),
        ("phone", ["079 123 45 67", "(079) 123.45.67"], "0791234567"),
        ("phone", ["+\u0664\u0661\u0667\u0669\u0661\u0662\u0663\u0664\u0665\u0666\u0667"], "+41791234567"),
        ("phone", ["+1-800-FLOWERS", "+1-800-flowers "], "+1-800-flowers"),
        ("name", ["Ann", " ann ", "\uff21\uff4e\uff4e"], "ann"),
    ],
)
def test_spellings_of_one_identifier_have_one_normal_form(kind: Any, spellings: list[str], form: str) -> None:
    assert {normal(kind, text) for text in spellings} == {form}


@given(st.sampled_from(["email", "phone", "name"]), st.text())
def test_normalisation_is_idempotent(kind: Any, text: str) -> None:
    assert normal(kind, normal(kind, text)) == normal(kind, text)


@pytest.mark.parametrize(
    ("email", "domain"),
    [
        ("Ann@Mail.Example.com", "mail.example.com"),
        ("ann@b\u00fccher.de", "b\u00fccher.de"),
        ("ann@xn--bcher-kva.xn--p1ai", "xn--bcher-kva.xn--p1ai"),
        ("ann", None),
        ("ann@", None),
        ("ann@Ann Miller", None),
        ("ann@203.0.113.77", None),
    ],
)
def test_the_e_mail_domain_contains_no_identifier(email: str, domain: str | None) -> None:
    assert domain_of(email) == domain


@pytest.mark.parametrize(
    ("phone", "country"),
    [
        ("+41 79 123 45 67", "CH"),
        ("0041791234567", "CH"),
        ("+353 85 123 4567", "IE"),
        ("+1 202 456 1111", "US"),
        ("+1 416 555 0123", "CA"),
        ("+44 7400 123456", "GB"),
        ("+1 2", None),
        ("+800 1234 5678", None),
        ("079 123 45 67", None),
        ("+", None),
        ("+0", None),
        ("ann", None),
    ],
)
def test_the_country_of_an_international_phone_number_is_found(phone: str, country: str | None) -> None:
    assert country_of(phone) == country


@pytest.mark.parametrize(
    ("address", "short"),
    [
        ("203.0.113.77", "203.0.113.0"),
        (" 203.0.113.77 ", "203.0.113.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("2001:DB8:1:2::7", "2001:db8:1::"),
        ("[2001:db8:1:2::7]", "2001:db8:1::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("[203.0.113.77]", "203.0.113.0"),
        ("203.0.113.77%eth0", "203.0.113.0"),
        ("203.0.113.77:443", "203.0.113.0"),
        ("[::ffff:203.0.113.77]:443", "203.0.113.0"),
        ("[2001:db8:1:2::7]:443", "2001:db8:1::"),
        ("203.0.113.777", None),
        ("203.0.113", None),
        ("unknown", None),
    ],
)
def test_an_ip_address_is_truncated_to_its_network(address: str, short: str | None) -> None:
    assert truncated(address) == short


def test_hashed_identifiers_join_with_hashes_of_normalised_customer_data() -> None:
    row = one(HASHED, {"email": "Ann@Example.com", "phoneNumber": "+41 79 123 45 67", "username": "ann@example.com"})
    assert row["email"] == row["username"] == digest("ann@example.com")
    assert row["phone_number"] == digest("+41791234567")
    assert (row["email_domain"], row["phone_number_country"]) == ("example.com", "CH")


def test_a_user_id_that_is_an_e_mail_or_phone_number_is_hashed_without_normalisation() -> None:
    assert HASHED.stored_id("ann@example.com") == digest("ann@example.com")
    assert HASHED.stored_id("Ann@example.com") == digest("Ann@example.com")  # another user than ann
    for number in ("+41791234567", "tel:+41791234567", " +41 79 123 45 67", "sms|(+41)791234567", "ann%40example.com"):
        assert HASHED.stored_id(number) == digest(number)
    for opaque in ("auth0|1a2b", "1234567890", "crm:7", "@ann", "+", "c++", "a+1", "QUJD+123456789=="):
        assert HASHED.stored_id(opaque) == opaque
    assert one(HASHED, {}, user_id="ann@example.com")["user_id"] == digest("ann@example.com")
    assert one(KEEP, {}, user_id="ann@example.com")["user_id"] == "ann@example.com"


@given(st.text(), st.text())
def test_different_user_ids_have_different_stored_ids(one_id: str, other_id: str) -> None:
    assert (HASHED.stored_id(one_id) == HASHED.stored_id(other_id)) is (one_id == other_id)


def test_devices_and_credentials_are_hashed_and_still_join() -> None:
    credential = {"credentialId": "Ab", "deviceId": "D1", "parsedUserAgent": {"ua": "Mozilla", "os": {"name": "iOS"}}}
    row = one(HASHED, {"userAuthenticatorId": "a", "webauthnCredential": credential}, USER_AUTHENTICATORS)
    assert row["webauthn_credential__credential_id"] == digest("Ab")
    assert row["webauthn_credential__parsed_user_agent__ua"] == digest("Mozilla")
    assert row["webauthn_credential__parsed_user_agent__os__name"] == "iOS"
    device = one(HASHED, {"deviceId": "D1"}, TABLES["user_devices"])
    assert device["device_id"] == row["webauthn_credential__device_id"] == digest("D1")


def test_lists_of_credentials_are_hashed_one_by_one() -> None:
    guard = Guard(HASHED, TABLES["passkey_authentication_options"])
    row = guard.row({"allowed_credential_ids": ["Ab", "Cd"], "error_description": f"No {ADDRESS} here"})
    assert row["allowed_credential_ids"] == [digest("Ab"), digest("Cd")]
    assert row["error_description"] == f"No {digest(ADDRESS)} here"


def test_free_form_values_pass_only_for_allowed_keys() -> None:
    custom = {"plan": "plus", "nickname": "Annie", "tier": {"since": 2020}}
    assert "custom" not in one(HASHED, {"custom": custom})
    allowed = one(Privacy(key=KEY, allow=frozenset({"plan", "tier"})), {"custom": custom})
    assert json.loads(allowed["custom"]) == {"plan": "plus", "tier": {"since": 2020}}
    assert json.loads(one(KEEP, {"custom": custom})["custom"]) == custom
    assert "custom" not in one(Privacy(key=KEY, allow=frozenset({"plan"})), {"custom": ["plan"]})


def test_rules_are_configuration_and_are_kept() -> None:
    rules = [{"name": "Block bob@example.com", "ruleId": "r"}]
    row = one(
        HASHED,
        {"actionCode": "a", "idempotencyKey": "k", "rules": rules, "output": {"x": ADDRESS}},
        TABLES["action_details"],
    )
    assert json.loads(row["rules"]) == rules
    assert "output" not in row


def test_identifiers_inside_rules_and_verification_methods_are_hashed() -> None:
    rules = [{"ruleId": "r", "createdBy": {"email": ADDRESS, "name": "Ann Miller"}}]
    row = one(HASHED, {"actionCode": "a", "idempotencyKey": "k", "rules": rules}, TABLES["action_details"])
    assert json.loads(row["rules"]) == [
        {"ruleId": "r", "createdBy": {"email": digest(ADDRESS), "name": digest("ann miller")}}
    ]
    methods = ["SMS", {"method": "EMAIL_OTP", "email": ADDRESS, "phoneNumber": NUMBER}]
    row = one(HASHED, {"enrolledVerificationMethods": methods})
    protected = {"method": "EMAIL_OTP", "email": digest(ADDRESS), "phoneNumber": digest("+41797654321")}
    assert json.loads(row["enrolled_verification_methods"]) == ["SMS", protected]


def test_an_identifier_returned_as_an_object_is_hashed_in_all_its_parts() -> None:
    row = one(
        HASHED,
        {"actionCode": "a", "idempotencyKey": "k", "userAgent": {"ua": "Mozilla", "raw": {"of": "Safari"}}},
        USER_ACTIONS,
    )
    assert row["user_agent__ua"] == digest("Mozilla")
    assert row["user_agent__raw__of"] == digest("Safari")
    credential = {"credentialId": {"id": "Ab"}, "deviceId": {"id": "D1"}, "transports": {"first": "usb"}}
    row = one(HASHED, {"userAuthenticatorId": "a", "webauthnCredential": credential}, USER_AUTHENTICATORS)
    assert row["webauthn_credential__credential_id__id"] == digest("Ab")
    assert row["webauthn_credential__device_id__id"] == digest("D1")
    kept = one(
        Privacy(key=KEY, columns={"user_actions.user_agent": "keep"}),
        {"actionCode": "a", "idempotencyKey": "k", "userAgent": {"ua": "Mozilla"}},
        USER_ACTIONS,
    )
    assert kept["user_agent__ua"] == "Mozilla"


@pytest.mark.parametrize(
    ("text", "protected"),
    [
        ("phone:+64211239876", "phone:<phone>"),
        ("tel:0211239876.", "tel:<phone>."),
        ("call +64211239876: no answer", "call <phone>: no answer"),
        ("+64–21–123–9876", "<phone>"),
        ("Signed in from 203.0.113.77.", "Signed in from <ip>."),
        ("ip:203.0.113.77, port 203.0.113.78:443", "ip:<ip>, port <ip>:443"),
        ("ip:2001:db8:1:2::7.", "ip:<ip>."),
        ("::ffff:203.0.113.77", "<ip>"),
        ("o'neil@example.org wrote", "<email> wrote"),
        ("of 'ann@example.org'.", "of '<email>'."),
        ("by ann@example.org.", "by <email>."),
        ("?to=ann%40example.org", "<email>"),
        ("at 12:30:45, 2026-11-02T09:00:00+01:00", "at 12:30:45, 2026-11-02T09:00:00+01:00"),
        ("order-0123456789 of a:b:c, v1.2.3, @ann", "order-0123456789 of a:b:c, v1.2.3, @ann"),
    ],
)
def test_identifiers_in_text_are_found_beside_any_punctuation(text: str, protected: str) -> None:
    assert replaced(text, lambda kind, _: f"<{kind}>") == protected


@pytest.mark.parametrize("part", deep_after(2, ["a", "1", "1:", "a.", "a@", "+", "'a", "1.", "::", "(0 "]))
def test_a_long_text_is_searched_in_linear_time(part: str) -> None:
    """To look again from each character would take an hour."""
    text = f"{part * (1_000_000 // len(part))} ann@example.org"
    assert replaced(text, lambda kind, _: f"<{kind}>").endswith(" <email>")


def test_undeclared_fields_are_protected_by_name_and_by_value() -> None:
    item = {
        "workEmail": "Ann@example.com",
        "contact": {"mobile": 41791234567, "fullName": "Ann Miller", "since": "2026-01-02T03:04:05Z"},
        "note": f"wrote from {IP4} as {ADDRESS}",
        "score": 7,
        "tags": ["vip", ADDRESS],
    }
    row = one(HASHED, item)
    assert row["work_email"] == digest("ann@example.com")
    assert row["contact__mobile"] == digest("41791234567")
    assert row["contact__full_name"] == digest("ann miller")
    assert row["note"] == digest(f"wrote from {IP4} as {ADDRESS}".lower())
    assert row["score"] == 7
    assert row["contact__since"] == "2026-01-02T03:04:05Z"
    assert json.loads(row["tags"]) == [digest("vip"), digest(ADDRESS)]
    assert one(Privacy(key=KEY, allow=frozenset({"work_email"})), item)["work_email"] == "Ann@example.com"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("workEmail", "email"),
        ("email_address", "email"),
        ("E-Mail", "email"),
        ("MOBILE", "phone"),
        ("homephone", "phone"),
        ("ipV4Address", "ip"),
        ("ipaddress", "ip"),
        ("IPAddress", "ip"),
        ("last_ip", "ip"),
        ("postal_address", "name"),
        ("lastName", "name"),
        ("browser__user_agent", "user_agent"),
        ("deviceId", "device"),
        ("zip_code", "plain"),
        ("description", "plain"),
        ("risk", "plain"),
    ],
)
def test_a_field_name_determines_the_kind_in_any_spelling(name: str, kind: str) -> None:
    assert kind_by_name(name) == kind


def test_without_a_privacy_key_identifiers_are_left_out_and_ip_addresses_truncated() -> None:
    row = one(
        KEYLESS, {"email": "ann@example.com", "displayName": "Ann", "emailVerified": True, "note": f"by {ADDRESS}"}
    )
    assert row == {"user_id": "u0", "email_domain": "example.com", "email_verified": True}
    action = {"actionCode": "a", "idempotencyKey": "k", "ipAddress": IP4, "userAgent": "Mozilla"}
    told = one(KEYLESS, action, USER_ACTIONS)
    assert told["ip_address"] == "203.0.113.0"
    assert "user_agent" not in told
    device = one(KEYLESS, {"deviceId": "D1"}, TABLES["user_devices"])
    assert device["device_id"] == hashlib.sha256(b"D1").hexdigest()  # part of the key: it cannot be left out


def test_without_a_privacy_key_an_e_mail_address_as_user_id_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Run dlt-authsignal init to create a key") as refused:
        KEYLESS.stored_id("ann@example.com")
    assert "ann" not in str(refused.value)


def test_an_invalid_ip_address_is_hashed_completely() -> None:
    action = {"actionCode": "a", "idempotencyKey": "k", "ipAddress": "ann's laptop"}
    assert one(HASHED, action, USER_ACTIONS)["ip_address"] == digest("ann's laptop")
    assert "ip_address" not in one(KEYLESS, action, USER_ACTIONS)


def test_single_columns_can_be_overridden() -> None:
    item = {"email": "ann@example.com", "displayName": "Ann", "username": "ann", "locale": "de-CH"}
    overrides = {"users.email": "keep", "*.display_name": "drop", "users.locale": "drop"}
    row = one(privacy_of("pseudonymize", KEY, overrides), item)
    assert row == {
        "user_id": "u0",
        "email": "ann@example.com",
        "email_domain": "example.com",
        "username": digest("ann"),
    }
    kept = one(privacy_of("keep", KEY, {"users.email": "hash"}), item)
    assert (kept["email"], kept["display_name"]) == (digest("ann@example.com"), "Ann")
    everybody = privacy_of("keep", KEY, {"*.user_id": "hash"})
    assert one(everybody, {})["user_id"] == digest("u0") == everybody.stored_id("u0")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"users.emial": "keep"}, "no table has a column users.emial"),
        ({"people.email": "keep"}, "no table has a column people.email"),
        ({"email": "keep"}, "no table has a column email"),
        ({"users.email": "truncate"}, 'must be one of keep, hash, drop, not "truncate"'),
        ({"users.custom": "hash"}, 'must be one of keep, drop, not "hash"'),
        ({"user_devices.device_id": "drop"}, 'must be one of keep, hash, not "drop"'),
        ({"users.user_id": "keep"}, r"\*\.user_id"),
        ({"*.user_id": "drop"}, 'must be one of keep, hash, not "drop"'),
        ({"users.email": 7}, 'not "7"'),
        ({"user_authenticators.otp_uri": "keep"}, "is a secret and is never loaded"),
        ({"*.recovery_codes": "keep"}, "is a secret and is never loaded"),
    ],
)
def test_an_invalid_column_override_is_refused(columns: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        privacy_of("pseudonymize", KEY, columns)


@pytest.mark.parametrize("key", ["sh0rt", "a" * 64, "0123456789abcdef", "ab" * 20])
def test_a_guessable_privacy_key_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ConfigurationError, match="too short or too simple") as refused:
        privacy_of("pseudonymize", key)
    assert key not in str(refused.value)


def test_an_invalid_mode_or_a_hash_without_a_privacy_key_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r'one of pseudonymize, keep, not "plain"'):
        privacy_of("plain", KEY)
    with pytest.raises(ConfigurationError, match="cannot be hashed without privacy_key"):
        privacy_of("keep", None, {"users.email": "hash"})
    assert privacy_of("pseudonymize", "your_privacy_key_here").leaves_out


def test_a_secret_is_never_loaded_even_if_it_is_allowed() -> None:
    item = {"otpUri": "x", "clientSecret": "y", "custom": {"plan": "z"}}
    told = one(Privacy(mode="keep", allow=frozenset({"otpUri", "otp_uri", "client_secret"})), item)
    assert set(told) == {"user_id", "custom"}


@given(st.lists(USER, min_size=1, max_size=4), st.sampled_from([HASHED, KEYLESS, KEEP]))
def test_batches_and_rows_have_the_same_privacy(items: list[dict[str, Any]], privacy: Privacy) -> None:
    for item in items:
        quick, slow = batch(privacy, [item])[0], by_row(privacy, [item])[0]
        for name in quick.keys() & slow.keys() - {"created_at"}:
            said = slow[name]
            assert quick[name] == (json.dumps(said) if isinstance(said, list | dict) else said) or _alike(
                quick[name], said
            )


def _alike(quick: Any, slow: Any) -> bool:
    """Whether one is the JSON of the other."""
    try:
        return bool(json.loads(str(quick).lower() if isinstance(slow, bool) else str(quick)) == slow)
    except ValueError:
        return False


@given(st.lists(USER, min_size=1, max_size=4), st.sampled_from([HASHED, KEYLESS]))
def test_the_batch_size_changes_no_hash(items: list[dict[str, Any]], privacy: Privacy) -> None:
    together = [row.get("email") for row in batch(privacy, items)]
    assert together == [batch(privacy, [item])[0].get("email") for item in items]


@given(st.lists(USER, min_size=1, max_size=4), st.sampled_from([HASHED, KEYLESS]))
def test_no_identifier_is_left_in_any_cell(items: list[dict[str, Any]], privacy: Privacy) -> None:
    trusted = {"locale", "default_verification_method", "enrolled_verification_methods"}  # declared to hold no person
    for row in batch(privacy, items) + by_row(privacy, items):
        said = json.dumps({name: cell for name, cell in row.items() if name not in trusted}, default=str).lower()
        assert not [canary for canary in CANARIES if canary in said]


@given(UNDECLARED)
def test_no_identifier_is_left_in_an_undeclared_field(item: dict[str, Any]) -> None:
    for table in (USER_ACTIONS, USER_AUTHENTICATORS):
        ids = {"actionCode": "a", "idempotencyKey": "k", "userAuthenticatorId": "a"}
        said = json.dumps(one(HASHED, {**item, **ids}, table), default=str).lower()
        assert not [canary for canary in CANARIES if canary in said]


@given(st.dictionaries(st.sampled_from(["email", "phoneNumber", "custom", "isEnrolled"]), VALUES, max_size=3))
def test_privacy_keep_stores_identifiers_in_plain_text(item: dict[str, Any]) -> None:
    plain = {name: value for name, value in item.items() if isinstance(value, str) and name != "isEnrolled"}
    row = one(KEEP, item)
    assert {
        name: row[column] for name, column in (("email", "email"), ("phoneNumber", "phone_number")) if name in plain
    } == {name: value for name, value in plain.items() if name in ("email", "phoneNumber")}


def test_every_column_named_like_an_identifier_is_declared_with_a_kind() -> None:
    harmless = {"phone_number_country", "email_domain", "email_verified", "phone_number_verified", "rp_name"}
    harmless |= {"email_provider", "issuer_name", "alias", "user_agent_os", "user_agent_browser"}
    for table in (*TABLES.values(), *CEREMONIES):
        for column in table.columns:
            is_named = column.name == "name" and table in CONFIGURATION  # the name of a rule, not of a person
            if (
                column.type in ("text", "json")
                and column.kind == "plain"
                and not is_named
                and column.name not in harmless
            ):
                assert kind_by_name(column.name) == "plain" or column.name.startswith("webauthn_credential__"), (
                    column.name
                )


def test_the_privacy_key_is_in_no_representation_of_the_settings() -> None:
    assert KEY not in f"{HASHED!r} {HASHED}"


@pytest.mark.parametrize("length", [1, 63, 64, 65, 200])
def test_a_keyed_hash_is_an_hmac_whatever_the_length_of_the_key(length: int) -> None:
    key = bytes(range(256))[:length]
    for message in (b"", b"ann@example.com", b"x" * 1000):
        assert KeyedHash(key)(message) == hmac.new(key, message, hashlib.sha256).hexdigest()


@given(st.uuids())
def test_a_uuid_is_hashed_as_it_is_and_never_taken_for_a_phone_number(value: UUID) -> None:
    privacy = Privacy(key=KEY)
    assert privacy.unknown(str(value)) == privacy.hashed(str(value))
