"""A history has one row per version: none without a change, none while the row was gone, no gap while it was there."""

from datetime import datetime
from itertools import pairwise
from typing import Any

import dlt
import pytest

from dlt_authsignal import authsignal_source, detect, known_reads, update_history
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.pipeline.history.rules import RULES, may_change
from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.sandbox.tenant.entities import User
from dlt_authsignal.schema.tables.configuration import CONFIGURATION
from tests.helpers import SECRET, rows, sync_from
from tests.loaded import synced
from tests.tiers import deep_after

Span = tuple[datetime, datetime | None]


def versions(table: str, key: str, *columns: str) -> list[tuple[Any, ...]]:
    """Values of each version of a row, and when it was valid, in order."""
    shown = ", ".join([*columns, "valid_from", "valid_to"])
    column = {"users": "user_id", "user_authenticators": "user_authenticator_id"}[table]
    return rows(f"select {shown} from {table}_history where {column} = '{key}' order by valid_from")


def assert_in_line(spans: list[Span]) -> None:
    """One after the other, the last one open."""
    assert spans[-1][1] is None
    for (begin, end), (following, _) in pairwise(spans):
        assert end is not None
        assert begin < end <= following


def test_every_row_has_one_version_and_a_sync_without_changes_adds_none(seeded: RunningSandbox) -> None:
    synced(seeded)
    for _ in range(2):
        for table in ("users", "user_authenticators", "tenant_authenticators"):
            present = f"(select count(*), 0::bigint, max(_read_at) from {table})"
            kept = f"(select count(*), count(valid_to), max(valid_from) from {table}_history)"
            assert rows(f"select * from {present}")[0][:2] == rows(f"select * from {kept}")[0][:2]
        sync_from(seeded, full=True)


@pytest.mark.deep
def test_a_change_ends_one_version_and_starts_the_next_at_the_same_time(seeded: RunningSandbox) -> None:
    synced(seeded)
    user = next(iter(seeded.sandbox.store.users()))
    for locale in ("de-DE", "mi-NZ"):
        seeded.sandbox.store.put_user(User(user_id=user.user_id, created_at=user.created_at, locale=locale))
        sync_from(seeded, full=True)
    found = versions("users", user.user_id, "locale")
    assert [version[0] for version in found][1:] == ["de-DE", "mi-NZ"]
    assert_in_line([version[1:] for version in found])
    assert [end for *_, end in found][:2] == [begin for _, begin, _ in found][1:]


def test_the_history_returns_the_rows_of_an_earlier_time(seeded: RunningSandbox) -> None:
    synced(seeded)
    before = rows("select user_id, email from users order by 1")
    (moment,) = rows("select max(_read_at) from users")[0]
    for user in list(seeded.sandbox.store.users())[:5]:
        seeded.sandbox.store.remove_user(user.user_id, actions=True)
    sync_from(seeded)
    assert len(rows("select user_id from users where deleted_at is null")) == 35
    then = f"valid_from <= '{moment}' and (valid_to > '{moment}' or valid_to is null)"
    assert rows(f"select user_id, email from users_history where {then} order by 1") == before


@pytest.mark.deep
def test_a_deletion_ends_a_version_and_a_restoration_starts_a_new_one(seeded: RunningSandbox) -> None:
    store = seeded.sandbox.store
    sync_from(seeded)
    user = next(user for user in store.users() if store.authenticators(user.user_id))
    authenticator = store.authenticators(user.user_id)[0]
    key = authenticator.user_authenticator_id
    for _ in range(2):
        store.remove_authenticator(user.user_id, key)
        sync_from(seeded, full=True)
        assert versions("user_authenticators", key)[-1][1] is not None
        store.put_authenticator(authenticator)
        sync_from(seeded, full=True)
    found = versions("user_authenticators", key)
    assert len(found) == 3
    assert_in_line(found)
    assert all(end < begin for (_, end), (begin, _) in pairwise(found))


@pytest.mark.deep
def test_history_tables_get_the_new_columns_of_their_tables(seeded: RunningSandbox) -> None:
    from dlt_authsignal.sandbox import Fault

    sync_from(seeded)
    user = next(iter(seeded.sandbox.store.users())).user_id
    seeded.sandbox.faults.add(
        Fault(route="GET /users/{userId}", kind="body", body='{"isEnrolled": true, "plan": "gold"}')
    )
    sync_from(seeded, refresh_users=[user])
    assert [version[0] for version in versions("users", user, "plan")] == [None, "gold"]


