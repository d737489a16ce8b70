"""PostgreSQL alone: one sync at a time for all machines, the least grants, empty text through CSV."""

import time
from contextlib import closing
from pathlib import Path

import dlt
import psycopg2
import pyarrow as pa
import pytest
from sqlglot import parse_one

from dlt_authsignal.errors import ConfigurationError, PipelineBusy, RunFailed
from dlt_authsignal.models.dialects import portable
from dlt_authsignal.sandbox import Fault, RunningSandbox
from dlt_authsignal.sandbox.tenant.entities import User
from tests.helpers import at, command, python, sync_from
from tests.test_drift import begin_with_rows
from tests.warehouses import Postgres

CREDENTIALS = "DESTINATION__POSTGRES__CREDENTIALS"


@pytest.fixture
def postgres(postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> Postgres:
    monkeypatch.setenv(CREDENTIALS, postgres_database)
    return Postgres(postgres_database)


def as_owner(postgres: Postgres, *statements: str) -> None:
    with closing(psycopg2.connect(postgres.url)) as connection:
        connection.autocommit = True
        for statement in statements:
            connection.cursor().execute(statement)


def test_a_concurrent_sync_into_the_same_dataset_is_refused_on_any_machine(
    empty: RunningSandbox, postgres: Postgres, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_from(empty, destination="postgres")
    with closing(psycopg2.connect(postgres.url)) as other_machine:
        other_machine.cursor().execute(
            "select pg_advisory_xact_lock(hashtext('dlt_authsignal.authsignal_data'))"  # what a sync there holds
        )
        monkeypatch.setenv("DLT_DATA_DIR", str(workdir / "another-disk"))
        with pytest.raises(PipelineBusy, match="this machine or another"):
            sync_from(empty, destination="postgres")
        sync_from(empty, destination="postgres", dataset="of_its_own")
    assert sync_from(empty, destination="postgres").tables["users"].total == 0


def is_released(postgres: Postgres) -> bool:
    """Looks, and lets the server have a moment: it notices a little later that a connection was closed."""
    held = postgres.rows("select count(*) from pg_locks where locktype = 'advisory'") != [(0,)]
    if held:
        time.sleep(0.1)
    return not held


def test_a_running_sync_holds_the_lock_of_the_dataset(empty: RunningSandbox, postgres: Postgres) -> None:
    empty.sandbox.store.put_user(User(user_id="u1", created_at=empty.sandbox.clock.now(), email="a@x"))
    seen: list[int] = []

    class Watching:
        """Counts advisory locks at every change of stage."""

        def __setattr__(self, name: str, value: object) -> None:
            if name == "stage" and value == "loading":
                seen.append(postgres.rows("select count(*) from pg_locks where locktype = 'advisory'")[0][0])
            super().__setattr__(name, value)

    from dlt_authsignal.pipeline.sync.stages import StageCollector
    from dlt_authsignal.source.metrics.run_metrics import RunMetrics

    metrics = type("WatchingMetrics", (Watching, RunMetrics), {})()
    sync_from(empty, destination="postgres", progress=StageCollector(metrics), metrics=metrics)
    assert seen
    assert set(seen) == {1}
    assert any(is_released(postgres) for _ in range(50))


def test_the_loader_needs_only_the_right_to_create_schemas(
    empty: RunningSandbox, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = postgres.url.rsplit("/", maxsplit=1)[1]
    role = f"limited_{database}"
    as_owner(postgres, f"create role {role} login", f"revoke all on schema public from {role}")
    monkeypatch.setenv(CREDENTIALS, postgres.url.replace("loader:loader", f"{role}:x"))
    with pytest.raises(RunFailed, match=r"(?s)permission denied.*docs/destinations.md"):
        sync_from(empty, destination="postgres")
    as_owner(postgres, f"grant create on database {database} to {role}")
    for _ in range(2):
        assert sync_from(empty, destination="postgres").tables["users"].total == 0


def test_empty_text_is_loaded_as_empty_text_and_is_not_a_change_in_the_next_sync(
    empty: RunningSandbox, postgres: Postgres
) -> None:
    empty.sandbox.store.put_user(User(user_id="u1", created_at=empty.sandbox.clock.now(), email="a@x"))
    body = '[{"deviceId":"d1","name":"","createdAt":"","fresh":{}},{"deviceId":"d2","name":null}]'
    for expected in ((2, 0), (0, 0)):
        empty.sandbox.faults.add(Fault(route="GET /users/{userId}/devices", kind="body", body=body))
        report = sync_from(empty, destination="postgres", tables=["user_devices"]).tables["user_devices"]
        assert (report.new, report.changed) == expected
        found = "select device_id, name, created_at, created_at__v_text, fresh from user_devices order by 1"
        assert postgres.rows(found) == [("d1", "", None, "", {}), ("d2", None, None, None, None)]


@pytest.mark.deep
def test_a_table_that_was_started_with_rows_keeps_empty_text_too(empty: RunningSandbox, postgres: Postgres) -> None:
    empty.sandbox.store.put_user(User(user_id="u1", created_at=empty.sandbox.clock.now(), email="a@x"))
    begin_with_rows("postgres")
    body = '[{"deviceId":"d1","name":"","fresh":{}},{"deviceId":"d2","name":null,"more":"\\\\N"}]'
    for _ in range(2):
        empty.sandbox.faults.add(Fault(route="GET /users/{userId}/devices", kind="body", body=body))
        sync_from(empty, destination="postgres", tables=["user_devices"], full=True)
        found = "select device_id, name, fresh, more from user_devices where user_id = 'u1' order by 1"
        assert postgres.rows(found) == [("d1", "", {}, None), ("d2", None, None, "\\N")]


def test_another_pipeline_in_the_same_process_loads_empty_text_as_dlt_does(
    empty: RunningSandbox, postgres: Postgres
) -> None:
    sync_from(empty, destination="postgres")
    another = dlt.pipeline("another_team", destination="postgres", dataset_name="another_team")
    rows = pa.table({"id": [1, 2], "said": ["", None]})
    another.run(dlt.resource([rows], name="notes", file_format="csv"))
    assert postgres.rows("select id, said from another_team.notes order by 1") == [(1, None), (2, None)]


def test_json_is_loaded_as_jsonb(empty: RunningSandbox, postgres: Postgres) -> None:
    empty.sandbox.store.put_user(
        User(user_id="u1", created_at=empty.sandbox.clock.now(), email="a@x", custom={"tier": {"name": "gold"}})
    )
    sync_from(empty, destination="postgres")
    assert postgres.rows("select custom -> 'tier' ->> 'name' from users") == [("gold",)]


def test_missing_credentials_are_reported_with_the_lines_to_add(empty: RunningSandbox) -> None:
    done = command("sync", "--destination", "postgres", env=at(empty))
    assert done.returncode == 2
    for expected in ("password", ".dlt/secrets.toml", "[destination.postgres.credentials]"):
        assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unreachable_server_is_reported_without_the_password(
    empty: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CREDENTIALS, "postgresql://loader:hunter2@127.0.0.1:1/warehouse")
    with pytest.raises(RunFailed, match=r"port 1 failed: Connection refused.*destination.postgres") as raised:
        sync_from(empty, destination="postgres")
    assert "hunter2" not in str(raised.value)


def test_a_wrong_password_is_a_configuration_error(
    empty: RunningSandbox, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((rules,),) = postgres.rows("show hba_file")
    host, port = postgres.url.split("@")[1].split("/")[0].split(":")
    trusting = Path(rules).read_text("utf-8")
    role = f"guarded_{port}_{postgres.url[-6:]}"
    as_owner(postgres, f"create role {role} login password 'right'")
    try:
        Path(rules).write_text(f"host all {role} {host}/32 scram-sha-256\n{trusting}", "utf-8")
        as_owner(postgres, "select pg_reload_conf()")
        monkeypatch.setenv(CREDENTIALS, postgres.url.replace("loader:loader", f"{role}:hunter2"))
        with pytest.raises(ConfigurationError, match="authentication failed") as raised:
            sync_from(empty, destination="postgres")
        assert "hunter2" not in str(raised.value)
    finally:
        Path(rules).write_text(trusting, "utf-8")
        as_owner(postgres, "select pg_reload_conf()")


def test_no_table_has_a_constraint_that_prevents_loading_a_file_again(
    seeded: RunningSandbox, postgres: Postgres
) -> None:
    """As a run does whose predecessor was killed before it had noted that the file is there."""
    sync_from(seeded, destination="postgres", tables=["users", "user_actions", "action_details"])
    ours = "connamespace::regnamespace::text like 'authsignal_data%'"
    assert (
        postgres.rows(f"select conrelid::regclass::text from pg_constraint where {ours} and contype in ('u', 'p')")
        == []
    )


def test_a_day_with_a_clock_change_does_not_change_durations(postgres_database: str) -> None:
    query = parse_one(
        "select date_diff('millisecond', cast('2026-10-25 00:30:00+02' as timestamptz),"
        " cast('2026-10-25 03:30:00+01' as timestamptz))",
        dialect="duckdb",
    )
    with closing(psycopg2.connect(postgres_database)) as connection, connection.cursor() as cursor:
        cursor.execute("set timezone = 'Europe/Berlin'")
        cursor.execute(portable(query, "postgres").sql(dialect="postgres"))
        assert cursor.fetchone() == (4 * 3_600_000,)


def test_a_first_sync_prints_no_warning_of_dlt(empty: RunningSandbox, postgres: Postgres) -> None:
    code = (
        "from dlt_authsignal import sync; import dlt; sync(dlt.pipeline('p', destination='postgres', dataset_name='d'))"
    )
    done = python("-c", code, env=at(empty))
    assert (done.returncode, done.stderr) == (0, "")
