"""The main job: what Authsignal holds is what the tables hold, once, after any number of runs."""

from datetime import timedelta
from pathlib import Path

import duckdb
import msgspec
import pytest

from dlt_authsignal.errors import UnexpectedAnswer
from dlt_authsignal.sandbox import Fault, RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.tenant.answers import user_attributes
from dlt_authsignal.sandbox.tenant.entities import User
from dlt_authsignal.schema.tables.server import TABLES
from tests.helpers import SECRET, rows, sync_from, table
from tests.loaded import synced
from tests.tiers import deep_after, deep_except

PER_USER = ("users", "user_authenticators", "user_actions", "user_devices")


def held(running: RunningSandbox) -> dict[str, int]:
    store, clock = running.sandbox.store, running.sandbox.clock
    users = list(store.users())
    since = clock.now() - timedelta(days=30)
    return {
        "users": len(users),
        "user_authenticators": sum(len(store.authenticators(user.user_id)) for user in users),
        "user_actions": sum(len(store.actions(user.user_id, since)) for user in users),
        "user_devices": sum(len(store.devices(user.user_id)) for user in users),
    }


def test_every_user_authenticator_action_and_device_is_loaded_once(seeded: RunningSandbox) -> None:
    report = sync_from(seeded)
    assert {name: report.tables[name].new for name in PER_USER} == held(seeded)
    for name in PER_USER:
        keys = ", ".join(TABLES[name].key)
        assert rows(f"select count(*), count(distinct ({keys})) from {name}") == [(held(seeded)[name],) * 2]


