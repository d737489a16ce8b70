"""One contract for every destination: what Authsignal holds is what the tables hold, once, whatever the database."""

import json
import shlex
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dlt_authsignal import detect, send_alerts
from dlt_authsignal.destination.registry import destination_of_type
from dlt_authsignal.models import install
from dlt_authsignal.models.ocsf.views import OCSF, plain_queries
from dlt_authsignal.models.opened import opened
from dlt_authsignal.pipeline.attach import attach, make_pipeline
from dlt_authsignal.pipeline.sync.report import SyncReport
from dlt_authsignal.sandbox import Fault, RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.tenant.entities import User
from tests.alert_receivers import receiving_alerts
from tests.api_attacks import FOUND, put_attacks
from tests.attack_stories import Stories
from tests.bigquery_stand_in import bigquery_stand_in
from tests.helpers import at, command, python, sync_from
from tests.snowflake_stand_in import snowflake_stand_in
from tests.test_detections import tell_all
from tests.test_models import expected, figures, fill
from tests.tiers import deep_after
from tests.warehouses import DuckDB, Lake, Postgres, Redshift, Warehouse

TABLES = ["users", "user_authenticators", "user_actions", "user_devices"]
KEYS = {
    "users": "user_id",
    "user_authenticators": "user_authenticator_id",
    "user_actions": "user_id, action_code, idempotency_key",
    "user_devices": "user_id, device_id",
}


slow = pytest.mark.slow
REDSHIFT = pytest.param("redshift", marks=slow)
STAND_INS = [pytest.param(name, marks=pytest.mark.stand_in) for name in ("snowflake", "bigquery")]
S3 = [pytest.param("delta on S3", marks=slow), pytest.param("iceberg on S3", marks=slow)]


HERE = ["duckdb", "postgres", "delta", "iceberg"]
ELSEWHERE = [*S3, REDSHIFT, *STAND_INS]


