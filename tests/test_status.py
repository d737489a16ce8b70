"""What is known of past runs, and how it reaches those who should know."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dlt_authsignal.cli.output.metrics import exposition
from dlt_authsignal.errors import RunFailed, ServerFault, Unauthorized
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.pipeline.monitor.status import Status, status
from dlt_authsignal.sandbox import Fault, RunningSandbox
from tests.helpers import COMMAND, at, command, rows, sync_from
from tests.loaded import synced
from tests.tiers import deep_after
from tests.warehouses import Postgres


def found() -> Status:
    return status(attach())


@pytest.fixture
def hook() -> Iterator[tuple[str, list[Any]]]:
    """The address of something that takes Slack's messages, and what it got."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(500 if self.path.endswith("broken") else 200)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/services/T0/hush", got
    server.shutdown()
    server.server_close()


def test_every_sync_is_recorded_including_failed_ones(seeded: RunningSandbox) -> None:
    synced(seeded)
    with pytest.raises(Unauthorized):
        sync_from(seeded, api_secret_key="wrong")
    sync_from(seeded, full=True)
    known = rows("select outcome, error, users_read from sync_runs order by started_at")
    assert known == [("done", None, 40), ("failed", "Unauthorized", 0), ("done", None, 40)]
    (message,) = rows("select error_message from sync_runs where outcome = 'failed'")[0]
    assert message.startswith("Authsignal answered 401")
    tables = json.loads(rows("select tables from sync_runs order by started_at desc limit 1")[0][0])
    assert tables["users"] == {"read": 40, "new": 0, "changed": 0, "deleted": 0, "total": 40}
    assert found().failures == 0


@pytest.mark.deep
def test_a_recorded_sync_contains_its_errors_and_row_counts(seeded: RunningSandbox) -> None:
    faults = seeded.sandbox.faults
    faults.add(Fault(route="GET /users/{userId}", kind="status", status=503, times=2))
    faults.add(Fault(route="GET /users/{userId}/devices", kind="status", status=429, headers={"Retry-After": "0"}))
    faults.add(Fault(route="GET /users/{userId}/actions", kind="cut"))
    faults.add(Fault(route="GET /users/{userId}/authenticators", kind="html"))
    report = sync_from(seeded)
    met = {"503": 2, "429": 1, "reset or truncated": 1, "unreadable response": 1}
    assert report.errors == met
    (run,) = found().runs
    assert (run["errors"], run["apis"], run["rows_changed"], run["rows_deleted"]) == (met, "server", 0, 0)
    assert run["rows_new"] == sum(table.total for table in report.tables.values())
    ((oldest,),) = rows("select min(users_read_at) from user_reads")
    assert run["oldest_read_at"] == oldest