@pytest.mark.deep
def test_a_composed_pipeline_updates_history_with_one_more_line(seeded: RunningSandbox) -> None:
    pipeline = dlt.pipeline("authsignal_pipeline", destination="duckdb", dataset_name="authsignal_data")
    reading: dict[str, Any] = {"base_url": seeded.url, "api_secret_key": SECRET, "rate": "max"}
    pipeline.run(authsignal_source(**reading))
    assert set(update_history(pipeline).values()) == {0}
    user = next(iter(seeded.sandbox.store.users()))
    for authenticator in list(seeded.sandbox.store.authenticators(user.user_id)):
        seeded.sandbox.store.remove_authenticator(user.user_id, authenticator.user_authenticator_id)
    pipeline.run(authsignal_source(**reading))
    marked = update_history(pipeline)
    assert marked["user_authenticators"] == rows("select count(deleted_at) from user_authenticators")[0][0]
    assert update_history(pipeline)["user_authenticators"] == 0


@pytest.mark.parametrize(
    ("loaded", "affected"),
    [
        (set(), set()),
        ({"sync_runs", "user_actions", "action_details", "unknown_user_ids"}, set()),
        ({"users"}, {"users"}),
        ({"user_reads"}, {"users", "user_authenticators", "user_devices"}),
        ({"table_reads"}, {"user_authenticators", "tenant_authenticators"}),
        ({"tenant_authenticators", "user_devices"}, {"tenant_authenticators", "user_devices"}),
        ({"configuration_reads"}, {table.name for table in CONFIGURATION}),
        (None, set(RULES)),
    ],
)
def test_history_is_updated_for_tables_that_a_load_filled_or_whose_reads_it_recorded(
    loaded: set[str] | None, affected: set[str]
) -> None:
    assert {name for name in RULES if may_change(name, loaded)} == affected


def test_a_sync_without_due_users_writes_the_history_of_a_plain_pipeline_run_before_it(empty: RunningSandbox) -> None:
    store, at = empty.sandbox.store, empty.sandbox.clock.now()
    for user_id in ("gone", "changed"):
        store.put_user(User(user_id=user_id, created_at=at, email=f"{user_id}@example.com"))
    sync_from(empty)
    store.remove_user("gone", actions=True)
    store.put_user(User(user_id="changed", created_at=at, email="new@example.com"))
    pipeline = attach()
    pipeline.run(
        authsignal_source(base_url=empty.url, api_secret_key=SECRET, privacy="keep", reads=known_reads(pipeline))
    )
    assert rows("select count(deleted_at) from users") == [(0,)]
    assert sync_from(empty).users_due == 0
    assert rows("select user_id from users where deleted_at is not null") == [("gone",)]
    assert [version[0] for version in versions("users", "changed", "email")] == [
        "changed@example.com",
        "new@example.com",
    ]
    assert versions("users", "gone")[-1][1] is not None


def test_a_sync_updates_history_before_its_load_only_after_loads_that_are_not_its_own(empty: RunningSandbox) -> None:
    def versions_after_removal() -> int:
        with attach().sql_client() as client:
            client.execute_sql("DELETE FROM users_history")
        sync_from(empty)
        ((count,),) = rows("select count(*) from users_history")
        return int(count)

    empty.sandbox.store.put_user(User(user_id="ann", created_at=empty.sandbox.clock.now()))
    for _ in range(2):
        sync_from(empty)
    pipeline = attach()
    detect(pipeline)
    assert versions_after_removal() == 0
    pipeline.run([{"id": 1}], table_name="teams")
    assert versions_after_removal() == 1
    with pipeline.sql_client() as client:
        client.drop_tables("user_devices")
    assert versions_after_removal() == 1


@pytest.mark.deep
def test_updating_history_twice_changes_nothing(seeded: RunningSandbox) -> None:
    synced(seeded)
    user = next(iter(seeded.sandbox.store.users()))
    seeded.sandbox.store.remove_user(user.user_id, actions=True)
    sync_from(seeded)
    tables = ("users", "users_history", "user_authenticators", "user_authenticators_history")
    before = [rows(f"select * from {name} order by all") for name in tables]
    for _ in range(2):
        update_history(attach())
    assert [rows(f"select * from {name} order by all") for name in tables] == before


@pytest.mark.parametrize("lost", deep_after(1, ["users_history", "user_reads"]))
def test_update_history_recreates_a_dropped_table(seeded: RunningSandbox, lost: str) -> None:
    synced(seeded)
    pipeline = attach()
    with pipeline.sql_client() as client:
        client.drop_tables(lost)
    assert set(update_history(pipeline).values()) == {0}
    assert rows(f"select count(*) from {lost}") == [(40 if lost == "users_history" else 0,)]