def test_users_are_loaded_with_the_values_of_the_user_list_and_the_user_record(seeded: RunningSandbox) -> None:
    synced(seeded)
    loaded = {row["user_id"]: row for row in table("users")}
    for user in seeded.sandbox.store.users():
        row, truth = loaded[user.user_id], msgspec.to_builtins(user_attributes(user))
        assert row["created_at"] == user.created_at.replace(microsecond=user.created_at.microsecond // 1000 * 1000)
        assert row.get("email") == truth.get("email")
        assert row.get("locale") == truth.get("locale")
        assert row.get("default_verification_method") == truth.get("defaultVerificationMethod")


def test_a_second_sync_changes_nothing_and_reports_no_changes(seeded: RunningSandbox) -> None:
    synced(seeded)
    before = {name: table(name) for name in PER_USER}
    report = sync_from(seeded, full=True)
    assert {name: table(name) for name in PER_USER} == before
    assert all((counts.new, counts.changed) == (0, 0) for counts in report.tables.values())


def test_changed_rows_are_corrected_and_counted(seeded: RunningSandbox) -> None:
    synced(seeded)
    store = seeded.sandbox.store
    user = next(store.users())
    store.put_user(User(user_id=user.user_id, created_at=user.created_at, email="new@example.com"))
    store.put_user(User(user_id="newcomer", created_at=user.created_at))
    report = sync_from(seeded)
    assert (report.tables["users"].new, report.tables["users"].changed) == (1, 1)
    assert rows("select email from users where email = 'new@example.com'") == [("new@example.com",)]


@pytest.mark.deep
def test_reading_user_ids_from_a_file_keeps_values_of_the_user_list(seeded: RunningSandbox) -> None:
    synced(seeded)
    before = table("users")
    ids = [row["user_id"] for row in before]
    Path("ids.txt").write_text("\n".join(ids), encoding="utf-8")
    report = sync_from(seeded, users_from="ids.txt", full=True)
    assert table("users") == before
    assert report.tables["users"].changed == 0


@pytest.mark.deep
def test_ids_with_slashes_queries_and_umlauts_are_read_like_any_other(empty: RunningSandbox) -> None:
    ids = ["a/b", "a/b?c=d&e#f", "crm:4711", "zürich ü", "100%", "auth0|5f7c", "..", "a+b"]
    for user_id in ids:
        empty.sandbox.store.put_user(User(user_id=user_id, created_at=empty.sandbox.clock.now(), email=f"{user_id}@x"))
    sync_from(empty)
    assert sorted(row["user_id"] for row in table("users")) == sorted(ids)
    assert all(row["email"] == f"{row['user_id']}@x" for row in table("users"))


def test_a_sync_of_an_empty_tenant_creates_every_table_without_rows(empty: RunningSandbox) -> None:
    report = sync_from(empty)
    assert report.users_read == 0
    for name in (*PER_USER, "unknown_user_ids"):
        assert rows(f"select count(*) from {name}") == [(0,)]


@pytest.mark.deep
def test_pages_may_be_short_or_empty(seeded: RunningSandbox) -> None:
    for place in range(300):
        seeded.sandbox.store.put_deleted(f"gone-{place}")
    seeded.sandbox.store.put_user(User(user_id="the last one", created_at=seeded.sandbox.clock.now()))
    report = sync_from(seeded, page_size=7)
    assert report.tables["users"].total == 41
    assert rows("select count(*) from users where user_id = 'the last one'") == [(1,)]


@pytest.mark.deep
def test_action_details_are_loaded_only_when_selected(seeded: RunningSandbox) -> None:
    assert "action_details" not in sync_from(seeded).tables
    report = sync_from(seeded, tables=["user_actions", "action_details"])
    assert report.tables["action_details"].total == held(seeded)["user_actions"]
    assert rows("select count(*) from action_details where json_extract_string(output, '$.custom') is null") == [(0,)]


def test_only_selected_tables_are_requested(seeded: RunningSandbox) -> None:
    sync_from(seeded, tables=["user_devices"])
    asked = set(seeded.sandbox.log.by_route)
    assert asked == {"GET /users", "GET /users/{userId}/devices"}


def test_the_pipeline_sends_nothing_but_get(seeded: RunningSandbox) -> None:
    sync_from(seeded, tables=["users", "user_authenticators", "user_actions", "user_devices", "action_details"])
    assert all(route.startswith("GET ") for route in seeded.sandbox.log.by_route)


@pytest.mark.deep
@pytest.mark.parametrize("limit", deep_except([3], [1, 3]))
def test_all_tables_together_keep_to_one_limit_of_requests_in_flight(seeded: RunningSandbox, limit: int) -> None:
    seeded.sandbox.faults.add(Fault(route="*", kind="delay", seconds=0.005, times=None))
    sync_from(seeded, concurrency=limit, tables=[*PER_USER, "tenant_authenticators", "action_details"])
    assert seeded.sandbox.log.most_in_flight == limit


def test_an_action_without_its_key_is_an_error_before_its_detail_is_requested(empty: RunningSandbox) -> None:
    empty.sandbox.store.put_user(User(user_id="u1", created_at=empty.sandbox.clock.now(), email="a@x"))
    empty.sandbox.faults.add(Fault(route="GET /users/{userId}/actions", kind="body", body='[{"actionCode":"a"}]'))
    with pytest.raises(UnexpectedAnswer, match="idempotencyKey"):
        sync_from(empty, tables=["action_details"])


def test_no_file_contains_secrets_of_responses_or_the_api_key(empty: RunningSandbox, workdir: Path) -> None:
    empty.sandbox.store.put_user(User(user_id="u1", created_at=empty.sandbox.clock.now(), email="a@x"))
    row = '{"userAuthenticatorId":"a1","otpBinding":{"secret":"CANARY"},"recoveryCodes":["CANARY"],"x":["otpauth://CANARY"]}'
    empty.sandbox.faults.add(Fault(route="GET /users/{userId}/authenticators", kind="body", body=f"[{row}]"))
    assert sync_from(empty).tables["user_authenticators"].total == 1
    left = [file for file in workdir.rglob("*") if file.is_file()]
    assert any(b"a1" in file.read_bytes() for file in left)
    for secret in (b"CANARY", SECRET.encode()):
        assert [file for file in left if secret in file.read_bytes()] == []


@pytest.mark.parametrize(
    "fault",
    deep_after(
        1,
        [
            Fault(route="*", kind="status", status=503, times=2),
            Fault(route="*", kind="status", status=429, times=2, headers={"Retry-After": "0"}),
            Fault(route="GET /users/{userId}/actions", kind="status", status=429, times=1),
            Fault(route="GET /users/{userId}/authenticators", kind="cut", times=2),
            Fault(route="GET /users/{userId}", kind="html", times=2),
            Fault(
                route="GET /users", kind="body", body='{"error":"x","errorCode":"x","errorDescription":"x"}', times=1
            ),
        ],
    ),
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_a_temporary_fault_costs_a_retry_and_no_row(seeded: RunningSandbox, fault: Fault) -> None:
    seeded.sandbox.faults.add(fault)
    report = sync_from(seeded, attempts=6)
    assert report.retries == fault.times
    assert {name: report.tables[name].total for name in PER_USER} == held(seeded)


def test_unknown_fields_and_changed_types_lose_no_value(empty: RunningSandbox) -> None:
    empty.sandbox.store.put_user(User(user_id="u1", created_at=empty.sandbox.clock.now(), email="a@x"))
    devices = "GET /users/{userId}/devices"
    body = '[{"deviceId":"d1","createdAt":"2026-01-01T00:00:00.000Z","risk":1,"brandNew":{"a":[1]}}]'
    empty.sandbox.faults.add(Fault(route=devices, kind="body", body=body))
    sync_from(empty)
    body = '[{"deviceId":"d2","createdAt":"soon","risk":1.5},{"deviceId":"d3","risk":"high"}]'
    empty.sandbox.faults.add(Fault(route=devices, kind="body", body=body))
    sync_from(empty, full=True)
    values = rows(
        "select device_id, created_at__v_text, risk, risk__v_double, risk__v_text from user_devices order by 1"
    )
    assert values == [("d1", None, 1, None, None), ("d2", "soon", None, 1.5, None), ("d3", None, None, None, "high")]
    assert rows("select brand_new__a from user_devices where device_id = 'd1'") == [("[1]",)]


@pytest.mark.deep
def test_of_two_rows_with_the_same_key_the_last_updated_one_is_kept(empty: RunningSandbox) -> None:
    empty.sandbox.store.put_user(User(user_id="u1", created_at=empty.sandbox.clock.now(), email="a@x"))
    row = '{"actionCode":"a","idempotencyKey":"k","state":"%s","updatedAt":"%d-01-01T00:00:00.000Z"}'
    body = f"[{row % ('BLOCK', 2030)},{row % ('ALLOW', 2020)}]"
    for _ in range(2):
        empty.sandbox.faults.add(Fault(route="GET /users/{userId}/actions", kind="body", body=body))
        report = sync_from(empty, full=True)
        assert rows("select state from user_actions") == [("BLOCK",)]
    assert report.tables["user_actions"].changed == 0


def test_rows_contain_their_tenant_api_and_read_time(seeded: RunningSandbox) -> None:
    sync_from(seeded, tenant_id="tenant-1")
    assert rows("select distinct tenant_id, _api from user_actions") == [("tenant-1", "server")]
    assert rows("select count(*) from users where _read_at is null") == [(0,)]


@pytest.mark.deep
def test_a_deleted_database_is_filled_again(seeded: RunningSandbox) -> None:
    synced(seeded)
    Path("authsignal_pipeline.duckdb").unlink()
    report = sync_from(seeded)
    assert report.tables["users"].total == 40


def test_loaded_rows_are_removed_from_the_working_folder_of_dlt(seeded: RunningSandbox, workdir: Path) -> None:
    synced(seeded)
    kept = [file for file in (workdir / "dlt").rglob("*") if file.is_file() and b"@example.com" in file.read_bytes()]
    assert kept == []


def test_the_same_seed_generates_the_same_tenant() -> None:
    def everything() -> str:
        with run_in_thread(SandboxConfig(users=60, days=45, seed=7)) as running:
            store = running.sandbox.store
            ids = [user.user_id for user in store.users()]
            since = running.sandbox.clock.now() - timedelta(days=60)
            return repr(
                [(store.get_user(i), store.authenticators(i), store.devices(i), store.actions(i, since)) for i in ids]
            )

    assert everything() == everything()


def test_a_second_concurrent_sync_of_the_same_pipeline_is_refused(seeded: RunningSandbox) -> None:
    from dlt.common.pipeline import get_dlt_pipelines_dir
    from filelock import FileLock

    from dlt_authsignal.errors import PipelineBusy

    folder = Path(get_dlt_pipelines_dir())
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "authsignal_pipeline.lock"), pytest.raises(PipelineBusy, match="Another run"):
        sync_from(seeded)


@pytest.mark.deep
def test_an_interrupted_load_is_finished_before_the_run_continues(seeded: RunningSandbox) -> None:
    from dlt_authsignal.pipeline.attach import attach
    from dlt_authsignal.source.source import authsignal_source

    sync_from(seeded)
    pipeline = attach()
    pipeline.extract(
        authsignal_source(base_url=seeded.url, api_secret_key="sandbox-server-secret", rate="max", privacy="keep")
    )
    seeded.sandbox.store.put_user(User(user_id="later", created_at=seeded.sandbox.clock.now()))
    report = sync_from(seeded)
    assert report.finished_pending
    assert report.tables["users"].total == 41


def test_a_database_file_open_in_another_program_is_a_clear_error(seeded: RunningSandbox) -> None:
    import subprocess
    import sys

    from dlt_authsignal.errors import RunFailed

    duckdb.connect("authsignal_pipeline.duckdb").close()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb; c = duckdb.connect('authsignal_pipeline.duckdb'); print(1, flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(RunFailed, match="open in another program"):
            sync_from(seeded)
    finally:
        holder.communicate(b"\n", timeout=60)
