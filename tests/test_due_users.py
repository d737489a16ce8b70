"""The change gate: a second sync reads who is due, and the tables are as if it had read everybody."""

import os
import shutil
import subprocess
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import dlt
import duckdb
import pytest

from dlt_authsignal import authsignal_source, known_reads
from dlt_authsignal.api.server_endpoints import ENROLL_AUTHENTICATOR, TRACK, UPDATE_USER
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.sandbox import Fault, RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.tenant.entities import Device, User
from tests.helpers import COMMAND, SECRET, ask, at, command, rows, sync_from, table
from tests.loaded import synced
from tests.tiers import deep_after

PER_USER = ("users", "user_authenticators", "user_actions", "user_devices")


def change(running: RunningSandbox, user_id: str, way: int) -> None:
    """One of the ways in which a user changes so that the list shows it, and what may come with it."""
    user = UPDATE_USER.fill(userId=user_id)
    link = {"verificationMethod": "EMAIL_MAGIC_LINK", "email": "link@example.com"}
    assert ask(running, "PATCH", user, {"email": f"new-{way}@example.com"})[0] == 200
    if way == 1:
        assert ask(running, "POST", ENROLL_AUTHENTICATOR.fill(userId=user_id), link)[0] == 200
    if way == 2:
        assert ask(running, "PATCH", user, {"displayName": "New", "custom": {"plan": "gold"}})[0] == 200
    if way == 3:
        assert ask(running, "POST", TRACK.fill(userId=user_id, action="signIn"), {})[0] == 200


def requests_of(running: RunningSandbox) -> Counter[str]:
    return Counter(running.sandbox.log.by_route)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("users", "changed"), deep_after(1, [(200, 20), (800, 40)]))
