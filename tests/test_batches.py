"""Arrow tables on their way through dlt, into DuckDB."""

import json
from datetime import UTC, datetime
from typing import Any

import dlt
import pytest

from dlt_authsignal.destination.dlt_patches import LIMIT, THREADS
from dlt_authsignal.destination.load_hints import hints
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.project.names import DATASET_NAME, PIPELINE_NAME
from dlt_authsignal.sandbox import Fault, RunningSandbox
from dlt_authsignal.sandbox.tenant.entities import User
from dlt_authsignal.schema.tables.server import USER_DEVICES
from tests.helpers import rows, sync_from
from tests.loaded import synced

PER_USER = ("users", "user_authenticators", "user_actions", "user_devices", "user_reads")


@pytest.fixture
def one(empty: RunningSandbox) -> RunningSandbox:
    """A tenant of one person."""
    empty.sandbox.store.put_user(User(user_id="u1", created_at=empty.sandbox.clock.now(), email="a@x"))
    return empty


def devices(running: RunningSandbox, *answers: dict[str, Any]) -> None:
    body = json.dumps(list(answers))
    running.sandbox.faults.add(Fault(route="GET /users/{userId}/devices", kind="body", body=body))


def columns(table: str) -> dict[str, str]:
    query = f"select column_name, data_type from information_schema.columns where table_name = '{table}'"
    return dict(rows(query))


def test_every_table_has_a_load_id_and_none_has_a_row_id(seeded: RunningSandbox) -> None:
    synced(seeded)
    for name in PER_USER:
        assert rows(f"select count(*) from {name} where _dlt_load_id is null") == [(0,)]
        assert "_dlt_id" not in columns(name)


def test_lists_and_objects_are_json_in_unknown_columns_too(one: RunningSandbox) -> None:
    devices(one, {"deviceId": "d1"}, {"deviceId": "d2", "tags": [1]})
    sync_from(one)
    devices(one, {"deviceId": "d3", "tags": ["x", {"y": None}]}, {"deviceId": "d4", "tags": 7})
    sync_from(one, full=True)
    assert columns("user_devices")["tags"] == columns("users")["custom"] == "JSON"
    found = rows("select device_id, tags from user_devices where tags is not null order by 1")
    assert [(name, json.loads(tags)) for name, tags in found] == [("d2", [1]), ("d3", ["x", {"y": None}])]
    assert rows("select device_id, tags__v_bigint from user_devices where tags__v_bigint is not null") == [("d4", 7)]


@pytest.mark.deep
def test_a_table_started_with_rows_continues_with_rows(one: RunningSandbox) -> None:
    @dlt.source(name="authsignal_source", max_table_nesting=0)
    def begun() -> Any:
        own = {"_row_hash": 16 * "0", "_api": "server", "_read_at": datetime.now(UTC)}
        return dlt.resource([{"user_id": "u0", "device_id": "d0", **own}], **hints(USER_DEVICES))

    pipeline = dlt.pipeline(PIPELINE_NAME, destination="duckdb", dataset_name=DATASET_NAME)
    pipeline.run(begun())
    devices(one, {"deviceId": "d1", "risk": 1})
    assert sync_from(one).tables["user_devices"].total == 2
    assert rows("select device_id, risk, _dlt_id is null from user_devices order by 1") == [
        ("d0", None, False),
        ("d1", 1, False),
    ]


def test_duckdb_has_limits_of_memory_and_threads_unless_others_are_configured(
    one: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limit() -> Any:
        with attach().sql_client() as client:
            return client.execute_sql("SELECT current_setting('memory_limit'), current_setting('threads')")

    sync_from(one)
    assert (LIMIT, THREADS <= 4) == ("256MB", True)
    assert limit() == [("244.1 MiB", THREADS)]
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS__GLOBAL_CONFIG", '{"memory_limit": "1GB", "threads": 1}')
    assert limit() == [("953.6 MiB", 1)]
