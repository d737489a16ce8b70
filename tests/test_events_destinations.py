"""Events end in the same rows in every destination, whatever the order of their files."""

from pathlib import Path
from typing import Any

import pytest

from dlt_authsignal.pipeline.attach import make_pipeline
from dlt_authsignal.pipeline.events.replay import replay_events
from tests.event_spools import at, deliver, event, expected, load
from tests.tiers import deep_except
from tests.warehouses import DuckDB, Lake, Postgres, Warehouse

STATES = {"action_log": "state", "challenge_log": "note", "authenticator_events": "note"}


@pytest.fixture(params=deep_except(["postgres"], ["duckdb", "postgres", "delta", "iceberg"]))
def warehouse(request: pytest.FixtureRequest, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    found: Warehouse
    if request.param == "duckdb":
        found = DuckDB()
    elif request.param == "postgres":
        found = Postgres(request.getfixturevalue("postgres_database"))
    else:
        found = Lake(request.param, str(workdir / "lake"))
    for name, value in found.env.items():
        monkeypatch.setenv(name, value)
    return found


def test_the_wide_table_of_events_merges(warehouse: Warehouse) -> None:
    first = [event(number, risk=number, device={"a": 1}) for number in range(20)]
    newer = [event(number, "BLOCK", extra="x", data=[1]) for number in range(5, 15)]
    older = [event(number, "CHALLENGE_REQUIRED", risk="high") for number in range(25)]
    into: dict[str, Any] = {"destination": warehouse.destination}
    truth = expected([(first + first, at(1)), (newer, at(3)), (older, at(0))])
    deliver(first + first, at(1))
    load(**into)
    deliver(newer, at(3))
    load(**into)
    deliver(older, at(0))
    load(**into, rows_per_run=10)
    check(warehouse, {event_id: state for event_id, (state, _) in truth.items()})
    replay_events(make_pipeline(**into), at(-1), spool="spool", rows_per_run=20)
    check(warehouse, {event_id: state for event_id, (state, _) in truth.items()})


def check(warehouse: Warehouse, truth: dict[str, str]) -> None:
    found = [row for name, state in STATES.items() for row in warehouse.rows(f"select event_id, {state} from {name}")]
    unknown = [event_id for (event_id,) in warehouse.rows("select event_id from unknown_events")]
    assert len(found) + len(unknown) == len(truth)
    assert dict(found) | {event_id: truth[event_id] for event_id in unknown} == truth
    (risks,) = warehouse.rows("select count(risk), count(risk__v_text) from action_log where event_id <> 'event-0'")
    assert risks == (3, 2), "numbers and texts of one field are in two columns"
