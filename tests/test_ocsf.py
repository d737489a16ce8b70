"""The view of attempts in the form of OCSF: every event is valid by the published schema."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from dlt_authsignal.models import install
from dlt_authsignal.models.ocsf.views import VERSION, VIEW
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.sandbox import RunningSandbox
from tests.attack_stories import START, Stories, after
from tests.helpers import sync_from
from tests.test_detections import warehouse
from tests.tiers import deep_after

METHODS = {
    "SMS": 1,
    "PUSH": 5,
    "AUTHENTICATOR_APP": 7,
    "EMAIL_OTP": 8,
    "EMAIL_MAGIC_LINK": 8,
    "SECURITY_KEY": 9,
    "PASSKEY": 10,
    "WHATSAPP": 99,
    "RECOVERY_CODE": 99,
}


def tell(stories: Stories) -> None:
    for place, method in enumerate(METHODS):
        ip = ("203.0.113.7", "2001:db8::7", None)[place % 3]
        stories.attempt(f"by-{method}", after(place), "CHALLENGE_SUCCEEDED", method=method, ip=ip, country="DE")
    for state in ("ALLOW", "BLOCK", "CHALLENGE_FAILED", "CHALLENGE_REQUIRED", "A_LATER_STATE"):
        stories.attempt(f'odd "{state}" \\ user\n', after(1), state, action="payment")


@pytest.mark.parametrize("kind", deep_after(1, ["duckdb", "postgres"]))
def test_every_attempt_is_a_valid_event_of_ocsf(
    kind: str, seeded: RunningSandbox, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = warehouse(kind, request, monkeypatch)
    into: dict[str, Any] = {"destination": made.destination}
    sync_from(seeded, **into)
    stories = Stories()
    tell(stories)
    stories.load(**into)
    assert VIEW.name in install(attach(**into)).views
    shown = ", ".join(f'"{column.name}"' for column in VIEW.columns)
    found = [
        dict(zip([column.name for column in VIEW.columns], row, strict=True))
        for row in made.rows(f"select {shown} from ocsf_authentication")
    ]
    assert len(found) == made.rows("select count(*) from all_user_actions")[0][0]
    events = [json.loads(row["event"]) for row in found]
    check_schema(events)
    for row, event in zip(found, events, strict=True):
        for name, value in row.items():
            is_json = name in ("metadata", "user", "service", "src_endpoint", "auth_factors", "unmapped")
            if name != "event" and value is not None:
                assert event[name] == (json.loads(value) if is_json else value), name
    own = {event["user"]["uid"]: event for event in events}
    factors = {method: own[f"by-{method}"]["auth_factors"] for method in METHODS}
    assert {method: factor[0]["factor_type_id"] for method, factor in factors.items()} == METHODS
    assert factors["WHATSAPP"][0]["factor_type"] == "WHATSAPP"
    assert own["by-SMS"]["src_endpoint"] == {"ip": "203.0.113.7", "location": {"country": "DE"}}
    assert own["by-SMS"]["time"] == round(START.timestamp() * 1000)
    assert datetime.fromtimestamp(own["by-PUSH"]["time"] / 1000, UTC) == after(1)
    odd = {uid.split('"')[1]: event for uid, event in own.items() if uid.startswith("odd")}
    assert {state: event["status_id"] for state, event in odd.items()} == {
        "ALLOW": 1,
        "BLOCK": 2,
        "CHALLENGE_FAILED": 2,
        "CHALLENGE_REQUIRED": 99,
        "A_LATER_STATE": 99,
    }
    assert {(event["activity_id"], event["activity_name"]) for event in odd.values()} == {(99, "payment")}
    synced = {event["unmapped"].get("passkey", {}).get("is_synced") for event in events}
    assert synced >= {True, None}


def check_schema(events: list[dict[str, Any]]) -> None:
    """Check events with the JSON schema that is made of OCSF's own definitions."""
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION))
    validator = Draft202012Validator(schema.get_class_schema("authentication"))
    for event in events:
        assert [error.message for error in validator.iter_errors(event)] == []
    assert list(validator.iter_errors({**events[0], "activity_id": 12}))


@pytest.mark.deep
def test_a_hashed_address_is_an_id_and_no_address() -> None:
    stories = Stories()
    stories.attempt("someone", after(), "ALLOW", ip="6f1d5b0c9a")
    stories.load()
    install(attach())
    with attach().sql_client() as client:
        ((event,),) = (
            client.execute_sql(f"select event from {client.make_qualified_table_name('ocsf_authentication')}") or ()
        )
    assert json.loads(event)["src_endpoint"] == {"uid": "6f1d5b0c9a"}
    check_schema([json.loads(event)])
