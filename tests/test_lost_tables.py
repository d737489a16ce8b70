"""Tables, columns and datasets that somebody took away: the next sync makes them again, and fills them."""

from typing import Any

import dlt
import duckdb
import pytest

from dlt_authsignal import authsignal_source
from dlt_authsignal.errors import RunFailed
from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.sandbox.tenant.entities import User
from dlt_authsignal.schema.history_tables import HISTORIES
from tests.helpers import SECRET, at, command, rows, sync_from
from tests.loaded import synced
from tests.tiers import deep_after, deep_except
from tests.warehouses import Postgres

TABLES = ("users", "user_authenticators", "user_actions", "user_devices", "tenant_authenticators", "user_reads")


def do(statement: str) -> None:
    with duckdb.connect("authsignal_pipeline.duckdb") as connection:
        connection.execute("set search_path = 'authsignal_data'")
        connection.execute(statement)


def held(*tables: str) -> dict[str, list[tuple[Any, ...]]]:
    """What Authsignal said, without when."""
    return {name: rows(f"select _row_hash from {name} order by 1") for name in tables}


@pytest.mark.parametrize("lost", deep_except(["user_actions"], TABLES))
def test_a_dropped_table_is_recreated_and_filled(seeded: RunningSandbox, lost: str) -> None:
    synced(seeded)
    before = held(*TABLES[:5])
    do(f"drop table {lost}")
    report = sync_from(seeded)
    assert report.recreated == [lost]
    assert held(*TABLES[:5]) == before
    assert rows("select count(*) from users_history where valid_to is null") == [(40,)]
    report = sync_from(seeded)
    assert (report.recreated, report.users_read) == ([], 0)


def test_dropped_empty_tables_are_recreated(empty: RunningSandbox) -> None:
    sync_from(empty)
    for name in ("unknown_user_ids", "user_devices", "sync_runs"):
        do(f"drop table {name}")
    sync_from(empty)
    assert rows("select (select count(*) from unknown_user_ids), (select count(*) from user_devices)") == [(0, 0)]
    assert rows("select count(*) from sync_runs") == [(1,)]


def test_a_dropped_column_is_restored_with_its_values(seeded: RunningSandbox) -> None:
    synced(seeded)
    before = rows("select user_id, email from users order by 1")
    do("alter table users drop column email")
    assert sync_from(seeded).recreated == ["users"]
    assert rows("select user_id, email from users order by 1") == before


@pytest.mark.parametrize("history", deep_after(1, HISTORIES))
def test_a_dropped_history_table_starts_again(seeded: RunningSandbox, history: str) -> None:
    synced(seeded)
    do(f"drop table {history}")
    sync_from(seeded)
    present = rows(f"select count(*) from {history.removesuffix('_history')}")
    assert rows(f"select count(*) from {history} where valid_to is null") == present != [(0,)]


def test_a_dropped_dataset_is_loaded_again(seeded: RunningSandbox) -> None:
    synced(seeded)
    before = held(*TABLES[:5])
    do("drop schema authsignal_data cascade")
    assert sync_from(seeded).users_read == 40
    assert held(*TABLES[:5]) == before


@pytest.mark.deep
def test_a_run_that_fails_after_recreating_a_table_leaves_its_rows_to_the_next(empty: RunningSandbox) -> None:
    empty.sandbox.store.put_user(User(user_id="u1", created_at=empty.sandbox.clock.now(), email="a@x"))
    sync_from(empty)
    do("drop table users")
    failed = command("sync", env={**at(empty), "SOURCES__AUTHSIGNAL_SOURCE__API_SECRET_KEY": "wrong"})
    assert failed.returncode == 2
    assert rows("select count(*) from users") == [(0,)]
    done = command("sync", env=at(empty))
    assert rows("select email from users") == [("a@x",)], done.stdout + done.stderr


def test_a_pending_load_is_finished_into_recreated_tables(empty: RunningSandbox) -> None:
    empty.sandbox.store.put_user(User(user_id="u1", created_at=empty.sandbox.clock.now(), email="a@x"))
    sync_from(empty)
    empty.sandbox.store.put_user(User(user_id="u2", created_at=empty.sandbox.clock.now(), email="b@x"))
    pipeline = dlt.pipeline("authsignal_pipeline", destination="duckdb", dataset_name="authsignal_data")
    pipeline.extract(authsignal_source(base_url=empty.url, api_secret_key=SECRET, privacy="keep"))
    pipeline.normalize()
    do("drop table users")
    report = sync_from(empty)
    assert (report.finished_pending, report.recreated) == (True, ["users"])
    assert rows("select email from users order by 1") == [("a@x",), ("b@x",)]


@pytest.mark.deep
def test_an_unfinished_first_load_reports_no_recreated_tables(empty: RunningSandbox) -> None:
    pipeline = dlt.pipeline("authsignal_pipeline", destination="duckdb", dataset_name="authsignal_data")
    pipeline.extract(authsignal_source(base_url=empty.url, api_secret_key=SECRET, privacy="keep"))
    pipeline.normalize()
    report = sync_from(empty)
    assert (report.finished_pending, report.recreated) == (True, [])


def test_dropped_tables_are_recreated_in_postgresql(
    seeded: RunningSandbox, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres = Postgres(postgres_database)
    for name, value in postgres.env.items():
        monkeypatch.setenv(name, value)
    sync_from(seeded, destination="postgres")
    before = postgres.rows("select _row_hash from authsignal_data.user_authenticators order by 1")
    postgres.rows("drop table authsignal_data.user_authenticators cascade")
    postgres.rows("alter table authsignal_data.users drop column email cascade")
    assert sync_from(seeded, destination="postgres").recreated == ["user_authenticators", "users"]
    assert postgres.rows("select _row_hash from authsignal_data.user_authenticators order by 1") == before
    assert postgres.rows("select count(email) > 0 from authsignal_data.users") == [(True,)]


@pytest.mark.deep
def test_a_load_that_is_always_refused_can_be_dropped_and_its_users_are_read_again(seeded: RunningSandbox) -> None:
    synced(seeded)
    before = held(*TABLES[:5])
    do("delete from users")
    do("alter table users alter email type integer using 0")
    with pytest.raises(RunFailed) as first:
        sync_from(seeded, full=True)
    assert "abort-packages" not in str(first.value)
    with pytest.raises(RunFailed, match="drop the load: dlt pipeline authsignal_pipeline abort-packages"):
        sync_from(seeded)
    dlt.attach("authsignal_pipeline").abort_packages()  # which is what that command does
    do("alter table users alter email type varchar using null")
    assert sync_from(seeded).users_read == 40
    assert held(*TABLES[:5]) == before
