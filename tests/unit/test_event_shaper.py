"""Envelopes of webhooks become typed, protected rows of the event tables."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from dlt_authsignal.api.webhooks import ACTION_LOG, CHALLENGE_LOG, SYNCHRONOUS_TYPES, envelope
from dlt_authsignal.schema.tables.events import EVENT_TABLES
from dlt_authsignal.source.events.envelopes import NotAnEnvelope, envelopes_of
from dlt_authsignal.source.events.shaper import EventShaper
from dlt_authsignal.source.privacy.policy import KEEP, Privacy

RECEIVED = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
HASHED = Privacy(key="c0ffee5eed" * 7)


def event(payload: dict[str, Any], kind: str = ACTION_LOG, event_id: str = "e1") -> dict[str, Any]:
    return envelope(kind, payload, id=event_id, time="2026-11-02T08:45:00.000Z", tenant_id="t1")


def shaped(*envelopes: Any, privacy: Privacy = KEEP) -> dict[str, list[dict[str, Any]]]:
    tables = EventShaper(privacy, tenant_id="t1")(envelopes, RECEIVED)
    return {
        name: [{key: value for key, value in row.items() if value is not None} for row in table.to_pylist()]
        for name, table in tables.items()
    }


def test_each_type_goes_to_its_table_with_typed_columns() -> None:
    found = shaped(
        event({"userId": "u", "createdAt": "2026-11-02T08:44:00Z", "allowedVerificationMethods": ["SMS"]}),
        event({"userId": "u", "type": "SMS_SENT"}, CHALLENGE_LOG, "e2"),
        event({"userId": "u", "userAuthenticatorId": "a"}, "authenticator.deleted", "e3"),
    )
    assert found["action_log"][0]["created_at"] == datetime(2026, 11, 2, 8, 44, tzinfo=UTC)
    assert found["action_log"][0]["allowed_verification_methods"] == '["SMS"]'
    assert found["action_log"][0]["tenant_id"] == "t1"
    assert found["action_log"][0]["_read_at"] == RECEIVED
    assert found["challenge_log"][0]["challenge_type"] == "SMS_SENT"
    assert found["authenticator_events"][0]["event_type"] == "authenticator.deleted"


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "session.revoked", "id": "e1", "data": {"userId": "u", "why": "LOGOUT"}},
        {"type": ACTION_LOG, "id": "e1"},
        {"type": ACTION_LOG, "record": {"userId": "u"}},
        {"type": ACTION_LOG, "id": "e1", "record": "text"},
        {"type": [1], "id": 5},
        "text",
        None,
    ],
)
def test_future_and_malformed_events_are_kept_whole(odd: Any) -> None:
    found = shaped(odd)
    assert list(found) == ["unknown_events"]
    (row,) = found["unknown_events"]
    assert row["event_id"]
    again = shaped(odd)["unknown_events"][0]
    assert {**again, "_read_at": 0} == {**row, "_read_at": 0}
    if isinstance(odd, dict) and "data" in odd:
        assert (row["user_id"], json.loads(row["payload"])) == ("u", {"why": "LOGOUT"})


def test_an_event_of_odd_form_has_the_id_of_its_user_by_which_an_erasure_finds_it() -> None:
    odd = (
        {"type": "action.log_created", "record": {"userId": "u"}},
        {"id": "e", "userId": "u"},
        {"id": "e", "data": 1},
    )
    assert [shaped(each)["unknown_events"][0].get("user_id") for each in odd] == ["u", "u", None]


def test_identifiers_in_known_and_unknown_events_are_protected() -> None:
    personal = {"email": "ann@example.com", "phoneNumber": "+41791234567", "customVariables": {"name": "Ann Smith"}}
    unknown = {"data": personal | {"name": "Ann Smith", "token": "abc"}, "type": "user.created", "id": "e2"}
    found = shaped(event({"userId": "u"} | personal | {"nickname": "ann", "colour": "ann"}), unknown, privacy=HASHED)
    said = json.dumps(found, default=str).lower()
    assert "ann" not in said.replace("channel", "")
    assert "+4179" not in said
    assert "abc" not in said
    assert found["action_log"][0]["email"] == HASHED.text("email")("ann@example.com")
    assert found["action_log"][0]["phone_number_country"] == "CH"


def test_text_of_an_unknown_field_is_stored_in_one_way_whatever_came_before() -> None:
    """Several receivers protect events, each without memory of the others."""
    fields = [{"mood": word} for word in ("PASSKEY", "CHALLENGE_FAILED", "ann", "ANN", "Ann Smith", "12")]
    events = [event({"userId": "u"} | each, event_id=str(place)) for place, each in enumerate(fields)]
    alone = [shaped(each, privacy=HASHED)["action_log"][0]["mood"] for each in events]
    together = [row["mood"] for row in shaped(*reversed(events), privacy=HASHED)["action_log"]][::-1]
    assert alone == together
    assert alone[:2] == ["PASSKEY", "CHALLENGE_FAILED"]
    assert all(len(text) == 64 for text in alone[2:5])


def test_a_value_of_another_type_is_stored_beside() -> None:
    found = shaped(event({"userId": "u", "createdAt": 5, "risk": 1}), event({"userId": "u", "risk": 1.5}, event_id="2"))
    assert found["action_log"][0]["created_at__v_bigint"] == 5
    assert [row.get("risk__v_double") for row in found["action_log"]] == [None, 1.5]


def test_unknown_parts_of_an_envelope_are_kept() -> None:
    found = shaped(event({"userId": "u"}) | {"region": "eu"})
    assert found["action_log"][0]["envelope__region"] == "eu"


@pytest.mark.parametrize("kind", sorted(SYNCHRONOUS_TYPES))
def test_events_with_codes_are_never_stored(kind: str) -> None:
    assert shaped(event({"userId": "u", "code": "123456"}, kind)) == {}


def test_a_delivery_is_one_envelope_or_a_batch() -> None:
    assert envelopes_of(b'{"records": [{"id": "1"}, {"id": "2"}]}') == [{"id": "1"}, {"id": "2"}]
    assert envelopes_of(b'{"id": "1", "type": "t", "data": {"a": "\\u0000"}}')[0]["data"] == {"a": "\\u0000"}
    for body in (b"", b"[]", b"{}", b'{"records": 1}', b"\xff"):
        with pytest.raises(NotAnEnvelope):
            envelopes_of(body)


def test_a_table_has_the_declared_columns_of_its_events() -> None:
    for name, table in EVENT_TABLES.items():
        assert table.key == ("event_id",), name
        assert table.apis == ("webhook",), name
