"""Tables, columns and datasets that somebody took away: the next sync makes them again, and fills them."""

from collections.abc import Iterable
from typing import Any

import dlt
import duckdb
import pytest

from dlt_authsignal import authsignal_source
from dlt_authsignal.errors import ConfigurationError, RunFailed
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.pipeline.erase.run import erase
from dlt_authsignal.pipeline.monitor.status import status
from dlt_authsignal.sandbox import Fault, RunningSandbox
from dlt_authsignal.sandbox.tenant.entities import User
from dlt_authsignal.schema.tables.histories import HISTORIES
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


@pytest.mark.deep
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


@pytest.mark.parametrize("history", deep_after(1, [name for name in HISTORIES if "server" in HISTORIES[name].apis]))
def test_a_dropped_history_table_starts_again(seeded: RunningSandbox, history: str) -> None:
    synced(seeded)
    do(f"drop table {history}")
    sync_from(seeded)
    present = rows(f"select count(*) from {history.removesuffix('_history')}")
    assert rows(f"select count(*) from {history} where valid_to is null") == present != [(0,)]


@pytest.mark.deep
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
    empty.faults.add(Fault(route="GET /users", kind="html", times=None))
    assert command("sync", env=at(empty)).returncode == 1
    assert rows("select count(*) from users") == [(0,)]
    empty.faults.clear()
    done = command("sync", env=at(empty))
    assert rows("select email from users") == [("a@x",)], done.stdout + done.stderr


@pytest.mark.deep
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


@pytest.mark.deep
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


LOSSES = ("drop table {}", "delete from {}", "alter table {} drop column {}")
BOOKKEEPING = {
    "_dlt_loads": "status",
    "_dlt_version": "schema",
    "_dlt_pipeline_state": "state",
    "sync_runs": "run_id",
    "user_reads": "user_id",
    "table_reads": "read_at",
    "dataset_tenant": "identifier",
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("loss", "names"),
    [(LOSSES[0], ["_dlt_loads"]), *(pytest.param(loss, BOOKKEEPING, marks=pytest.mark.deep) for loss in LOSSES)],
    ids=["one", "dropped", "emptied", "a column dropped"],
)
def test_a_lost_bookkeeping_table_is_recreated_by_the_next_sync(
    empty: RunningSandbox, loss: str, names: Iterable[str]
) -> None:
    """One table after the other: after each, the dataset is whole again."""
    empty.sandbox.store.put_user(User(user_id="u1", created_at=empty.sandbox.clock.now(), email="a@x"))
    sync_from(empty)
    for name in names:
        do(loss.format(name, BOOKKEEPING[name]))
        status(attach())
        sync_from(empty, full=True)
        assert sync_from(empty).users_read == 0, name
        assert rows("select email, deleted_at from users") == [("a@x", None)], name
        assert rows("select count(*) from users_history") == [(1,)], name


@pytest.mark.deep
def test_a_lost_table_of_dlt_is_recreated_in_postgresql(
    empty: RunningSandbox, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres = Postgres(postgres_database)
    for variable, value in postgres.env.items():
        monkeypatch.setenv(variable, value)
    empty.sandbox.store.put_user(User(user_id="u1", created_at=empty.sandbox.clock.now(), email="a@x"))
    sync_from(empty, destination="postgres")
    for name in ("_dlt_loads", "_dlt_version", "_dlt_pipeline_state"):
        postgres.rows(f"drop table authsignal_data.{name}")
        assert sync_from(empty, destination="postgres", full=True).users_read == 1, name
        assert sync_from(empty, destination="postgres").users_read == 0, name


@pytest.mark.deep
def test_a_user_who_was_deleted_while_the_records_of_loads_were_lost_is_marked(empty: RunningSandbox) -> None:
    for name in ("u1", "u2"):
        empty.sandbox.store.put_user(User(user_id=name, created_at=empty.sandbox.clock.now(), email=f"{name}@x"))
    sync_from(empty)
    do("drop table _dlt_loads")
    empty.sandbox.store.remove_user("u1", actions=True)
    sync_from(empty)
    assert rows("select user_id, deleted_at is null from users order by 1") == [("u1", False), ("u2", True)]


@pytest.mark.deep
def test_tombstones_without_their_salt_stop_the_sync_and_the_message_repairs_it(empty: RunningSandbox) -> None:
    for name in ("u1", "u2"):
        empty.sandbox.store.put_user(User(user_id=name, created_at=empty.sandbox.clock.now(), email=f"{name}@x"))
    sync_from(empty)
    erase("u1")
    do("alter table erased_users drop column salt")
    with pytest.raises(ConfigurationError, match="cannot know which users were erased"):
        sync_from(empty)
    do("drop table erased_users")
    erase("u1")
    sync_from(empty)
    assert rows("select user_id from users") == [("u2",)]


def test_a_table_that_became_a_view_is_named_and_the_message_repairs_it(empty: RunningSandbox) -> None:
    empty.sandbox.store.put_user(User(user_id="u1", created_at=empty.sandbox.clock.now(), email="a@x"))
    sync_from(empty)
    do("alter table users rename to their_users")
    do("create view users as select * from their_users")
    with pytest.raises(ConfigurationError, match="is a view") as refused:
        sync_from(empty)
    do(str(refused.value).rpartition(": ")[2])
    assert sync_from(empty).recreated == ["users"]
    assert rows("select email from users") == [("a@x",)]


@pytest.mark.deep
def test_a_column_that_needs_a_value_is_named_and_the_message_repairs_it(
    empty: RunningSandbox, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres = Postgres(postgres_database)
    for variable, value in postgres.env.items():
        monkeypatch.setenv(variable, value)
    sync_from(empty, destination="postgres")
    postgres.rows("alter table users add column team text not null, add column nr int generated always as identity")
    empty.sandbox.store.put_user(User(user_id="u1", created_at=empty.sandbox.clock.now(), email="a@x"))
    with pytest.raises(ConfigurationError, match=r"Column team .* needs a value") as refused:
        sync_from(empty, destination="postgres")
    statement = str(refused.value).partition("ALTER TABLE")[2].partition(". Or")[0]
    postgres.rows(f"ALTER TABLE{statement}")
    sync_from(empty, destination="postgres")
    assert postgres.rows("select email, team, nr from users") == [("a@x", None, 1)]


@pytest.mark.deep
def test_a_table_without_its_key_is_named_and_the_message_repairs_it(empty: RunningSandbox) -> None:
    empty.sandbox.store.put_user(User(user_id="u1", created_at=empty.sandbox.clock.now(), email="a@x"))
    sync_from(empty)
    do("alter table users drop column user_id")
    with pytest.raises(ConfigurationError, match="has no column user_id") as refused:
        sync_from(empty)
    do(str(refused.value).rpartition(": ")[2])
    sync_from(empty)
    assert rows("select user_id, email from users") == [("u1", "a@x")]