def test_an_incremental_sync_reads_changed_users_only_and_its_tables_equal_those_of_a_full_sync(
    users: int, changed: int
) -> None:
    with run_in_thread(SandboxConfig(users=users, days=45, seed=7)) as running:
        sync_from(running, concurrency=16)
        ids = [user.user_id for user in running.sandbox.store.users()]
        for place, user_id in enumerate(ids[:: users // changed]):
            change(running, user_id, place % 3)
        running.sandbox.log.clear()
        report = sync_from(running, concurrency=16)
        made = requests_of(running)
        gated = {name: table(name) for name in PER_USER}
        assert (report.users_found, report.users_due, report.users_read) == (users, changed, changed)
        assert made.total() <= 3 * changed + made["GET /users"] + 1
        sync_from(running, full=True, concurrency=16)
        assert gated == {name: table(name) for name in PER_USER}


@pytest.mark.deep
def test_devices_of_a_changed_user_are_read_when_there_are_new_actions(seeded: RunningSandbox) -> None:
    synced(seeded)
    user_id = next(seeded.sandbox.store.users()).user_id
    change(seeded, user_id, 3)
    seeded.sandbox.store.put_device(Device(user_id=user_id, device_id="new", created_at=seeded.sandbox.clock.now()))
    seeded.sandbox.log.clear()
    sync_from(seeded)
    assert requests_of(seeded)["GET /users/{userId}/devices"] == 1
    assert rows("select count(*) from user_devices where device_id = 'new'") == [(1,)]


def test_unchanged_users_are_not_read_again(seeded: RunningSandbox) -> None:
    synced(seeded)
    seeded.sandbox.log.clear()
    report = sync_from(seeded)
    assert requests_of(seeded) == {"GET /users": 1, "GET /authenticators": 1}
    assert (report.users_found, report.users_due, report.tables["users"].total) == (40, 0, 40)


@pytest.mark.deep
def test_stale_users_are_read_again(seeded: RunningSandbox) -> None:
    synced(seeded)
    _make_older("8 days", "user_id in (select user_id from user_reads limit 3)")
    seeded.sandbox.log.clear()
    assert sync_from(seeded).users_read == 3
    assert sync_from(seeded).users_read == 0
    assert sync_from(seeded, max_staleness="0").users_read == 40


@pytest.mark.deep
def test_a_named_user_is_always_read(seeded: RunningSandbox) -> None:
    synced(seeded)
    user_id = next(seeded.sandbox.store.users()).user_id
    assert ask(seeded, "POST", TRACK.fill(userId=user_id, action="signIn"), {})[0] == 200
    assert sync_from(seeded).tables["user_actions"].new == 0
    report = sync_from(seeded, refresh_users=[user_id])
    assert (report.users_read, report.tables["user_actions"].new) == (1, 1)


def test_a_named_user_is_read_even_if_no_source_lists_them(seeded: RunningSandbox) -> None:
    first, second, *_ = [user.user_id for user in seeded.sandbox.store.users()]
    Path("ids.txt").write_text(first, encoding="utf-8")
    report = sync_from(seeded, users_from="ids.txt", refresh_users=[second, "nobody"])
    assert (report.users_found, report.users_read, report.unknown_users) == (3, 3, 1)
    assert {user_id for (user_id,) in rows("select user_id from users")} == {first, second}
    assert rows("select user_id, id_source from unknown_user_ids") == [("nobody", "named")]


@pytest.mark.deep
def test_a_user_in_refresh_users_comes_first_in_a_sync_with_a_request_limit(seeded: RunningSandbox) -> None:
    synced(seeded)
    *_, named = [user.user_id for user in seeded.sandbox.store.users()]
    assert ask(seeded, "POST", TRACK.fill(userId=named, action="signIn"), {})[0] == 200
    report = sync_from(seeded, max_staleness="0", max_requests=1 + 1 + 4, concurrency=1, refresh_users=[named])
    assert (report.users_read, report.tables["user_actions"].new) == (1, 1)


@pytest.mark.parametrize("setting", ["REFRESH_USERS", "EXCLUDE_USERS"])
@pytest.mark.deep
def test_named_user_ids_are_in_no_file_of_dlt(seeded: RunningSandbox, workdir: Path, setting: str) -> None:
    done = command("sync", env=at(seeded, **{setting: '["somebody@example.com"]'}, RATE="max"))
    assert done.returncode == 0, done.stderr
    left = [file for file in (workdir / "dlt").rglob("*") if file.is_file()]
    assert [file for file in left if b"somebody@example.com" in file.read_bytes()] == []
    assert "somebody@example.com" not in done.stdout + done.stderr


@pytest.mark.deep
def test_a_budget_used_up_by_the_user_list_is_reported(seeded: RunningSandbox) -> None:
    done = command("sync", "--max-requests", "2", env=at(seeded, RATE="max"))
    assert done.returncode == 0, done.stderr
    assert "40 due users are left for the next sync" in done.stdout
    assert "Reading the user list reached the limit" in done.stdout


@pytest.mark.parametrize("wait", [0.15, *(pytest.param(wait, marks=pytest.mark.slow) for wait in (0.0, 0.4))])
@pytest.mark.deep
def test_a_killed_incremental_sync_that_lost_its_disk_skips_no_user(
    seeded: RunningSandbox, workdir: Path, wait: float
) -> None:
    synced(seeded)
    for place, user in enumerate(list(seeded.sandbox.store.users())[::3]):
        change(seeded, user.user_id, place % 3)
    process = subprocess.Popen(
        [COMMAND, "sync"], env={**os.environ, **at(seeded, RATE="max")}, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    loading = workdir / "dlt" / "pipelines" / "authsignal_pipeline" / "load" / "normalized"
    while not list(loading.glob("*/new_jobs/*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(wait)
    process.kill()
    process.wait(60)
    shutil.rmtree(workdir / "dlt")
    sync_from(seeded)
    gated = {name: table(name) for name in PER_USER}
    sync_from(seeded, full=True)
    assert gated == {name: table(name) for name in PER_USER}


@pytest.mark.deep
def test_a_review_decided_days_later_is_loaded(seeded: RunningSandbox) -> None:
    store, clock = seeded.sandbox.store, seeded.sandbox.clock
    store.put_user(User(user_id="u", created_at=clock.now(), email="u@example.com"))
    path = TRACK.fill(userId="u", action="transfer")
    assert ask(seeded, "POST", path, {"idempotencyKey": "k"})[0] == 200
    assert ask(seeded, "PATCH", f"{path}/k", {"state": "REVIEW_REQUIRED"})[0] == 200
    sync_from(seeded)
    for _ in range(12):
        clock.advance(timedelta(days=1))
        assert ask(seeded, "POST", path, {})[0] == 200
    sync_from(seeded, refresh_users=["u"])
    assert ask(seeded, "PATCH", f"{path}/k", {"state": "REVIEW_SUCCEEDED"})[0] == 200
    sync_from(seeded, refresh_users=["u"])
    assert rows("select state from user_actions where idempotency_key = 'k'") == [("REVIEW_SUCCEEDED",)]


@pytest.mark.deep
def test_a_request_budget_is_kept_and_the_remaining_users_come_first_next_time(seeded: RunningSandbox) -> None:
    read: list[int] = []
    for _ in range(8):
        seeded.sandbox.log.clear()
        report = sync_from(seeded, max_requests=60)
        assert requests_of(seeded).total() <= 60 + 1  # and the tenant's authenticators
        read.append(report.users_read)
        if not report.users_remaining:
            break
    assert sum(read) == 40
    assert len(read) > 2
    assert rows("select count(*) from users") == [(40,)]
    assert rows("select count(*) from user_reads where users_read_at is null") == [(0,)]


@pytest.mark.deep
def test_a_time_budget_leaves_the_remaining_users_to_the_next_run(seeded: RunningSandbox) -> None:
    seeded.sandbox.faults.add(Fault(route="GET /users/{userId}", kind="delay", seconds=0.5, times=None))
    report = sync_from(seeded, max_duration="2s", concurrency=2)
    assert 0 < report.users_read < 40
    assert report.users_remaining == 40 - report.users_read
    seeded.sandbox.faults.clear()
    assert sync_from(seeded).users_read == report.users_remaining


@pytest.mark.deep
def test_action_details_are_requested_once_and_again_while_an_action_is_open(seeded: RunningSandbox) -> None:
    tables = ["users", "user_actions", "action_details"]
    first = sync_from(seeded, tables=tables)
    assert first.tables["action_details"].total == first.tables["user_actions"].total
    seeded.sandbox.log.clear()
    sync_from(seeded, tables=tables, max_staleness="0")
    asked = requests_of(seeded)["GET /users/{userId}/actions/{action}/{idempotencyKey}"]
    open_ = "select count(*) from user_actions where state in ('CHALLENGE_REQUIRED', 'REVIEW_REQUIRED')"
    assert asked <= rows(open_)[0][0]
    seeded.sandbox.log.clear()
    sync_from(seeded, tables=tables, full=True)
    again = requests_of(seeded)["GET /users/{userId}/actions/{action}/{idempotencyKey}"]
    assert again == first.tables["action_details"].total


@pytest.mark.deep
def test_a_newly_selected_table_is_read_for_all_users(seeded: RunningSandbox) -> None:
    sync_from(seeded, tables=["users"])
    assert sync_from(seeded, tables=["users"]).users_read == 0
    seeded.sandbox.log.clear()
    assert sync_from(seeded).users_read == 40
    assert requests_of(seeded)["GET /users/{userId}"] == 0


@pytest.mark.parametrize("dropped", deep_after(1, PER_USER))
def test_a_dropped_table_counts_as_never_read(seeded: RunningSandbox, dropped: str) -> None:
    synced(seeded)
    with duckdb.connect("authsignal_pipeline.duckdb") as connection:
        connection.execute(f"drop table authsignal_data.{dropped}")
    known = list(known_reads(attach()))
    assert len(known) == 40
    assert all((read.at(part) == 0) is (part == dropped) for read in known for part in PER_USER)


@pytest.mark.deep
def test_users_whose_rows_were_deleted_by_hand_are_read_again(seeded: RunningSandbox) -> None:
    synced(seeded)
    before = table("users")
    with duckdb.connect("authsignal_pipeline.duckdb") as connection:
        connection.execute(
            "delete from authsignal_data.users where user_id = (select min(user_id) from authsignal_data.users)"
        )
    sync_from(seeded)
    assert table("users") == before
    assert sync_from(seeded).users_read == 0


def test_users_whose_fingerprint_was_changed_by_hand_are_read_again(empty: RunningSandbox) -> None:
    for number in range(4):
        user = User(user_id=f"u-{number}", created_at=empty.sandbox.clock.now(), email=f"{number}@example.com")
        empty.sandbox.store.put_user(user)
    sync_from(empty)
    with duckdb.connect("authsignal_pipeline.duckdb") as connection:
        for user_id, by_hand in (("u-0", ""), ("u-2", "0"), ("u-3", "abc")):
            connection.execute(
                "update authsignal_data.user_reads set listed_hash = ? where user_id = ?", [by_hand, user_id]
            )
    assert sync_from(empty).users_read == 3
    assert sync_from(empty).users_read == 0


@pytest.mark.deep
def test_read_times_of_an_incomplete_load_are_ignored(seeded: RunningSandbox) -> None:
    synced(seeded)
    with duckdb.connect("authsignal_pipeline.duckdb") as connection:
        connection.execute(
            "delete from authsignal_data._dlt_loads where load_id in"
            " (select _dlt_load_id from authsignal_data.user_reads)"
        )
    assert sync_from(seeded).users_read == 40


@pytest.mark.deep
def test_unknown_user_ids_are_not_requested_in_every_run(empty: RunningSandbox) -> None:
    Path("ids.txt").write_text("ghost-1\nghost-2\n", encoding="utf-8")
    assert sync_from(empty, users_from="ids.txt").unknown_users == 2
    empty.sandbox.log.clear()
    sync_from(empty, users_from="ids.txt")
    assert "GET /users/{userId}" not in requests_of(empty)
    empty.sandbox.store.put_user(User(user_id="ghost-1", created_at=empty.sandbox.clock.now(), email="a@x"))
    sync_from(empty, users_from="ids.txt", refresh_users=["ghost-1"])
    assert rows("select user_id, is_known from user_reads order by 1") == [("ghost-1", True), ("ghost-2", False)]


@pytest.mark.deep
def test_a_composed_pipeline_with_known_reads_reads_only_due_users(seeded: RunningSandbox) -> None:
    pipeline = dlt.pipeline("mine", destination="duckdb", dataset_name="authsignal_data")
    for users in (40, 0):
        seeded.sandbox.log.clear()
        reads = known_reads(pipeline)
        pipeline.run(authsignal_source(base_url=seeded.url, api_secret_key=SECRET, reads=reads))
        assert requests_of(seeded)["GET /users/{userId}"] == users
    pipeline.run(authsignal_source(base_url=seeded.url, api_secret_key=SECRET))
    assert requests_of(seeded)["GET /users/{userId}"] == 40


def test_max_requests_without_known_reads_is_refused(seeded: RunningSandbox) -> None:
    with pytest.raises(ConfigurationError, match="known_reads"):
        authsignal_source(base_url=seeded.url, api_secret_key=SECRET, max_requests=5)


@pytest.mark.parametrize("text", ["7", "a week", "-1d", "1 fortnight", "1e9d", ""])
def test_an_invalid_max_staleness_is_refused(seeded: RunningSandbox, text: str) -> None:
    with pytest.raises(ConfigurationError, match="max_staleness"):
        authsignal_source(base_url=seeded.url, api_secret_key=SECRET, max_staleness=text)


def _make_older(span: str, where: str) -> None:
    columns = ", ".join(f"{part}_read_at = {part}_read_at - interval '{span}'" for part in PER_USER)
    with duckdb.connect("authsignal_pipeline.duckdb") as connection:
        connection.execute("set search_path = 'authsignal_data'")
        connection.execute(f"update user_reads set {columns} where {where}")
