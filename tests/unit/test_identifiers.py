"""Identifiers in unusual notation, ids that look like hashes, weak keys, and hashes that differ by tenant."""

import secrets

import pytest

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.privacy.guard import stored_values
from dlt_authsignal.source.privacy.key_strength import is_weak
from dlt_authsignal.source.privacy.policy import Privacy, StoredId, key_of_tenant
from dlt_authsignal.source.privacy.recognition.identifiers import country_of, names_somebody, replaced, truncated
from dlt_authsignal.source.privacy.settings import privacy_from, privacy_of

KEY = "3f9c1be07a52d8644e0d97b1c65fa2380b7e41d95c8f2a6310d4e97f58ab2c61"
HASHED = Privacy(key=KEY)


@pytest.mark.parametrize(
    ("text", "protected"),
    [
        ("ann\uff20example.org", "<email>"),
        ("ann\ufe6bexample.org wrote", "<email> wrote"),
        ("to=ann%40example.org", "<email>"),
        ("to ann%2540example.org", "to <email>"),
        ("to ann%252540example.org", "to <email>"),
        ("\uff41nn@example.org", "<email>"),
        ("ann\u200b@exam\u00adple.org", "<email>"),
        ("call 41 79 765 43 21 now", "call <phone> now"),
        ("call (202) 456-1111", "call <phone>"),
        ("(079)\u00a0765\u200943\u202f21", "<phone>"),
        ("\uff10\uff17\uff19 \uff17\uff16\uff15 \uff14\uff13 \uff12\uff11", "<phone>"),
        ("\u0660\u0667\u0669\u0667\u0666\u0665\u0664\u0663\u0662\u0661", "<phone>"),
        ("0041797654321", "<phone>"),
        ("%2B41797654321", "<phone>"),
        ("2\uff10\uff13.0.113.77", "<ip>"),
        ("[::ffff:203.0.113.77]:443", "[<ip>]:443"),
        ("ann%u0040example.org", "<email>"),
        (r"to ann\x40example.org", "to <email>"),
        ("ann @ example.org called", "<email> called"),
        ("ann [AT] example.org called", "<email> called"),
        ("call 415-555-2671", "call <phone>"),
        ("call (64-21-123-9876)", "call <phone>)"),
        ("sms:user+41797654321 sent", "sms:user<phone> sent"),
        ("call +64_21_123_9876", "call <phone>"),
        ("score 0.123456789 in 143.0.7499.110", "score 0.123456789 in 143.0.7499.110"),
        ("100%25 sure, \u00e9t\u00e9", "100%25 sure, \u00e9t\u00e9"),
        ("on 2026-11-02 09:00, order 1234567", "on 2026-11-02 09:00, order 1234567"),
    ],
)
def test_identifiers_are_found_in_any_notation(text: str, protected: str) -> None:
    assert replaced(text, lambda kind, _: f"<{kind}>") == protected


def test_a_region_finds_numbers_without_a_country_code_and_hashes_them_like_others() -> None:
    swiss = privacy_of("pseudonymize", KEY, phone_region="ch")
    assert replaced("call 797654321", lambda kind, _: f"<{kind}>", "CH") == "call <phone>"
    hashes = {
        swiss.text("phone")(text) for text in ("079 765 43 21", "+41 79 765 43 21", "0041797654321", "(079)7654321")
    }
    assert hashes == {HASHED.text("phone")("+41797654321")}
    assert country_of("079 765 43 21", "CH") == "CH"
    for user_id in ("0797654321", "41797654321"):
        assert swiss.stored_id(user_id) != user_id
        assert HASHED.stored_id(user_id) == user_id  # without the region it may be any number
    with pytest.raises(ConfigurationError, match='such as NZ or GB; got "Switzerland"'):
        privacy_of("pseudonymize", KEY, phone_region="Switzerland")


@pytest.mark.parametrize(
    "user_id",
    [
        "079 765 43 21",
        "(079)7654321",
        "41\u00a079\u00a0765 43 21",
        "ann\uff20example.org",
        "ann%2540example.org",
        "0041797654321",
        "64-21-123-9876",
        "415-555-2671",
        "user+64211239876",
        "phone_+64211239876",
        "+64_21_123_9876",
        "\u0660\u0662\u0661\u0661\u0662\u0663\u0669\u0668\u0667\u0666",
        "\uff10\uff12\uff11\uff11\uff12\uff13\uff19\uff18\uff17\uff16",
        r"ann\x40example.org",
        "ann [at] example.org",
        "ann[at]example[dot]org",
        "ann&amp;#64;example.org",
        "+64\t21\t123\t9876",
        "+64·21·123·9876",
        "tel:64211239876",
        "sms:0211239876",
    ],
)
def test_a_user_id_in_unusual_notation_is_hashed(user_id: str) -> None:
    assert names_somebody(user_id)
    assert HASHED.stored_id(user_id) == HASHED.hashed(user_id)


