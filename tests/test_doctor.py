"""`dlt-authsignal doctor`: what a destination can do is shown, what it cannot is named, and nothing is left behind."""

import json
from pathlib import Path

import duckdb
import pytest

from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from tests.helpers import at, command, sync_from
from tests.warehouses import Postgres

DONE = ("driver is installed", "the connection works", "it allows creating", "it merges", "dropping")


def ticks(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("✓")]


def test_a_database_that_can_all_of_it_is_left_as_it_was(postgres_database: str) -> None:
    done = command("doctor", "--destination", "postgres", env=Postgres(postgres_database).env)  # type: ignore[arg-type]
    assert done.returncode == 2, done.stderr
    assert "No Authsignal credentials found" in done.stderr
    assert "✗ keys: none found" in done.stdout
    assert all(word in line for word, line in zip(DONE, ticks(done.stdout), strict=True))
    left = Postgres(postgres_database).rows("select count(*) from pg_namespace where nspname like 'authsignal%'")
    assert left == [(0,)]


def test_it_tries_the_file_that_a_sync_would_use_and_leaves_no_trace(workdir: Path) -> None:
    done = command("doctor", "--pipeline-name", "mine")
    assert len(ticks(done.stdout)) == len(DONE), done.stderr
    assert "mine.duckdb" in done.stdout
    assert list(workdir.rglob("*.duckdb")) == []
    with duckdb.connect("authsignal_pipeline.duckdb") as connection:
        connection.execute("create table own (a int)")
    assert command("doctor").returncode == 2  # there is no key
    with duckdb.connect("authsignal_pipeline.duckdb", read_only=True) as connection:
        schemas = connection.execute("select distinct schema_name from information_schema.schemata").fetchall()
        assert connection.execute("select count(*) from own").fetchall() == [(0,)]
    assert not [name for (name,) in schemas if name.startswith("authsignal")]


@pytest.mark.parametrize("table_format", ["delta", pytest.param("iceberg", marks=pytest.mark.slow)])
def test_files_are_tried_in_their_table_format(workdir: Path, table_format: str) -> None:
    prefix = "DESTINATION__FILESYSTEM__"
    env = {f"{prefix}BUCKET_URL": str(workdir / "lake"), f"{prefix}TABLE_FORMAT": table_format}
    done = command("doctor", "--destination", "filesystem", env=env)
    assert len(ticks(done.stdout)) == len(DONE), done.stderr
    assert [path for path in (workdir / "lake").rglob("*") if path.is_file()] == []


def test_the_first_thing_that_does_not_work_ends_it_with_what_to_do() -> None:
    url = "postgresql://loader:hunter2@127.0.0.1:1/warehouse"
    done = command("doctor", "--destination", "postgres", env={"DESTINATION__POSTGRES__CREDENTIALS": url})
    assert done.returncode == 1
    assert len(ticks(done.stdout)) == 1
    assert "Connection refused" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_the_keys_are_tried_too(empty: RunningSandbox) -> None:
    done = command("doctor", "--pipeline-name", "mine", "--dataset", "own", env=at(empty))
    assert done.returncode == 0, done.stderr
    assert "✓ api_secret_key: users, user_authenticators" in done.stdout
    assert "The tenant lists its users." in done.stdout
    assert "- address: keys are tried at 127.0.0.1" in done.stdout
    assert "sync --destination duckdb --pipeline-name mine --dataset own" in done.stdout
    assert set(empty.sandbox.log.by_route) == {"GET /authenticators", "GET /users"}


def test_a_key_that_does_not_work_is_said_and_the_destination_is_tried_all_the_same(empty: RunningSandbox) -> None:
    done = command("doctor", env=at(empty, API_SECRET_KEY="nope"))
    assert done.returncode == 2
    assert "✗ api_secret_key" in done.stdout
    assert "✓ duckdb: it merges" in done.stdout
    assert "api_secret_key does not work at 127.0.0.1" in done.stderr
    assert "nope" not in done.stdout + done.stderr


def test_one_json_object_lists_the_checks(empty: RunningSandbox) -> None:
    done = command("doctor", "--json", env=at(empty))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["ok"] is True
    assert [check["ok"] for check in found["checks"] if check["name"] in ("api_secret_key", "duckdb")] == [True] * 6
    refused = command("doctor", "--json", env=at(empty, API_SECRET_KEY="nope"))
    found = json.loads(refused.stdout)
    assert (refused.returncode, found["ok"]) == (2, False)
    assert [check["name"] for check in found["checks"] if check["ok"] is False] == ["api_secret_key"]


def test_it_says_who_is_due_and_how_long_a_sync_will_take(seeded: RunningSandbox) -> None:
    said = command("doctor", env=at(seeded, RATE="20")).stdout
    assert "✓ sync: 40 of 40 users are due: up to 160 requests, 8 seconds at 20 a second." in said
    sync_from(seeded)
    seeded.sandbox.log.clear()
    assert "✓ sync: No user is due, of 40 users." in command("doctor", env=at(seeded)).stdout
    assert "GET /users/{userId}" not in seeded.sandbox.log.by_route


def test_where_the_tenant_does_not_list_its_users_it_says_so_and_goes_on() -> None:
    with run_in_thread(SandboxConfig(users=3, listing="refused")) as running:
        done = command("doctor", env=at(running))
    assert done.returncode == 0, done.stderr
    assert "- sync: Authsignal answered 400" in done.stdout
    assert "--users-from" in done.stdout


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"PRIVACY": "pseudonymize"}, "- privacy: Identifiers are left out"),
        ({"PRIVACY": "pseudonymize", "PRIVACY_KEY": "0123456789abcdef" * 4}, "✓ privacy: identifiers are hashed"),
        ({"PRIVACY_COLUMNS": '{"users.custom": "drop"}'}, "as they are (keep)\n  but for users.custom: drop"),
    ],
)
def test_what_is_done_to_identifiers_is_said(empty: RunningSandbox, settings: dict[str, str], said: str) -> None:
    done = command("doctor", env=at(empty, **settings))
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert "0123456789abcdef" not in done.stdout + done.stderr
