"""What is gone is marked and kept, what comes back lives again, and what only seems to be gone is neither."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dlt_authsignal.errors import AuthsignalError, ConfigurationError, TooManyDeletes, UnexpectedAnswer
from dlt_authsignal.pipeline.sync.report import SyncReport
from dlt_authsignal.sandbox import Fault, RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator, User
from tests.helpers import at, command, rows, sync_from, table
from tests.loaded import synced
from tests.tiers import deep_after


def deleted(report: SyncReport) -> dict[str, int]:
    """Rows that a run marked, without tables of which there were none."""
    return {name: counts.deleted for name, counts in report.tables.items() if counts.deleted}


def ids_of(query: str) -> set[str]:
    return {row[0] for row in rows(query)}


def holder(running: RunningSandbox, authenticators: int) -> User:
    """A user with so many authenticators."""
    store = running.sandbox.store
    return next(user for user in store.users() if len(list(store.authenticators(user.user_id))) == authenticators)


def test_a_deleted_authenticator_keeps_its_values_and_is_restored_when_it_returns(
    seeded: RunningSandbox,
) -> None:
    synced(seeded)
    user = holder(seeded, 2)
    gone, _stays = seeded.sandbox.store.authenticators(user.user_id)
    before = {row["user_authenticator_id"]: row for row in table("user_authenticators")}
    seeded.sandbox.store.remove_authenticator(user.user_id, gone.user_authenticator_id)

    begun = datetime.now(UTC)
    report = sync_from(seeded, refresh_users=[user.user_id])
    assert deleted(report) == {"user_authenticators": 1}
    after = {row["user_authenticator_id"]: row for row in table("user_authenticators")}
    when = after[gone.user_authenticator_id].pop("deleted_at")
    assert after == before
    assert begun <= when <= datetime.now(UTC)
    assert report.tables["user_authenticators"].total == len(before) - 1

    assert deleted(sync_from(seeded, full=True)) == {}  # once is enough
    assert ids_of("select user_authenticator_id from user_authenticators where deleted_at is not null") == {
        gone.user_authenticator_id
    }
    seeded.sandbox.store.put_authenticator(gone)
    back = sync_from(seeded, full=True)
    assert back.tables["user_authenticators"].new == 1
    assert {row["user_authenticator_id"]: row for row in table("user_authenticators")} == before


@pytest.mark.deep
def test_an_empty_list_of_authenticators_deletes_the_last_one(seeded: RunningSandbox) -> None:
    synced(seeded)
    user = holder(seeded, 1)
    (only,) = seeded.sandbox.store.authenticators(user.user_id)
    seeded.sandbox.store.remove_authenticator(user.user_id, only.user_authenticator_id)
    assert deleted(sync_from(seeded))["user_authenticators"] == 1  # the list shows that the user is no longer enrolled
    assert ids_of("select user_authenticator_id from user_authenticators where deleted_at is not null") == {
        only.user_authenticator_id
    }


@pytest.mark.deep
@pytest.mark.parametrize("actions", deep_after(1, [True, False]), ids=["with their actions", "without their actions"])
def test_a_user_missing_from_the_list_is_looked_up_and_marked_as_deleted_with_their_rows(
    seeded: RunningSandbox, actions: bool
) -> None:
    synced(seeded)
    user = holder(seeded, 2)
    theirs = {name: rows(f"select count(*) from {name} where user_id = '{user.user_id}'")[0][0] for name in ALL}
    seeded.sandbox.store.remove_user(user.user_id, actions=actions)
    report = sync_from(seeded)
    assert deleted(report) == {name: count for name, count in theirs.items() if count and name != "user_actions"}
    assert report.users_found == 40
    assert report.users_due == report.users_read == 1
    assert rows("select count(*) from unknown_user_ids") == [(0,)]
    assert ids_of("select user_id from users where deleted_at is not null") == {user.user_id}
    again = sync_from(seeded)
    assert (again.users_due, deleted(again)) == (0, {})


ALL = ("users", "user_authenticators", "user_actions", "user_devices")


@pytest.mark.deep
def test_a_user_who_returns_is_restored_with_their_current_rows(seeded: RunningSandbox) -> None:
    synced(seeded)
    user = holder(seeded, 2)
    had = list(seeded.sandbox.store.authenticators(user.user_id))
    seeded.sandbox.store.remove_user(user.user_id, actions=True)
    sync_from(seeded)
    seeded.sandbox.store.put_user(user)
    seeded.sandbox.store.put_authenticator(had[0])
    report = sync_from(seeded)
    assert report.tables["users"].new == report.tables["user_authenticators"].new == 1
    assert rows(f"select count(*) from users where user_id = '{user.user_id}' and deleted_at is null") == [(1,)]
    alive = ids_of(
        f"select user_authenticator_id from user_authenticators where user_id = '{user.user_id}' and deleted_at is null"
    )
    assert alive == {had[0].user_authenticator_id}


@pytest.mark.deep
def test_a_user_restored_by_a_partial_run_is_restored_in_the_other_tables_by_the_next(seeded: RunningSandbox) -> None:
    synced(seeded)
    ((user_id,),) = rows("select min(user_id) from user_devices")
    ((devices,),) = rows(f"select count(*) from user_devices where user_id = '{user_id}'")
    seeded.snapshot("before")
    seeded.sandbox.store.remove_user(user_id, actions=True)
    sync_from(seeded)
    seeded.restore("before")
    sync_from(seeded, tables=["users"])
    sync_from(seeded)
    alive = f"select count(*) from user_devices where user_id = '{user_id}' and deleted_at is null"
    assert rows(alive) == [(devices,)]


@pytest.mark.deep
def test_a_user_missing_from_the_list_is_looked_up_at_a_limited_rate_too(seeded: RunningSandbox) -> None:
    sync_from(seeded, rate=1000)
    user = holder(seeded, 2)
    seeded.sandbox.store.remove_user(user.user_id, actions=True)
    assert deleted(sync_from(seeded, rate=1000))["users"] == 1
    assert ids_of("select user_id from users where deleted_at is not null") == {user.user_id}


def test_an_existing_user_missing_from_the_list_is_not_marked_as_deleted(seeded: RunningSandbox) -> None:
    synced(seeded)
    said = list(seeded.sandbox.store.users())[:30]
    page = {"users": [{"userId": user.user_id, "isEnrolled": True} for user in said]}
    seeded.sandbox.faults.add(Fault(route="GET /users", kind="body", body=json.dumps(page)))
    report = sync_from(seeded)
    assert (report.users_found, deleted(report)) == (40, {})
    assert rows("select count(*), count(deleted_at) from users") == [(40, 0)]
    assert sync_from(seeded).users_due == 40  # the list says what it said before, and that is a change


@pytest.mark.deep
def test_an_empty_user_list_stops_the_run(seeded: RunningSandbox) -> None:
    synced(seeded)
    seeded.sandbox.faults.add(Fault(route="GET /users", kind="body", body='{"users": []}'))
    with pytest.raises(TooManyDeletes, match="40 of 40 rows of users"):
        sync_from(seeded)
    assert rows("select count(deleted_at) from users") == [(0,)]
    assert deleted(sync_from(seeded, full=True)) == {}


def test_more_deletes_than_allowed_stop_the_run_before_the_load(seeded: RunningSandbox) -> None:
    synced(seeded)
    before = {name: table(name) for name in ALL}
    for user in list(seeded.sandbox.store.users())[:21]:
        for authenticator in list(seeded.sandbox.store.authenticators(user.user_id)):
            seeded.sandbox.store.remove_authenticator(user.user_id, authenticator.user_authenticator_id)
    with pytest.raises(
        TooManyDeletes, match=r"rows of user_authenticators would be marked .* --accept-deletes"
    ) as stopped:
        sync_from(seeded)
    assert stopped.value.gone > 20
    assert {name: table(name) for name in ALL} == before
    report = sync_from(seeded, accept_deletes=True)
    assert deleted(report)["user_authenticators"] == stopped.value.gone


@pytest.fixture
def few() -> Iterator[RunningSandbox]:
    with run_in_thread(SandboxConfig(users=8, days=45, seed=7)) as running:
        yield running


@pytest.mark.deep
def test_max_deletes_is_a_number_of_rows_or_a_share_and_always_allows_twenty(few: RunningSandbox) -> None:
    sync_from(few)
    store = few.sandbox.store
    for stopping, allowing in ((("0", "1"), "2"), ((), "5%")):
        user = holder(few, 2)
        for authenticator in list(store.authenticators(user.user_id)):
            store.remove_authenticator(user.user_id, authenticator.user_authenticator_id)
        for max_deletes in stopping:
            with pytest.raises(TooManyDeletes):
                sync_from(few, max_deletes=max_deletes)
        assert deleted(sync_from(few, max_deletes=allowing))["user_authenticators"] == 2


@pytest.mark.parametrize("wrong", ["many", "-1", "5 percent", "1.5"])
def test_an_invalid_max_deletes_is_refused(few: RunningSandbox, wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="max_deletes"):
        sync_from(few, max_deletes=wrong)


AUTHENTICATORS = "GET /users/{userId}/authenticators"
OUTAGES: list[dict[str, Any]] = [
    {"route": AUTHENTICATORS, "kind": "status", "status": 503},
    {"route": AUTHENTICATORS, "kind": "body", "body": '{"error": "internal_error", "errorCode": "internal_error"}'},
    {"route": AUTHENTICATORS, "kind": "body", "body": '{"message": "try later"}'},
    {"route": AUTHENTICATORS, "kind": "body", "body": "<html>maintenance</html>"},
    {"route": "GET /users/{userId}", "kind": "body", "body": '{"error": "x", "errorCode": "x"}'},
    {"route": "GET /authenticators", "kind": "status", "status": 404},
]


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_an_outage_deletes_nothing(few: RunningSandbox) -> None:
    sync_from(few)
    for outage in OUTAGES:
        before = {name: table(name) for name in ALL}
        few.sandbox.faults.add(Fault(times=None, **outage))
        with pytest.raises(AuthsignalError):
            sync_from(few, full=True)
        few.sandbox.faults.clear()
        assert {name: table(name) for name in ALL} == before, outage
        assert deleted(sync_from(few, full=True)) == {}, outage


@pytest.mark.deep
def test_a_partial_run_marks_no_rows_in_other_tables(few: RunningSandbox) -> None:
    sync_from(few)
    user = holder(few, 2)
    for authenticator in list(few.sandbox.store.authenticators(user.user_id)):
        few.sandbox.store.remove_authenticator(user.user_id, authenticator.user_authenticator_id)
    sync_from(few, tables=["user_actions", "users"], full=True)
    assert rows("select count(deleted_at) from user_authenticators") == [(0,)]
    later = sync_from(few, full=True)
    assert deleted(later) == {"user_authenticators": 2}


@pytest.mark.parametrize("selected", deep_after(1, ["user_authenticators", "tenant_authenticators"]))
def test_a_sync_of_one_table_marks_nothing_in_tables_that_are_read_as_a_whole(
    seeded: RunningSandbox, selected: str
) -> None:
    synced(seeded)
    assert deleted(sync_from(seeded, tables=[selected], full=True)) == {}
    assert rows("select count(*) from tenant_authenticators where deleted_at is not null") == [(0,)]


@pytest.mark.deep
def test_the_command_stops_with_a_reason_and_continues_with_accept_deletes(seeded: RunningSandbox) -> None:
    settings = at(seeded)
    assert command("sync", env=settings).returncode == 0
    for user in list(seeded.sandbox.store.users())[:30]:
        seeded.sandbox.store.remove_user(user.user_id, actions=True)
    stopped = command("sync", env=settings)
    assert stopped.returncode == 1
    assert "30 of 40 rows of users would be marked as deleted" in stopped.stderr
    assert "--accept-deletes" in stopped.stderr
    done = command("sync", "--accept-deletes", env=settings)
    assert done.returncode == 0, done.stderr
    assert rows("select count(deleted_at) from users") == [(30,)]


@pytest.mark.deep
def test_a_deleted_user_is_marked_although_an_earlier_clock_was_ahead(seeded: RunningSandbox) -> None:
    synced(seeded)
    ahead = "_read_at = _read_at + interval 1 minute"
    with duckdb.connect("authsignal_pipeline.duckdb") as connection:
        for name in ("users", "user_authenticators", "user_devices"):
            connection.execute(f"update authsignal_data.{name} set {ahead}")
    user = holder(seeded, 2)
    seeded.sandbox.store.remove_user(user.user_id, actions=True)
    sync_from(seeded)
    assert ids_of("select user_id from users where deleted_at is not null") == {user.user_id}
    assert rows("select count(*) from user_authenticators where deleted_at is not null") == [(2,)]
    assert rows(f"select count(*) from users_history where valid_to is null and user_id = '{user.user_id}'") == [(0,)]


@pytest.mark.deep
def test_a_deleted_authenticator_is_marked_although_the_clock_was_set_back(seeded: RunningSandbox) -> None:
    synced(seeded)
    with duckdb.connect("authsignal_pipeline.duckdb") as connection:
        for table_name, column in (
            ("user_authenticators", "_read_at"),
            ("user_reads", "user_authenticators_read_at"),
        ):
            connection.execute(f"update authsignal_data.{table_name} set {column} = {column} + interval 1 minute")
    user = holder(seeded, 2)
    first, second = seeded.sandbox.store.authenticators(user.user_id)
    seeded.sandbox.store.remove_authenticator(user.user_id, first.user_authenticator_id)
    sync_from(seeded, refresh_users=[user.user_id])
    found = (
        f"select user_authenticator_id, deleted_at is null from user_authenticators where user_id = '{user.user_id}'"
    )
    assert set(rows(found)) == {(first.user_authenticator_id, False), (second.user_authenticator_id, True)}


@pytest.mark.deep
def test_authenticators_that_moved_to_another_user_do_not_count_as_deleted(empty: RunningSandbox) -> None:
    store, now = empty.sandbox.store, empty.sandbox.clock.now()

    def give(user: int, authenticator: int) -> None:
        store.put_authenticator(
            Authenticator(
                user_authenticator_id=f"a{authenticator}",
                user_id=f"u{user}",
                verification_method="SMS",
                created_at=now,
            )
        )

    for number in range(60):
        store.put_user(User(user_id=f"u{number}", created_at=now, email="a@example.com"))
    for number in range(30):
        give(number, number)
    sync_from(empty)
    for number in range(30):
        store.remove_authenticator(f"u{number}", f"a{number}")
        give(number + 30, number)
    assert sync_from(empty, full=True, max_deletes=0).tables["user_authenticators"].deleted == 0
    assert rows("select count(*), count(deleted_at), count(distinct user_id) from user_authenticators") == [(30, 0, 30)]


@pytest.mark.parametrize("named", deep_after(1, [None, "acme"]))
@pytest.mark.deep
def test_a_removed_tenant_authenticator_is_marked_whatever_tenant_id_its_row_has(
    empty: RunningSandbox, named: str | None
) -> None:
    def set_up(*ids: str) -> None:
        said = [{"authenticatorId": id_, "verificationMethod": "SMS", "tenantId": "t-1"} for id_ in ids]
        empty.sandbox.faults.add(Fault(route="GET /authenticators", kind="body", body=json.dumps(said)))

    empty.sandbox.store.put_user(User(user_id="u", created_at=empty.sandbox.clock.now(), email="a@example.com"))
    set_up("one", "two")
    sync_from(empty)
    set_up("one")
    assert sync_from(empty, tenant_id=named).tables["tenant_authenticators"].deleted == 1
    assert rows("select authenticator_id from tenant_authenticators where deleted_at is null") == [("one",)]
    assert rows("select authenticator_id from tenant_authenticators_history where valid_to is null") == [("one",)]


def test_rows_of_another_user_stop_the_run(seeded: RunningSandbox) -> None:
    synced(seeded)
    before = table("user_devices")
    mixed_up = json.dumps([{"deviceId": "d", "userId": "somebody else"}])
    seeded.sandbox.faults.add(Fault(route="GET /users/{userId}/devices", kind="body", body=mixed_up))
    with pytest.raises(UnexpectedAnswer, match="returned a different user than requested"):
        sync_from(seeded, full=True)
    assert table("user_devices") == before


def test_a_second_tenant_is_refused_in_one_dataset(seeded: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", "authsignal_pipeline.duckdb")
    sync_from(seeded, tenant_id="one")
    with run_in_thread(SandboxConfig(users=4, seed=3)) as other, pytest.raises(ConfigurationError, match="--dataset"):
        sync_from(other, tenant_id="two", pipeline_name="another")
    assert rows("select count(*) from users where deleted_at is null") == [(40,)]


@pytest.mark.deep
def test_a_project_does_not_load_into_the_database_file_of_another_project(
    seeded: RunningSandbox, empty: RunningSandbox, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "another"):
        (workdir / name / ".dlt").mkdir(parents=True)
    monkeypatch.chdir(workdir / "one")
    sync_from(seeded)
    monkeypatch.chdir(workdir / "another")
    with pytest.raises(
        ConfigurationError, match=r"another project: it first ran in .*/one and loads into .*--pipeline-name"
    ):
        sync_from(empty, accept_deletes=True)
    sync_from(empty, pipeline_name="of_its_own")
    monkeypatch.chdir(workdir / "one")
    assert rows("select count(*) from users where deleted_at is null") == [(40,)]


@pytest.mark.deep
def test_a_listed_user_without_a_record_is_not_marked_as_deleted(empty: RunningSandbox, workdir: Path) -> None:
    empty.sandbox.store.put_user(User(user_id="silent", created_at=empty.sandbox.clock.now()))
    Path("ids.txt").write_text("silent\n", encoding="utf-8")
    sync_from(empty)
    for settings in ({"users_from": "ids.txt"}, {}):
        report = sync_from(empty, full=True, **settings)
        assert (deleted(report), report.unknown_users) == ({}, 0)
    empty.sandbox.store.remove_user("silent", actions=True)
    assert deleted(sync_from(empty))["users"] == 1


@pytest.mark.deep
@pytest.mark.parametrize(
    "body",
    [
        {"error": "internal_error"},
        *deep_after(0, [{"errorCode": "internal_error"}, {"message": "Internal server error"}]),
        {"userId": "somebody-else", "email": "else@example.com"},
    ],
    ids=", ".join,
)
def test_a_record_that_is_not_of_the_user_is_requested_again(empty: RunningSandbox, body: dict[str, str]) -> None:
    empty.sandbox.store.put_user(User(user_id="ann", created_at=empty.sandbox.clock.now(), email="ann@example.com"))
    empty.sandbox.faults.add(Fault(route="GET /users/{userId}", kind="body", body=json.dumps(body)))
    with suppress(AuthsignalError):
        sync_from(empty)
    sync_from(empty)
    assert rows("select user_id, email from users") == [("ann", "ann@example.com")]


def test_a_named_user_missing_from_the_list_is_marked_and_keeps_their_values(
    seeded: RunningSandbox,
) -> None:
    synced(seeded)
    user = holder(seeded, 2)
    before = [row for row in table("users") if row["user_id"] == user.user_id]
    seeded.sandbox.store.remove_user(user.user_id, actions=False)
    sync_from(seeded, refresh_users=[user.user_id])
    after = [row for row in table("users") if row["user_id"] == user.user_id]
    assert [row.pop("deleted_at") is not None for row in after] == [True]
    assert after == before


@pytest.mark.deep
def test_actions_of_an_unlisted_user_create_no_user(seeded: RunningSandbox) -> None:
    store, now = seeded.sandbox.store, seeded.sandbox.clock.now()
    store.put_user(User(user_id="gone", created_at=now, email="a@example.com"))
    store.put_action(
        Action(
            user_id="gone",
            action_code="signIn",
            idempotency_key="k",
            created_at=now,
            updated_at=now,
            state="ALLOW",
            state_updated_at=now,
        )
    )
    store.remove_user("gone", actions=False)
    assert sync_from(seeded, refresh_users=["gone"]).unknown_users == 1
    assert rows("select user_id, id_source from unknown_user_ids") == [("gone", "named")]
    assert rows("select count(*) from users where user_id = 'gone'") == [(0,)]
    assert sync_from(seeded, refresh_users=["gone"], tables=["users"]).unknown_users == 1


@pytest.mark.deep
def test_a_file_that_names_a_deleted_user_overwrites_nothing(seeded: RunningSandbox, workdir: Path) -> None:
    synced(seeded)
    user = holder(seeded, 2)
    before = [row for row in table("users") if row["user_id"] == user.user_id]
    seeded.sandbox.store.remove_user(user.user_id, actions=True)
    Path("ids.txt").write_text(f"{user.user_id}\n", encoding="utf-8")
    sync_from(seeded, users_from="ids.txt", full=True)
    assert [row for row in table("users") if row["user_id"] == user.user_id] == before
    sync_from(seeded)
    assert ids_of("select user_id from users where deleted_at is not null") == {user.user_id}


def test_everything_gone_in_a_small_tenant_stops_the_run(few: RunningSandbox) -> None:
    sync_from(few)
    before = {name: table(name) for name in ALL}
    faults = few.sandbox.faults
    faults.add(Fault(route="GET /users", kind="body", body='{"users": []}', times=None))
    faults.add(Fault(route="GET /users/{userId}", kind="body", body="{}", times=None))
    for part in ("authenticators", "actions", "devices"):
        faults.add(Fault(route=f"GET /users/{{userId}}/{part}", kind="body", body="[]", times=None))
    with pytest.raises(TooManyDeletes, match=r"8 of 8 rows of users .* --accept-deletes") as stopped:
        sync_from(few, max_deletes="100%")
    assert stopped.value.is_everything
    assert {name: table(name) for name in ALL} == before
    assert deleted(sync_from(few, accept_deletes=True))["users"] == 8


@pytest.mark.deep
def test_all_verification_methods_gone_stop_the_run(few: RunningSandbox) -> None:
    sync_from(few)
    few.sandbox.faults.add(Fault(route="GET /authenticators", kind="body", body="[]"))
    with pytest.raises(TooManyDeletes, match="rows of tenant_authenticators"):
        sync_from(few)


@pytest.mark.deep
@pytest.mark.parametrize("holders", [1, 2])
def test_the_last_authenticators_of_one_user_may_go_and_of_two_users_may_not(
    empty: RunningSandbox, holders: int
) -> None:
    store, now = empty.sandbox.store, empty.sandbox.clock.now()
    for number in range(4):
        store.put_user(User(user_id=f"u{number}", created_at=now, email="a@example.com"))
    for number in range(2):
        owner = f"u{number % holders}"
        store.put_authenticator(
            Authenticator(user_authenticator_id=f"a{number}", user_id=owner, verification_method="SMS", created_at=now)
        )
    sync_from(empty)
    for number in range(2):
        store.remove_authenticator(f"u{number % holders}", f"a{number}")
    if holders == 2:
        with pytest.raises(TooManyDeletes, match="2 of 2 rows of user_authenticators"):
            sync_from(empty, full=True)
    else:
        assert deleted(sync_from(empty, full=True)) == {"user_authenticators": 2}


@pytest.mark.deep
@pytest.mark.parametrize("users_from", [["listing", "known"], *deep_after(0, [["listing", "ids.txt"]])], ids=str)
def test_a_complete_user_list_concludes_a_deletion_beside_other_sources(
    few: RunningSandbox, workdir: Path, users_from: list[str]
) -> None:
    Path("ids.txt").write_text("\n".join(user.user_id for user in few.sandbox.store.users()), encoding="utf-8")
    sync_from(few, users_from=users_from)
    user = holder(few, 2)
    few.sandbox.store.remove_user(user.user_id, actions=False)
    report = sync_from(few, users_from=users_from)
    assert (deleted(report)["users"], report.users_read) == (1, 1)
    assert ids_of("select user_id from users where deleted_at is not null") == {user.user_id}
    assert deleted(sync_from(few, users_from=users_from)) == {}


@pytest.mark.deep
def test_known_ids_alone_show_that_a_user_with_data_was_deleted(few: RunningSandbox) -> None:
    few.sandbox.store.put_user(User(user_id="silent", created_at=few.sandbox.clock.now()))
    sync_from(few)
    user = holder(few, 2)
    few.sandbox.store.remove_user(user.user_id, actions=False)
    report = sync_from(few, users_from="known", full=True)
    assert (deleted(report)["users"], report.unknown_users) == (1, 0)
    assert ids_of("select user_id from users where deleted_at is not null") == {user.user_id}


@pytest.mark.deep
def test_known_ids_alone_do_not_delete_a_whole_tenant(few: RunningSandbox) -> None:
    sync_from(few)
    for user in list(few.sandbox.store.users()):
        few.sandbox.store.remove_user(user.user_id, actions=True)
    with pytest.raises(TooManyDeletes, match="8 of 8 rows"):
        sync_from(few, users_from="known", full=True)