@pytest.mark.parametrize(
    "user_id",
    [
        "user-123",
        "0123456",
        "123456789",
        "2026-11-02",
        "1.2.3",
        "1234-5678",
        "123-45-678",
        "4711/12",
        "a+b",
        "user+1",
        "550e8400-e29b-41d4-a716-446655440000",
        "01HZX5K3M2N4P6Q8R0S2T4V6W8",
        "auth0|5f7c8ec7c33c6c004bbafe82",
        "00001234",
        "org:4711:12",
        "hotel:12345678901",
    ],
)
def test_an_ordinary_user_id_stays_in_plain_text(user_id: str) -> None:
    assert HASHED.stored_id(user_id) == user_id
    assert privacy_of("pseudonymize", KEY, phone_region="NZ").stored_id(user_id) == user_id


@pytest.mark.parametrize(
    ("address", "short"),
    [
        ("::ffff:cb00:714d", "203.0.113.0"),
        ("2002:cb00:714d::1", "2002:cb00:7100::"),
        ("64:ff9b::203.0.113.77", "64:ff9b::"),
        ("::203.0.113.77", "::"),
        ("fe80::5efe:203.0.113.77", "fe80::"),
    ],
)
def test_an_ipv4_address_inside_an_ipv6_address_is_truncated(address: str, short: str) -> None:
    assert truncated(address) == short


def test_an_id_that_looks_like_a_hash_is_hashed_and_a_stored_one_is_not() -> None:
    pseudonym = HASHED.stored_id("ann@example.com")
    assert HASHED.stored_id(pseudonym) == HASHED.hashed(pseudonym) != pseudonym
    assert HASHED.stored_id(StoredId(pseudonym)) == pseudonym
    assert not HASHED.is_now_hashed(pseudonym)
    assert HASHED.is_now_hashed("ann@example.com")
    both = stored_values(HASHED, "users", "user_id", [pseudonym, StoredId(pseudonym)])
    assert both == [HASHED.hashed(pseudonym), pseudonym]
    every = privacy_of("pseudonymize", KEY, {"*.user_id": "hash"})
    assert every.stored_id(StoredId(pseudonym)) == pseudonym
    assert privacy_of("pseudonymize", KEY, {"*.user_id": "keep"}).stored_id(pseudonym) == pseudonym
    assert Privacy(mode="keep", key=KEY).stored_id(pseudonym) == pseudonym == Privacy().stored_id(pseudonym)


@pytest.mark.parametrize(
    "key",
    [
        "0123456789abcdef" * 4,
        "3f9a1c7e" * 8,
        "3f9c1be07a52d8644e0d97b1c65fa238" * 2,
        "abcdefghijklmnopqrstuvwxyz012345",
        "qwertyuiopasdfghjklzxcvbnm1234567890",
        "00112233445566778899aabbccddeeff",
        "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "abc1abc2abc3abc4abc5abc6abc7abc8",
        "my-super-secret-privacy-key-for-authsignal",
        "your-256-bit-secret-your-256-bit-secret",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "2B7E151628AED2A6ABF7158809CF4F3C",
        "3f9c3f9d3f9e3f9f3fa03fa13fa23fa33fa43fa5",
        "acme-corp-production-privacy-key-2026",
        "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw",
        "70617373776f726470617373776f726470617373776f7264",
        "31415926535897932384626433832795",
        "21232f297a57a5a743894a0e4a801fc3",
        "thequickbrownfoxjumpsoverthelazydog",
    ],
)
def test_a_privacy_key_of_a_pattern_a_sequence_words_or_an_example_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match="too short or too simple") as refused:
        privacy_of("pseudonymize", key)
    assert key not in str(refused.value)


def test_random_privacy_keys_are_accepted() -> None:
    keys = [make(size) for _ in range(500) for make, size in ((secrets.token_hex, 16), (secrets.token_urlsafe, 24))]
    assert not [key for key in keys if is_weak(key)]


def test_two_tenants_with_one_key_have_different_hashes_only_if_the_setting_says_so() -> None:
    settings = [SourceSettings(privacy_key=KEY, tenant_id=name, privacy_per_tenant=True) for name in ("t1", "t2")]
    first, second = map(privacy_from, settings)
    for kind in ("email", "phone", "name", "device", "credential", "user_agent"):
        assert len({each.text(kind)("x1") for each in (first, second, HASHED)}) == 3, kind
    assert first.text("email")("a@x") == Privacy(key=key_of_tenant(KEY, "t1")).text("email")("a@x")
    assert len({each.fingerprint for each in (first, second, HASHED)}) == 3
    assert privacy_from(SourceSettings(privacy_key=KEY, tenant_id="t1")).text("email")("x1") == HASHED.text("email")(
        "x1"
    )
    unkeyed = [privacy_of("pseudonymize", None, tenant=name).text("device")("d") for name in ("t1", "t2", None)]
    assert len(set(unkeyed)) == 3
    with pytest.raises(ConfigurationError, match="Set tenant_id"):
        privacy_from(SourceSettings(privacy_key=KEY, privacy_per_tenant=True))