@pytest.fixture(params=[*deep_after(1, HERE), *ELSEWHERE])
def warehouse(request: pytest.FixtureRequest, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """Each of the destinations that are really run, empty."""
    found: Warehouse
    if request.param == "duckdb":
        found = DuckDB()
    elif request.param == "postgres":
        found = Postgres(request.getfixturevalue("postgres_database"))
    elif request.param in ("snowflake", "bigquery"):
        found = request.getfixturevalue(request.param)
    elif request.param == "redshift":
        found = Redshift(request.getfixturevalue("postgres_database"))
        found.dress(monkeypatch)
    elif request.param.endswith("on S3"):
        endpoint, bucket = request.getfixturevalue("s3_bucket")
        found = Lake(request.param.split()[0], f"s3://{bucket}/lake", endpoint)
    else:
        found = Lake(request.param, str(workdir / "lake"))
    for name, value in found.env.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def snowflake() -> Iterator[Warehouse]:
    """Snowflake's stand-in."""
    with snowflake_stand_in() as found:
        yield found


@pytest.fixture
def bigquery() -> Iterator[Warehouse]:
    """BigQuery's stand-in."""
    with bigquery_stand_in() as found:
        yield found


@pytest.fixture
def few() -> Iterator[RunningSandbox]:
    """A tenant of 8 people."""
    with run_in_thread(SandboxConfig(users=8, days=45, seed=7)) as running:
        yield running


seen_by_other_processes = pytest.mark.parametrize(
    "warehouse",
    [*deep_after(1, ["duckdb", "postgres", "delta"]), pytest.param("iceberg", marks=slow), *S3],
    indirect=True,
)


one_lake_in_deep = pytest.mark.parametrize(
    "warehouse",
    [*deep_after(1, ["duckdb", "postgres", "delta"]), pytest.param("iceberg", marks=slow), *ELSEWHERE],
    indirect=True,
)
"""For tests whose steps on Iceberg are those of `test_a_second_sync_adds_no_duplicates…`, in another order."""


def load(running: RunningSandbox, into: Warehouse, **arguments: Any) -> SyncReport:
    return sync_from(running, **{"destination": into.destination, "tables": TABLES, "full": True, **arguments})


def counts(report: SyncReport) -> dict[str, tuple[int, int, int]]:
    return {name: (table.new, table.changed, table.total) for name, table in report.tables.items()}


def each_once(warehouse: Warehouse) -> dict[str, int]:
    """Rows per table, after a look that no key is there twice."""
    found = {}
    for name in TABLES:
        ((rows, keys),) = warehouse.rows(
            f"select (select count(*) from {name}), (select count(*) from (select distinct {KEYS[name]} from {name}) k)"
        )
        assert rows == keys, name
        found[name] = rows
    return found


VERSIONS = "select count(*), count(valid_to) from users_history"


@pytest.mark.parametrize("warehouse", ["delta", pytest.param("iceberg", marks=slow)], indirect=True)
def test_users_in_a_lake_are_corrected_and_not_duplicated(few: RunningSandbox, warehouse: Warehouse) -> None:
    load(few, warehouse, tables=["users"])
    user = next(iter(few.sandbox.store.users()))
    few.sandbox.store.put_user(User(user_id=user.user_id, created_at=user.created_at, email="new@example.com"))
    assert counts(load(few, warehouse, tables=["users"]))["users"] == (0, 1, 8)
    assert warehouse.rows("select count(*), count(distinct user_id) from users") == [(8, 8)]
    assert warehouse.rows("select email from users where email = 'new@example.com'") == [("new@example.com",)]


@pytest.mark.parametrize("warehouse", [*deep_after(2, HERE), *ELSEWHERE], indirect=True)
def test_a_second_sync_adds_no_duplicates_and_a_third_corrects_changes_and_marks_deletes(
    few: RunningSandbox, warehouse: Warehouse
) -> None:
    first = load(few, warehouse)
    held = each_once(warehouse)
    assert {name: report.total for name, report in first.tables.items()} == held
    assert {name: report.new for name, report in first.tables.items()} == held
    second = load(few, warehouse)
    assert counts(second) == {name: (0, 0, total) for name, total in held.items()}

    store = few.sandbox.store
    user = next(iter(store.users()))
    store.put_user(User(user_id=user.user_id, created_at=user.created_at, email="new@example.com"))
    store.put_user(User(user_id="newcomer", created_at=user.created_at))
    store.remove_user(list(store.users())[1].user_id, actions=True)
    third = load(few, warehouse)
    assert counts(third)["users"] == (1, 1, held["users"])
    assert third.tables["users"].deleted == 1
    assert each_once(warehouse)["users"] == held["users"] + 1
    assert warehouse.rows(VERSIONS) == [(held["users"] + 2, 2)]
    assert warehouse.rows("select count(*) from users where deleted_at is not null") == [(1,)]
    assert warehouse.rows("select count(*) from users where email = 'new@example.com'") == [(1,)]
    destination = destination_of_type(attach(destination=warehouse.destination).destination.destination_type)
    with attach(destination=warehouse.destination).destination_client() as client:
        assert client.capabilities.supports_transactions or not destination.transactions


@pytest.mark.parametrize("warehouse", STAND_INS, indirect=True)
def test_rules_find_the_attacks_that_the_api_returned(empty: RunningSandbox, warehouse: Warehouse) -> None:
    put_attacks(empty)
    load(empty, warehouse, tables=TABLES[:3])
    for _ in range(2):
        report = detect(make_pipeline(destination=warehouse.destination))
    assert {(row.rule, row.subject) for row in report.detections} == FOUND
    assert report.new == frozenset()
    assert warehouse.rows("select count(*), count(distinct detection_id) from detections") == [(len(FOUND), len(FOUND))]


@pytest.mark.parametrize("warehouse", STAND_INS[:1], indirect=True)  # BigQuery's refuses the empty files of a load
def test_each_rule_finds_its_attack_once(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    stories = Stories()
    tell_all(stories)
    stories.load(destination=warehouse.destination)
    for _ in range(2):
        report = detect(make_pipeline(destination=warehouse.destination))
    assert (report.new, report.needs) == (frozenset(), {})
    counts = Counter(row.rule for row in report.detections)
    assert counts == {
        "mfa_fatigue": 2,
        "shared_phone": 1,
        "otp_pumping": 1,
        "brute_force": 2,
        "factor_after_recovery": 1,
        "impossible_travel": 2,
    }
    assert warehouse.rows("select count(*), count(distinct detection_id) from detections") == [(9, 9)]
    with receiving_alerts() as receiver:
        monkeypatch.setenv("ALERTS__SLACK_URL", receiver.url)
        sent = [send_alerts(make_pipeline(destination=warehouse.destination)).sent for _ in range(2)]
    assert [len(sent[0]), len(sent[1]), len(receiver.received)] == [9, 0, 9]
    with opened(attach(destination=warehouse.destination)) as (ask, stored, _):
        events = ask(f"select event from ({plain_queries(stored)[OCSF]}) as every_event")
    found = [json.loads(event) for (event,) in events]
    assert len(found) > 100
    assert {event["class_uid"] for event in found} == {3002}
    assert all(event["time"] > 1_790_000_000_000 and event["user"]["uid"] for event in found)
    views = install(attach(destination=warehouse.destination)).views
    assert {"kpi_drop_off_rate", "kpi_seconds_to_authenticate", "event_reconciliation"} <= {*views}
    for view in views:
        warehouse.rows(f"select * from {view} limit 1")


ODD = {
    "select": "a reserved word",
    "Order By": "two of them",
    "is 2fa?": True,
    'it"s': "a quote",
    "größe😀": "beyond ASCII",
    "x" * 90: "longer than PostgreSQL's names",
}
TEXTS = [
    "NUL \x00 inside",
    "half \ud800 a pair",
    "😀 é 漢字",
    'a "quoted", text',
    "two\nlines\r\n\\.\nthree",
    "\\N",
    "'",
]


def devices(*rows: Mapping[str, Any]) -> Fault:
    return Fault(route="GET /users/{userId}/devices", kind="body", body=json.dumps(list(rows)))


@pytest.mark.deep
@one_lake_in_deep
def test_a_sync_on_a_new_disk_reads_only_due_users_and_adds_no_duplicates(
    few: RunningSandbox, warehouse: Warehouse, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = load(few, warehouse, full=False).users_read
    few.sandbox.store.put_user(User(user_id="newcomer", created_at=few.sandbox.clock.now()))
    monkeypatch.setenv("DLT_DATA_DIR", str(workdir / "another-disk"))
    assert [load(few, warehouse, full=False).users_read for _ in range(2)] == [1, 0]
    monkeypatch.setenv("DLT_DATA_DIR", str(workdir / "a-third-disk"))
    report = load(few, warehouse)
    assert all(table.new == table.changed == 0 for table in report.tables.values())
    assert each_once(warehouse)["users"] == everybody + 1


@pytest.mark.deep
def test_new_fields_changed_types_and_odd_values_lose_no_value(empty: RunningSandbox, warehouse: Warehouse) -> None:
    empty.sandbox.store.put_user(User(user_id="u'1/ü\"", created_at=empty.sandbox.clock.now(), email="a@x"))
    wanted: dict[str, Any] = {"tables": ["users", "user_devices"]}
    empty.sandbox.faults.add(devices({"deviceId": "d1", "risk": 1}))
    load(empty, warehouse, **wanted)
    odd = [{"deviceId": f"t{place}", "name": text, "tags": [text, {text: 1}]} for place, text in enumerate(TEXTS)]
    drift = [{"deviceId": "d2", "risk": 1.5, "createdAt": "soon"}, {"deviceId": "d3", "risk": "high", "big": 2**70}]
    empty.sandbox.faults.add(devices(*drift, *odd, {"deviceId": "d4", **ODD}))
    report = load(empty, warehouse, **wanted, full=True)
    assert counts(report)["user_devices"] == (10, 0, 10)  # and one is gone

    columns = "device_id, risk, risk__v_double, risk__v_text, created_at__v_text, big"
    assert warehouse.rows(f"select {columns} from user_devices where device_id like 'd%' order by 1")[:3] == [
        ("d1", 1, None, None, None, None),
        ("d2", None, 1.5, None, "soon", None),
        ("d3", None, None, "high", None, str(2**70)),
    ]
    stored = [text.replace("\x00", "\\u0000").replace("\ud800", "\\ud800") for text in TEXTS]
    named = dict(warehouse.rows("select device_id, name from user_devices where device_id like 't%'"))
    assert [named[f"t{place}"] for place in range(len(TEXTS))] == stored
    tags = dict(warehouse.rows("select device_id, cast(tags as varchar) from user_devices where device_id like 't%'"))
    assert [json.loads(tags[f"t{place}"]) for place in range(len(TEXTS))] == [[text, {text: 1}] for text in stored]
    assert set(ODD.values()) <= {
        value
        for row in warehouse.rows("select * from user_devices where device_id = 'd4'")
        for value in row
        if isinstance(value, str | bool)
    }
    assert counts(load(empty, warehouse, tables=["users"]))["users"] == (0, 0, 1)


@one_lake_in_deep
def test_a_field_that_appears_late_in_a_load_is_kept(
    empty: RunningSandbox, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_WRITER__BUFFER_MAX_ITEMS", "1")  # a new file for each new column, as large loads have them
    for place in range(6):
        empty.sandbox.store.put_user(User(user_id=f"u{place}", created_at=empty.sandbox.clock.now(), email="a@x"))
        late = {"late": "kept"} if place in (2, 4) else {}
        empty.sandbox.faults.add(devices({"deviceId": f"d{place}", **late}))
    load(empty, warehouse, tables=["user_devices"], concurrency=1)
    assert warehouse.rows("select count(*), count(late) from user_devices") == [(6, 2)]


@pytest.mark.deep
@one_lake_in_deep
def test_a_key_twice_in_one_load_is_one_row(
    empty: RunningSandbox, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps([{"userAuthenticatorId": "moved", "verificationMethod": "SMS"}])
    for user_id in ("from", "to"):
        empty.sandbox.store.put_user(User(user_id=user_id, created_at=empty.sandbox.clock.now(), email="a@x"))
    for _ in range(2):
        empty.sandbox.faults.add(Fault(route="GET /users/{userId}/authenticators", kind="body", body=body, times=2))
        load(empty, warehouse, tables=["user_authenticators"])
        assert warehouse.rows("select user_authenticator_id from user_authenticators") == [("moved",)]


KILLED_AT = """
import os, sys
from dlt.common.storages.load_package import PackageStorage
from dlt.load.load import Load
from dlt_authsignal import sync
from dlt_authsignal.pipeline.attach import make_pipeline

done = 0
real = PackageStorage.complete_job

def complete(self, load_id, file_name):
    global done
    done += 1
    if done == int(sys.argv[2]):
        os._exit(9)   # the file is loaded, and nobody has written down that it is
    return real(self, load_id, file_name)

PackageStorage.complete_job = complete
sync(make_pipeline(destination=sys.argv[1]), tables=sys.argv[3].split(","))
"""


@pytest.mark.deep
@seen_by_other_processes
@pytest.mark.parametrize("jobs", [pytest.param(2, marks=slow), 6], ids=["early", "late"])
def test_a_sync_killed_while_loading_is_completed_by_the_next(
    few: RunningSandbox, warehouse: Warehouse, jobs: int
) -> None:
    arguments = [warehouse.destination, str(jobs), ",".join(TABLES)]
    done = python("-c", KILLED_AT, *arguments, env={**at(few), "LOAD__WORKERS": "1"})
    assert done.returncode == 9, done.stderr
    assert load(few, warehouse).finished_pending
    assert each_once(warehouse)["users"] == 8


@one_lake_in_deep
def test_every_kpi_has_the_expected_value(empty: RunningSandbox, warehouse: Warehouse) -> None:
    if isinstance(warehouse, Redshift):
        pytest.skip("PostgreSQL has no DATEDIFF: Redshift's views are compiled only")
    fill(empty)
    load(empty, warehouse, tables=TABLES[:3])
    pipeline = attach(destination=warehouse.destination)
    for _ in range(2):
        install(pipeline)
    found = figures(pipeline)
    is_exact = warehouse.destination != "bigquery"  # its percentiles are approximate
    known = {key: figure for key, figure in expected().items() if is_exact or key[0] != "seconds_to_authenticate"}
    assert {key: found.get(key) for key in known} == known


@pytest.mark.deep
@seen_by_other_processes
def test_the_next_step_printed_by_sync_works(few: RunningSandbox, warehouse: Warehouse) -> None:
    done = command("sync", "--destination", warehouse.destination, env=at(few))
    assert done.returncode == 0, done.stderr
    assert ":***@" in done.stdout or "@" not in done.stdout
    shown = subprocess.run(
        shlex.split(done.stdout.strip().splitlines()[-1]), capture_output=True, text=True, timeout=200, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert "user_id" in shown.stdout
