"""Answers to rows."""

from datetime import UTC, datetime
from typing import Any

import pytest
from dlt.common.normalizers.naming.snake_case import NamingConvention

from dlt_authsignal.errors import UnexpectedAnswer
from dlt_authsignal.schema.tables.server import TABLES
from dlt_authsignal.source.incremental.user_read import merged
from dlt_authsignal.source.privacy.policy import KEEP
from dlt_authsignal.source.rows.flatten import Answers
from dlt_authsignal.source.rows.row_builder import Placer, RowShaper

READ_AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def shape(table: str, answer: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return RowShaper(TABLES[table], api="server", tenant_id="t1", privacy=KEEP)(answer, {"_read_at": READ_AT, **keys})


def test_parents_keys_and_provenance_are_added() -> None:
    row = shape("user_devices", {"deviceId": "d1"}, user_id="u1")
    assert (row["user_id"], row["tenant_id"], row["_api"], row["_read_at"]) == ("u1", "t1", "server", READ_AT)


def test_nested_objects_become_flat_columns() -> None:
    answer = {
        "userAuthenticatorId": "a1",
        "webauthnCredential": {"aaguid": "x", "parsedUserAgent": {"os": {"name": "iOS"}}},
    }
    row = shape("user_authenticators", answer)
    assert row["webauthn_credential__aaguid"] == "x"
    assert row["webauthn_credential__parsed_user_agent__os__name"] == "iOS"


def test_free_form_objects_and_lists_stay_one_column() -> None:
    custom = {"myKey": {"deep": [1, {"token": "the customer's own"}]}}
    row = shape("users", {"custom": custom, "enrolledVerificationMethods": ["SMS"]}, user_id="u1")
    assert row["custom"] == custom
    assert row["enrolled_verification_methods"] == ["SMS"]


@pytest.mark.parametrize(
    "secret",
    [
        {"otpBinding": {"secret": "CANARY", "uri": "otpauth://totp/x?secret=CANARY"}},
        {"recoveryCodes": ["CANARY"]},
        {"accessToken": "CANARY"},
        {"refresh_token": "CANARY"},
        {"pushToken": "CANARY"},
        {"uri": "otpauth://totp/CANARY"},
        {"webauthnCredential": {"secret": "CANARY"}},
        {"newList": [{"token": "CANARY"}]},
        {"links": [" OTPAUTH://totp/CANARY"]},
        {"twilioCredentials": {"accountSid": "CANARY"}},
        {"webauthnCredential": {"clientSecret": "CANARY"}},
        {"sessionToken": "CANARY"},
        {"secretValue": "CANARY"},
        {"pin": "CANARY"},
        {"passcode": "CANARY"},
        {"seed": "CANARY"},
        {"link": "otpauth-migration://offline?data=CANARY"},
    ],
)
def test_secrets_never_become_columns(secret: dict[str, Any]) -> None:
    assert "CANARY" not in str(shape("user_authenticators", {"userAuthenticatorId": "a1", **secret}))


def test_icons_are_not_loaded_per_row() -> None:
    mapping = {"name": "iCloud Keychain", "svgIconLight": "data:ICON", "svgIconDark": "data:ICON"}
    row = shape("user_authenticators", {"userAuthenticatorId": "a1", "webauthnCredential": {"aaguidMapping": mapping}})
    assert row["webauthn_credential__aaguid_mapping__name"] == "iCloud Keychain"
    assert "ICON" not in str(row)


def test_unknown_fields_become_columns() -> None:
    assert shape("user_devices", {"deviceId": "d1", "brandNew": {"inner": 1}}, user_id="u1")["brand_new__inner"] == 1


def test_times_are_parsed_and_other_values_are_kept_unchanged() -> None:
    row = shape(
        "user_devices",
        {"deviceId": "d", "createdAt": "2026-01-02T03:04:05.678Z", "invalidatedAt": "later"},
        user_id="u",
    )
    assert row["created_at"] == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert row["invalidated_at"] == "later"


def placed(table: str, answer: dict[str, Any], **stored: str) -> dict[str, Any]:
    """The row that dlt takes."""
    place = Placer(TABLES[table], api="server", tenant_id="t1", privacy=KEEP, stored=stored)
    (row,) = place(Answers(items=[answer], requests=[0], read_at=[READ_AT], keys={"user_id": ["u"]}))
    return row


def test_numbers_beyond_64_bits_are_kept_as_text() -> None:
    row = placed("users", {"big": 2**63, "custom": {"n": [2**70]}, "small": -(2**63)})
    assert (row["big"], row["custom"], row["small"]) == (str(2**63), {"n": [str(2**70)]}, -(2**63))


def test_a_time_at_the_end_of_the_calendar_is_kept_as_text() -> None:
    row = placed("user_devices", {"deviceId": "d", "createdAt": "0001-01-01T00:00:00+14:00"})
    assert "created_at" not in row
    assert row["created_at__v_text"] == "0001-01-01T00:00:00+14:00"


@pytest.mark.parametrize(
    ("kind", "value", "column"),
    [
        ("bool", 5, "risk__v_bigint"),
        ("bool", "yes", "risk__v_text"),
        ("bigint", "0x10", "risk__v_text"),
        ("bigint", True, "risk__v_bool"),
        ("double", 2**60 + 1, "risk__v_bigint"),
        ("timestamp", 1767323045, "risk__v_bigint"),
        ("timestamp", "2026-01-02T03:04:05.1234567Z", "risk__v_text"),
        ("json", "5", "risk__v_text"),
        ("text", [1], "risk__v_json"),
    ],
)
def test_values_that_dlt_would_convert_are_stored_in_a_separate_column(kind: str, value: Any, column: str) -> None:
    row = placed("user_devices", {"deviceId": "d", "risk": value}, risk=kind)
    assert row[column] == value
    assert "risk" not in row


def test_a_row_with_a_key_that_is_not_text_is_refused() -> None:
    with pytest.raises(UnexpectedAnswer, match="device_id"):
        placed("user_devices", {"deviceId": [1]})


def test_the_row_hash_depends_on_the_content_and_not_on_the_read() -> None:
    def row_hash(answer: dict[str, Any], read_at: datetime = READ_AT) -> str:
        make = Placer(TABLES["user_devices"], api="server", tenant_id=None, privacy=KEEP)
        (row,) = make(Answers(items=[answer], requests=[0], read_at=[read_at], keys={"user_id": ["u"]}))
        return str(row["_row_hash"])

    first = row_hash({"deviceId": "d", "a": 1})
    assert row_hash({"a": 1, "deviceId": "d"}, datetime(2027, 1, 1, tzinfo=UTC)) == first
    assert row_hash({"deviceId": "d", "a": 2}) != first


def test_a_row_without_its_key_is_an_error_that_shows_the_key() -> None:
    with pytest.raises(UnexpectedAnswer, match="user_authenticator_id"):
        shape("user_authenticators", {"verificationMethod": "SMS"}, user_id="u1")


@pytest.mark.parametrize("name", TABLES)
def test_column_names_equal_those_that_dlt_generates(name: str) -> None:
    naming = NamingConvention()
    for column in TABLES[name].columns:
        if column.field:
            assert column.name == "__".join(naming.normalize_identifier(part) for part in column.field.split("."))


def test_objects_of_the_user_list_and_of_the_user_record_are_merged_and_the_record_wins() -> None:
    listed = {"email": "old", "profile": {"a": 1, "b": {"x": 1}}, "custom": {"gone": 1}, "text": {"was": 1}}
    page = {"email": "new", "profile": {"b": {"y": 2}, "c": 3}, "custom": {"tier": "gold"}, "text": "now"}
    assert merged(listed, page) == {
        "email": "new",
        "profile": {"a": 1, "b": {"x": 1, "y": 2}, "c": 3},
        "custom": {"tier": "gold"},
        "text": "now",
    }
