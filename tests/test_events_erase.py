"""An erased user is in no file of the spool and in no table of events, and stays out."""

import json
from pathlib import Path
from typing import Any

import pytest

from dlt_authsignal.api.webhooks import batch
from dlt_authsignal.pipeline.erase.run import erase, lift
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.spool import open_spool, raw_file_name
from dlt_authsignal.spool.encryption import Sealer
from tests.canaries import search
from tests.event_spools import at, deliver, event, load
from tests.helpers import rows
from tests.test_erase import bytes_left, warehouse
from tests.warehouses import Warehouse

__all__ = ["warehouse"]

KEY = "5b1f9c0e7a3d42868d7f1e0b6c9a42f3d8e7b6a5c4f3021e9d8c7b6a5f4e3d2c"
PERSON, OTHER = "canary-of-one-user", "another-user"
CANARIES = {"id": PERSON, "address": "canary@example.com"}
SEAL = "c2VjcmV0LWtleS1vZi0zMi1ieXRlcy1mb3ItdGVzdHM="


def events() -> list[dict[str, Any]]:
    """Events of every type of two users; one of an unknown type names the person deep inside."""
    mine = [event(number, userId=PERSON, email=CANARIES["address"]) for number in range(5)]
    others = [event(number, userId=OTHER) for number in range(5, 15)]
    return [*mine, *others, event(19, userId=None, deep={"of": [PERSON]})]


@pytest.fixture
def project(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__PRIVACY", "keep")
    return workdir


def raw(keys: list[str]) -> None:
    body = json.dumps(batch(events())).encode()
    content = Sealer(keys).sealed(body, signature="t=1,v2=x", received_at=at(0))
    open_spool("spool").put(raw_file_name("default", at(0), "0" * 64), content)


def test_no_byte_of_an_erased_user_is_left(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(events(), at(0))
    deliver(events()[:5], at(1))
    raw([SEAL])
    load()
    report = erase(PERSON)
    assert report.rows["action_log"] == 2
    assert report.rows["unknown_events"] == 2
    assert report.places["files of the spool"] == 8
    assert any("encrypted deliveries" in place for place in report.not_searched)
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_EVENTS__SPOOL_ENCRYPTION", SEAL)
    report = erase(PERSON)
    assert (report.places["files of the spool"], report.not_searched) == (1, ())
    (file,) = open_spool("spool").raw_files("default")
    head, body = Sealer([SEAL]).opened(open_spool("spool").read(file.name))
    assert head["X-Signature-V2"] == "t=1,v2=x"
    assert len(json.loads(body)["records"]) == 10
    assert search(project, CANARIES) == []
    assert rows("select distinct user_id from action_log") == [(OTHER,)]


@pytest.mark.deep
def test_no_byte_of_an_erased_user_is_left_in_any_destination(project: Path, warehouse: Warehouse) -> None:
    deliver(events(), at(0))
    deliver(events()[:5], at(1))
    load(destination=warehouse.destination)
    assert bytes_left(warehouse, project, CANARIES).keys() == CANARIES.keys()
    report = erase(PERSON, destination=warehouse.destination)
    assert (report.rows["action_log"], report.rows["unknown_events"]) == (2, 2)
    assert bytes_left(warehouse, project, CANARIES) == {}
    assert warehouse.rows("select distinct user_id from action_log") == [(OTHER,)]


@pytest.mark.parametrize("user_id", [PERSON, pytest.param("canary@example.com", marks=pytest.mark.deep)])
def test_events_of_an_erased_user_stay_out(project: Path, monkeypatch: pytest.MonkeyPatch, user_id: str) -> None:
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__PRIVACY", "pseudonymize")
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__PRIVACY_KEY", KEY)
    mine = [event(0, userId=user_id), event(1, userId=OTHER)]
    deliver(mine, at(0), privacy=Privacy(key=KEY))
    load()
    erase(user_id)
    deliver(mine, at(1), privacy=Privacy(key=KEY))
    report = load()
    assert (report.erased, report.tables["action_log"]) == (1, 1)
    assert lift(user_id)
    deliver(mine, at(2), privacy=Privacy(key=KEY))
    assert load().tables["action_log"] == 2