@pytest.mark.deep
def test_a_sync_whose_destination_was_down_is_recorded_when_it_is_available_again(
    empty: RunningSandbox, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = "DESTINATION__POSTGRES__CREDENTIALS"
    monkeypatch.setenv(credentials, "postgresql://loader:loader@127.0.0.1:1/warehouse")
    with pytest.raises(RunFailed, match="Connection refused"):
        sync_from(empty, destination="postgres")
    monkeypatch.setenv(credentials, postgres_database)
    sync_from(empty, destination="postgres")
    known = Postgres(postgres_database).rows("select outcome, error from sync_runs order by started_at")
    assert known == [("failed", "RunFailed"), ("done", None)]


def test_the_last_trace_is_the_trace_of_the_sync(seeded: RunningSandbox) -> None:
    synced(seeded)
    trace = attach().last_trace
    assert trace is not None
    assert trace.last_normalize_info is not None
    assert trace.last_normalize_info.row_counts["users"] == 40


@pytest.mark.deep
def test_a_killed_or_stopped_sync_is_recorded_by_the_next_sync(seeded: RunningSandbox) -> None:
    seeded.sandbox.faults.add(Fault(route="GET /users/{userId}", kind="delay", seconds=1.0, times=None))
    for way in (signal.SIGKILL, signal.SIGTERM):
        seeded.sandbox.log.clear()
        process = subprocess.Popen([COMMAND, "sync"], env={**os.environ, **at(seeded)}, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while "GET /users" not in seeded.sandbox.log.by_route and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(way)
        process.wait(60)
    seeded.sandbox.faults.clear()
    sync_from(seeded)
    assert rows("select outcome from sync_runs order by started_at") == [("killed",), ("stopped",), ("done",)]


@pytest.mark.deep
@pytest.mark.parametrize("text", deep_after(1, ["{not json\n", "1\n{}\n", '{"run_id": "x"}\n', "\x00"]))
def test_an_invalid_journal_does_not_fail_the_run(seeded: RunningSandbox, workdir: Path, text: str) -> None:
    journal = workdir / "dlt" / "pipelines" / "authsignal_pipeline.runs.jsonl"
    journal.parent.mkdir(parents=True)
    journal.write_text(text)
    sync_from(seeded)
    assert rows("select outcome from sync_runs") == [("done",)]
    assert not journal.exists()


@pytest.mark.deep
def test_an_unwritable_journal_does_not_fail_the_sync(seeded: RunningSandbox, workdir: Path) -> None:
    (workdir / "dlt" / "pipelines" / "authsignal_pipeline.runs.part").mkdir(parents=True)
    assert sync_from(seeded).tables["users"].total == 40


@pytest.mark.deep
def test_status_reports_freshness_and_users_near_the_30_day_limit(seeded: RunningSandbox) -> None:
    sync_from(seeded)
    fresh = found()
    assert (fresh.tables["users"].rows, fresh.users.near_horizon, fresh.failures) == (40, 0, 0)
    assert fresh.age is not None
    assert fresh.age.total_seconds() < 60
    with duckdb.connect("authsignal_pipeline.duckdb") as connection:
        connection.execute(
            "update authsignal_data.user_reads set user_actions_read_at = now() - interval 26 day"
            " where user_id in (select user_id from authsignal_data.users limit 3)"
        )
    assert (found().users.near_horizon, found().users_due) == (3, 3)


def test_status_works_on_a_machine_where_the_pipeline_never_ran(
    seeded: RunningSandbox, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced(seeded)
    monkeypatch.setenv("DLT_DATA_DIR", str(workdir / "another"))
    assert found().tables["users"].rows == 40


def test_the_command_shows_the_status_and_fails_when_the_data_is_old(seeded: RunningSandbox) -> None:
    assert "dlt-authsignal sync" in command("status").stderr
    sync_from(seeded)
    done = command("status", "--max-age", "1")
    assert done.returncode == 0, done.stderr
    for expected in ("last syncs", "done", "users", "Last successful sync: 20"):
        assert expected in done.stdout
    late = command("status", "--json", "--max-age", "0.0001")
    assert late.returncode == 1
    assert "No sync has succeeded in the last 0.0001 hours; the last one ended" in late.stderr
    assert json.loads(late.stdout)["tables"]["users"]["rows"] == 40


def age_reads(days: int, users: int, *, complete_from: str = "actions_complete_from") -> None:
    """Makes some users look as if they had been read days ago, and some runs as if they had been then."""
    with duckdb.connect("authsignal_pipeline.duckdb") as connection:
        connection.execute(
            f"update authsignal_data.user_reads set user_actions_read_at = now() - interval {days} day,"
            f" actions_complete_from = {complete_from}"
            f" where user_id in (select user_id from authsignal_data.users order by 1 limit {users})"
        )
        connection.execute(f"update authsignal_data.sync_runs set started_at = now() - interval {days} day")


@pytest.mark.deep
def test_the_command_reports_lost_actions_and_those_close_to_the_horizon(seeded: RunningSandbox) -> None:
    synced(seeded)
    age_reads(27, 3)
    near = command("status", "--fail-if-stale", "30d")
    assert near.returncode == 0, near.stderr
    assert (
        "3 users last read more than 25 days ago: Authsignal returns actions for 30 days only. Sync now" in near.stdout
    )
    assert "0-1 days 37, 25-30 days 3;" in near.stdout
    age_reads(40, 2, complete_from="now()")
    past = command("status", "--fail-if-stale", "30d")
    assert past.returncode == 1
    assert "At least one user was last read" in past.stderr
    assert "2 of them more than 30" in past.stdout
    assert "are permanently lost" in past.stdout
    assert "2 users were once read too late" in past.stdout
    told = json.loads(command("status", "--json").stdout)
    assert (told["users"]["past_horizon"], told["users"]["with_hole"], len(told["gaps"])) == (2, 2, 1)


@pytest.mark.deep
def test_the_command_reports_why_the_last_syncs_failed(seeded: RunningSandbox) -> None:
    synced(seeded)
    seeded.sandbox.faults.add(Fault(route="GET /users/{userId}", kind="status", status=502, times=None))
    with pytest.raises(ServerFault):
        sync_from(seeded, full=True)
    shown = command("status").stdout
    assert "failed: ServerFault: Authsignal answered 502" in shown
    assert "Failed requests: 502 " in shown


def test_prometheus_reads_the_metrics(seeded: RunningSandbox) -> None:
    sync_from(seeded)
    families = {family.name: family for family in text_string_to_metric_families(exposition(found()))}
    assert families["authsignal_sync_users_read"].samples[0].value == 40
    assert families["authsignal_sync_failures"].samples[0].value == 0
    tables = {sample.labels["table"]: sample.value for sample in families["authsignal_table_rows"].samples}
    assert tables["users"] == 40
    age = datetime.now(UTC).timestamp() - families["authsignal_sync_last_success_timestamp_seconds"].samples[0].value
    assert 0 <= age < 60


def test_a_failure_is_posted_to_the_webhook(empty: RunningSandbox, hook: tuple[str, list[Any]]) -> None:
    url, got = hook
    done = command("sync", env={**at(empty, API_SECRET_KEY="wrong"), "RUNTIME__SLACK_INCOMING_HOOK": url})
    assert done.returncode == 2
    assert len(got) == 1
    assert got[0]["text"].startswith("dlt-authsignal sync failed on ")
    assert "401" in got[0]["text"]
    assert "wrong" not in got[0]["text"].replace("wrong or", "")


@pytest.mark.deep
def test_a_refused_slack_message_changes_nothing_and_does_not_show_the_url(
    empty: RunningSandbox, hook: tuple[str, list[Any]]
) -> None:
    settings = {**at(empty, API_SECRET_KEY="no"), "RUNTIME__SLACK_INCOMING_HOOK": f"{hook[0]}/broken"}
    done = command("sync", env=settings)
    assert done.returncode == 2
    assert "was not delivered (HTTPError)" in done.stderr
    assert "hush" not in done.stderr


@pytest.mark.parametrize("arguments", [["status"], ["status", "--json"], ["models", "install"]])
def test_a_database_file_open_in_another_program_is_reported_without_a_traceback(
    seeded: RunningSandbox, arguments: list[str]
) -> None:
    synced(seeded)
    holding = (
        "import duckdb, sys; held = duckdb.connect('authsignal_pipeline.duckdb'); print(flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", holding], stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None
        other.stdout.readline()
        done = command(*arguments)
        other.communicate()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: The DuckDB file ")
    assert f"is open in another program: {Path(sys.executable).resolve().name} (PID {other.pid}" in done.stderr
    assert "--wait 60s" in done.stderr


@pytest.mark.deep
@pytest.mark.parametrize("arguments", [["status"], ["models", "install"]])
def test_missing_destination_credentials_are_reported_without_a_traceback(
    seeded: RunningSandbox, postgres_database: str, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    with monkeypatch.context() as there:
        there.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres_database)
        sync_from(seeded, destination="postgres")
    done = command(*arguments, "--destination", "postgres")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: PostgreSQL needs host and database.")


def test_status_of_a_missing_dataset_creates_no_file(workdir: Path) -> None:
    for look in (["status"], ["models", "install"], ["status", "--pipeline-name", "typo"]):
        done = command(*look)
        assert done.returncode == 2
        assert "Run: dlt-authsignal sync" in done.stderr
    assert list(workdir.rglob("*.duckdb")) == []
    assert list((workdir / "dlt" / "pipelines").glob("*")) == []


@pytest.mark.deep
def test_status_does_not_decide_where_a_sync_writes(
    seeded: RunningSandbox, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("looking", "syncing"):
        (workdir / folder).mkdir()
    monkeypatch.chdir(workdir / "looking")
    assert command("doctor").returncode == 2  # there is no key
    assert command("status").returncode == 2
    monkeypatch.chdir(workdir / "syncing")
    sync_from(seeded)
    assert (workdir / "syncing" / "authsignal_pipeline.duckdb").exists()
    assert list((workdir / "looking").iterdir()) == []


def test_a_missing_dataset_is_named(seeded: RunningSandbox) -> None:
    synced(seeded)
    done = command("status", "--dataset", "another")
    assert done.returncode == 2
    assert 'Dataset "another"' in done.stderr


def test_json_and_prometheus_together_are_refused() -> None:
    done = command("status", "--json", "--prometheus")
    assert done.returncode == 2
    assert "not both" in done.stderr


def test_a_run_without_a_start_is_left_out_of_the_status(seeded: RunningSandbox) -> None:
    synced(seeded)
    with attach().sql_client() as client:
        client.execute_sql("alter table sync_runs alter started_at drop not null")
        client.execute_sql("update sync_runs set started_at = null, ended_at = null, outcome = null")
    assert found().runs == []
    assert command("status").returncode == 0
