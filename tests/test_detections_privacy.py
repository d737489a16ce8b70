"""Detections hold no more of a person than the tables do, and erasing a person erases them."""

import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from dlt_authsignal import detect
from dlt_authsignal.assistant import worker
from dlt_authsignal.assistant.database import Database
from dlt_authsignal.assistant.questions import questions
from dlt_authsignal.pipeline.alerts.table import stored_detections
from dlt_authsignal.pipeline.attach import attach, make_pipeline
from dlt_authsignal.pipeline.erase.run import erase
from dlt_authsignal.source.privacy.policy import KEEP, Privacy
from tests.alert_receivers import PATH, SECRET, receiving_alerts
from tests.attack_stories import Stories, after, spread
from tests.canaries import search, search_database
from tests.helpers import command
from tests.test_erase import ICEBERG, S3, bytes_left, warehouse
from tests.tiers import deep_after
from tests.warehouses import Warehouse

__all__ = ["warehouse"]

PERSON = "canary.person@example.com"
PERSONAL = {"user id": PERSON, "phone": "+4917612345678", "address": "203.0.113.77"}


def tell(privacy: Privacy, **into: Any) -> None:
    """Attacks on one person: pushes, travel, failures from one address; a phone that two users share."""
    stories = Stories()
    stories.pushes(PERSON, spread(30, 6))
    for minutes, country in ((0, "US"), (30, "SG")):
        stories.attempt(
            PERSON, after(minutes), "CHALLENGE_SUCCEEDED", country=country, ip=PERSONAL["address"], method="SMS"
        )
    for at in spread(60, 20):
        stories.attempt(PERSON, at, "CHALLENGE_FAILED", ip=PERSONAL["address"])
    for user in (PERSON, "somebody-else"):
        stories.authenticator(user, after(), "SMS", phone=PERSONAL["phone"] if user == PERSON else "+4917687654321")
    for user in ("twin-1", "twin-2"):
        stories.authenticator(user, after(), "SMS", phone="+4917611111111")
        for at in spread(60, 10):
            stories.attempt(user, at, "CHALLENGE_FAILED", ip="198.51.100.9")
    stories.load(privacy=privacy, **into)


def test_by_default_no_identifier_is_in_a_table_a_message_a_log_or_what_the_command_prints(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = secrets.token_hex(32)
    for name, value in {"PRIVACY": "pseudonymize", "PRIVACY_KEY": key}.items():
        monkeypatch.setenv(f"SOURCES__AUTHSIGNAL_SOURCE__{name}", value)
    tell(Privacy(key=key))
    wanted = PERSONAL | {"privacy key": key, "address of the receiver": PATH, "its key": SECRET}
    with receiving_alerts() as receiver:
        env = receiver.environment() | {"RUNTIME__LOG_LEVEL": "DEBUG"}
        receiver.answers = [500, 200]
        printed = [command("alerts", *more, env=env) for more in (("--dry-run",), (), ("--json",))]
        assert [done.returncode for done in printed] == [0, 0, 0], printed
        (workdir / "printed.txt").write_text("".join(done.stdout + done.stderr for done in printed))
        (workdir / "received.txt").write_text(json.dumps(receiver.bodies))
    rules = {row.rule for row in stored_detections(attach()).values()}
    assert rules == {"mfa_fatigue", "impossible_travel", "brute_force", "shared_phone"}
    assert len(set(receiver.ids)) == len(stored_detections(attach()))
    assert search(workdir, wanted) == []
    assert search_database(workdir / "authsignal_pipeline.duckdb", wanted) == []


@pytest.mark.parametrize("warehouse", [*deep_after(1, ["duckdb", "postgres", "delta"]), ICEBERG, *S3], indirect=True)
def test_erasing_a_person_erases_their_detections(
    warehouse: Warehouse, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__PRIVACY", "keep")
    into: dict[str, Any] = {"destination": warehouse.destination}
    tell(KEEP, **into)
    detect(make_pipeline(**into))
    subjects = {row.subject for row in stored_detections(attach(**into)).values()}
    assert subjects == {PERSON, PERSONAL["address"], "+4917611111111", "198.51.100.9", "twin-1", "twin-2"}
    assert erase(PERSON, **into).rows["detections"] == 4
    left = stored_detections(attach(**into)).values()
    assert {row.subject for row in left} == {"+4917611111111", "198.51.100.9", "twin-1", "twin-2"}
    assert erase("twin-1", **into).rows["detections"] == 1  # the number and the address are the other's too
    assert len(stored_detections(attach(**into))) == 3
    assert bytes_left(warehouse, workdir, PERSONAL) == {}


def test_an_assistant_sees_detections_and_no_person(workdir: Path) -> None:
    tell(KEEP)
    detect(make_pipeline())
    database = Database(path=workdir / "authsignal_pipeline.duckdb", dataset="authsignal_data", seconds=40)
    asked = [question.sql for name in ("detections", "ocsf_authentication") for question in questions(name)]
    assert len(asked) == 6
    asked += ["select * from detections", "select * from ocsf_authentication"]
    answers = [worker.answer(database.request(ask="query", sql=sql, limit=10_000)) for sql in asked]
    assert all(answer.get("rows") for answer in answers), answers
    shown = json.dumps(answers, default=str)
    assert "masked:" in shown
    assert [name for name, value in PERSONAL.items() if value in shown] == []
