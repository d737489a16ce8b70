"""One person is taken out of every byte that a pipeline keeps, and stays out; everybody else stays."""

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dlt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_authsignal.destination.stores.value_table import condition
from dlt_authsignal.destination.tombstones import Tombstones, hash_of
from dlt_authsignal.errors import AuthsignalError, ConfigurationError, NoData, RunFailed, UserErased
from dlt_authsignal.models import install, read
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.pipeline.erase.run import ErasureReport, erase, lift
from dlt_authsignal.pipeline.probe.run import probe
from dlt_authsignal.sandbox import RunningSandbox, run_in_thread
from dlt_authsignal.sandbox.tenant.entities import User
from dlt_authsignal.source.privacy.policy import Privacy
from tests.canaries import search
from tests.helpers import COMMAND, command, python, sync_from
from tests.loaded import copy_project, project
from tests.planted import CEREMONIES, Planted, config, plant
from tests.tiers import deep_after, deep_except
from tests.warehouses import DuckDB, Lake, Postgres, Warehouse

slow = pytest.mark.slow
TABLES = ["users", "user_authenticators", "user_actions", "user_devices", "action_details", "unknown_user_ids"]
ICEBERG = pytest.param("iceberg", marks=slow)
S3 = [pytest.param("delta on S3", marks=slow), pytest.param("iceberg on S3", marks=slow)]


@pytest.fixture(params=[*deep_after(2, ["duckdb", "postgres", "delta", "iceberg"]), *S3])
def warehouse(request: pytest.FixtureRequest, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """Each of the destinations of which no byte may be left."""
    found: Warehouse
    if request.param == "duckdb":
        found = DuckDB()
    elif request.param == "postgres":
        found = Postgres(request.getfixturevalue("postgres_database"))
    elif request.param.endswith("on S3"):
        endpoint, bucket = request.getfixturevalue("s3_bucket")
        found = Lake(request.param.split()[0], f"s3://{bucket}/lake", endpoint)
    else:
        found = Lake(request.param, str(workdir / "lake"))
    for name, value in found.env.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def people() -> Iterator[Planted]:
    """A tenant of a few people, one of whom is made of canaries."""
    with run_in_thread(config()) as running:
        running.sandbox.seed(users=12, days=20, seed=3)
        planted = plant(running)
        running.faults.clear()
        yield planted


def load(planted: Planted, into: Warehouse, **arguments: Any) -> Any:
    wanted: dict[str, Any] = {"destination": into.destination, "tables": TABLES, "full": True}
    key = planted.running.sandbox.config.api_secret_key
    return sync_from(planted.running, **{**wanted, "api_secret_key": key, **arguments})


def erase_from(into: Warehouse, user_id: str) -> ErasureReport:
    return erase(user_id, destination=into.destination)


def bytes_left(warehouse: Warehouse, folder: Path, values: Mapping[str, str]) -> dict[str, list[str]]:
    """Where any of the values stands: in what the destination keeps, dlt's folders and the working folder."""
    hits = search(folder, values)
    if isinstance(warehouse, Postgres):
        import psycopg2

        with closing(psycopg2.connect(warehouse.url)) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute("checkpoint")  # what is in memory, and files that were dropped
            hits += search(Path(postgres_folder(cursor)), values, leave_out_folders=other_databases(cursor))
    if isinstance(warehouse, Lake) and warehouse.s3_endpoint:
        hits += search(fetched(warehouse, folder.parent / f"{folder.name}-bucket"), values)
    found: dict[str, list[str]] = {}
    for hit in hits:
        found.setdefault(hit.name, []).append(hit.where)
    return found


def postgres_folder(cursor: Any) -> str:
    """The folder of the server's files."""
    cursor.execute("show data_directory")
    return str(cursor.fetchone()[0])


def other_databases(cursor: Any) -> tuple[str, ...]:
    """Folders that an erasure does not change: the log of the server, and the databases of other tests."""
    cursor.execute("select oid from pg_database where datname <> current_database()")
    return ("pg_wal", *(f"base/{oid}" for (oid,) in cursor.fetchall()))


def fetched(lake: Lake, folder: Path) -> Path:
    """A copy of the bucket."""
    import s3fs

    keys = {"key": "testing", "secret": "testing", "endpoint_url": lake.s3_endpoint}
    files = s3fs.S3FileSystem(**keys, skip_instance_cache=True, use_listings_cache=False)
    root = lake.url.removeprefix("s3://")
    shutil.rmtree(folder, ignore_errors=True)  # an earlier copy
    for path in files.find(root):
        to = folder / path.removeprefix(root).lstrip("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(files.cat_file(path))
    return folder


def others(warehouse: Warehouse, user_id: str) -> dict[str, list[tuple[Any, ...]]]:
    """The keys and contents of everybody else's rows."""
    quoted = user_id.replace("'", "''")
    return {
        name: warehouse.rows(f"select user_id, _row_hash from {name} where user_id <> '{quoted}' order by 1, 2")
        for name in ("users", "user_authenticators", "user_actions", "user_devices", "action_details")
    }


def test_an_erased_user_leaves_no_byte_and_other_users_are_untouched(
    people: Planted, warehouse: Warehouse, workdir: Path
) -> None:
    for _ in range(2):  # so that there are earlier states
        load(people, warehouse)
    known = people.personal
    before = others(warehouse, people.user_id)
    assert len(before["users"]) == 12
    there = bytes_left(warehouse, workdir, known)
    assert there.keys() >= known.keys() - {"device id"}  # which the sandbox makes up

    report = erase_from(warehouse, people.user_id)
    assert bytes_left(warehouse, workdir, known) == {}
    assert others(warehouse, people.user_id) == before
    assert {name for name, count in report.rows.items() if count} >= {"users", "user_authenticators", "user_reads"}
    assert report.is_rewritten

    again = erase_from(warehouse, people.user_id)
    assert again.is_empty
    assert again.was_erased
    assert again.erased_at == report.erased_at
    assert others(warehouse, people.user_id) == before
    assert bytes_left(warehouse, workdir, known) == {}


@pytest.mark.deep
@pytest.mark.parametrize("privacy", ["keep", "pseudonymize"])
def test_the_log_of_postgresql_contains_no_value_of_an_erased_user(
    people: Planted, postgres_database: str, privacy: str, monkeypatch: pytest.MonkeyPatch, workdir: Path
) -> None:
    import psycopg2

    warehouse = Postgres(postgres_database)
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres_database)
    with closing(psycopg2.connect(postgres_database)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        name = connection.info.dbname
        for setting in ("log_statement = 'all'", "log_min_duration_statement = 0", "log_parameter_max_length = -1"):
            cursor.execute(f"alter database {name} set {setting}")
        cursor.execute("show data_directory")
        log = Path(cursor.fetchone()[0]).parent / "log"
        before = log.stat().st_size
        load(people, warehouse, privacy=privacy)
        for settings in ({"refresh_users": [people.user_id]}, {"users_from": ["listing", "known"]}):
            load(people, warehouse, privacy=privacy, full=False, **settings)
        report = erase_from(warehouse, people.user_id)
        assert lift(people.user_id, destination="postgres")
    logged = log.read_bytes()[before:]
    assert not report.is_empty
    assert b"DELETE FROM" in logged
    assert b"FROM STDIN" in logged
    (workdir / "logged").mkdir()
    (workdir / "logged" / "log").write_bytes(logged)
    assert search(workdir / "logged", people.personal) == []


@pytest.mark.deep
def test_a_role_that_may_not_make_temporary_tables_gets_the_reason_and_the_erasure_can_be_repeated(
    people: Planted, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg2

    warehouse = Postgres(postgres_database)
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres_database)
    load(people, warehouse, privacy="keep")
    name = postgres_database.rsplit("/", maxsplit=1)[1]
    role = f"limited_{name}"
    with closing(psycopg2.connect(postgres_database)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(f"revoke temporary on database {name} from public")
        cursor.execute(f"create role {role} login; grant connect, create on database {name} to {role}")
        for schema in ("authsignal_data", "authsignal_data_staging"):
            cursor.execute(
                f"grant all on schema {schema} to {role}; grant all on all tables in schema {schema} to {role}"
            )
        monkeypatch.setenv(
            "DESTINATION__POSTGRES__CREDENTIALS", postgres_database.replace("loader:loader", f"{role}:x")
        )
        with pytest.raises(AuthsignalError, match=r"(?s)temporary tables.*docs/destinations.md") as raised:
            erase_from(warehouse, people.user_id)
        assert people.user_id not in str(raised.value)
        cursor.execute(f"grant temporary on database {name} to {role}")
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres_database)
    assert not erase_from(warehouse, people.user_id).is_empty


def test_values_of_every_form_are_found_in_postgresql(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch, workdir: Path
) -> None:
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres_database)
    values = ["ann", " ann ", "", "\\N", "\\.", "a\\b", "a\tb", "a\nb", "a\r", "o'hara", '"', "%s", "zoë", "人", "😀"]
    pipeline = dlt.pipeline("values", destination="postgres", dataset_name="values_of_tests")
    with pipeline.sql_client() as sql, sql.begin_transaction():
        sql.execute_sql("create temporary table held (value varchar)")
        for value in [*values, "another", "N", "ab"]:
            sql.execute_sql("insert into held values (%s)", value)
        with condition(sql, "value", [*values, "a\x00b"]) as (is_one, parameters):
            found = sql.execute_sql(f"select value from held where {is_one}", *parameters)
        with condition(sql, "value", []) as (is_one, parameters):
            assert sql.execute_sql(f"select value from held where {is_one}", *parameters) == []
    assert sorted(value for (value,) in found or ()) == sorted(values)


@pytest.mark.deep
@pytest.mark.parametrize("warehouse", [*deep_after(1, ["duckdb", "postgres", "delta"]), ICEBERG, *S3], indirect=True)
def test_no_sync_reloads_an_erased_user_until_the_tombstone_is_removed(
    people: Planted, warehouse: Warehouse, workdir: Path
) -> None:
    load(people, warehouse)
    erase_from(warehouse, people.user_id)
    (workdir / "ids.txt").write_text(f"{people.user_id}\n", encoding="utf-8")
    for settings in ({"users_from": ["listing", "ids.txt", "known"]}, {"refresh_users": [people.user_id]}):
        report = load(people, warehouse, **settings)
        assert report.users_found == 12
    (workdir / "ids.txt").unlink()
    assert bytes_left(warehouse, workdir, {"user id": people.user_id}) == {}

    assert lift(people.user_id, destination=warehouse.destination)
    assert not lift(people.user_id, destination=warehouse.destination)
    assert load(people, warehouse, full=False).users_read == 1
    assert len(warehouse.rows("select user_id from users")) == 13


@pytest.fixture(scope="module")
def loaded_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Planted, Path]]:
    """Such a tenant for all tests that do not change it, and the folder of its sync into DuckDB."""
    folder = tmp_path_factory.mktemp("loaded-people")
    with run_in_thread(replace(config(), token_minutes=24 * 60)) as running:
        running.sandbox.seed(users=12, days=20, seed=3)
        planted = plant(running)
        running.faults.clear()
        with project(folder):
            load(planted, DuckDB())
        yield planted, folder


@pytest.fixture
def loaded_people(loaded_once: tuple[Planted, Path], workdir: Path) -> Planted:
    """That tenant, with a copy of its database here."""
    planted, folder = loaded_once
    copy_project(folder, workdir)
    return planted


@pytest.mark.deep
def test_an_erasure_makes_no_other_user_due(loaded_people: Planted) -> None:
    erase(loaded_people.user_id)
    assert load(loaded_people, DuckDB(), full=False).users_read == 0


@pytest.mark.deep
def test_a_composed_pipeline_skips_the_erased_person(loaded_people: Planted) -> None:
    import dlt

    from dlt_authsignal import authsignal_source

    erase(loaded_people.user_id)
    pipeline = dlt.pipeline("authsignal_pipeline", destination="duckdb", dataset_name="authsignal_data")
    key = loaded_people.running.sandbox.config.api_secret_key
    url = loaded_people.running.url
    pipeline.run(authsignal_source(base_url=url, api_secret_key=key, rate="max", privacy="keep"))
    assert len(DuckDB().rows("select user_id from users")) == 12


@pytest.mark.deep
def test_the_kpi_views_still_exist_after_an_erasure(loaded_people: Planted) -> None:
    install(attach())
    erase("nobody")  # so that the file is written anew with the views in it
    assert read(attach())
    before = {kpi.model.name for kpi in read(attach())}
    erase(loaded_people.user_id)
    assert {kpi.model.name for kpi in read(attach())} == before


@pytest.mark.deep
def test_rows_in_copied_tables_are_erased_and_views_are_unchanged(loaded_people: Planted, workdir: Path) -> None:
    import duckdb

    with duckdb.connect("authsignal_pipeline.duckdb") as connection:
        connection.execute('create table authsignal_data."My copy" as select * from authsignal_data.users')
        connection.execute("create view authsignal_data.seen as select * from authsignal_data.users")
    report = erase(loaded_people.user_id)
    assert report.rows["my copy"] == 1
    assert "seen" not in report.rows
    assert len(DuckDB().rows("select * from seen")) == 12
    assert search(workdir, loaded_people.personal) == []


@pytest.mark.deep
def test_an_unknown_user_id_leaves_a_tombstone(loaded_people: Planted, workdir: Path) -> None:
    assert erase("yet-to-come").is_empty
    (workdir / "ids.txt").write_text("yet-to-come\nnobody\n", encoding="utf-8")
    assert load(loaded_people, DuckDB(), users_from=["ids.txt"]).users_found == 1


CLIENT = ["user_authenticators"]


@pytest.mark.deep
def test_a_client_api_sync_refuses_a_token_of_an_erased_user(loaded_people: Planted) -> None:
    erase(loaded_people.user_id)
    token = loaded_people.token
    for tables in (CLIENT, ["passkey_register_options"]):
        with pytest.raises(UserErased, match=r"erased from the dataset on \d{4}-.*erase --lift"):
            sync_from(
                loaded_people.running,
                api_secret_key=None,
                token=token,
                privacy="keep",
                apis=["client"],
                tables=tables,
            )
    assert people_of("user_authenticators") & {loaded_people.user_id} == set()


def people_of(table: str) -> set[str]:
    return {row[0] for row in DuckDB().rows(f"select user_id from {table}")}


@pytest.mark.deep
def test_ceremony_rows_of_the_user_are_erased_also_those_that_contain_only_their_passkey(
    loaded_people: Planted, workdir: Path
) -> None:
    values = {
        "token": loaded_people.token,
        "username": loaded_people.personal["username"],
        "origin": "http://localhost:3000",
    }
    asked = {
        "action": "signIn",
        "tenant_id": loaded_people.running.sandbox.config.tenant_id,
        "apis": ["client"],
        **values,
    }
    sync_from(loaded_people.running, api_secret_key=None, tables=list(CEREMONIES), **asked)
    load(loaded_people, DuckDB())
    assert people_of("passkey_register") == {loaded_people.user_id}
    report = erase(loaded_people.user_id)
    named = [name for name in report.rows if name.startswith("passkey_") and report.rows[name]]
    assert {"passkey_register", "passkey_register_options"} <= set(named)
    assert search(workdir, loaded_people.personal) == []


@pytest.mark.deep
def test_an_erased_canary_is_not_probed(empty: RunningSandbox) -> None:
    settings: dict[str, Any] = {"user_id": "canary", "base_url": empty.url, "api_secret_key": "sandbox-server-secret"}
    assert probe(**settings).works
    erase("canary", pipeline_name="authsignal_probe")
    with pytest.raises(UserErased):
        probe(**settings)
    lift("canary", pipeline_name="authsignal_probe")
    assert probe(**settings).works


KILLED = """
import importlib, os, sys

from dlt_authsignal.pipeline.erase.run import erase

user_id, module, function = sys.argv[1:]
setattr(importlib.import_module(f"dlt_authsignal.pipeline.erase.{module}"), function, lambda *_: os._exit(9))
erase(user_id)
"""


MOMENTS = [
    "run:_erase_data",
    "run:_rewrite",
    "duckdb_rewrite:_flush",
    "duckdb_rewrite:_replace",
    "run:erase_leftovers",
]


@pytest.mark.parametrize("moment", deep_except(["duckdb_rewrite:_replace"], MOMENTS))
def test_an_erasure_killed_at_any_point_can_be_repeated_and_no_sync_reloads_the_user(
    loaded_people: Planted, workdir: Path, moment: str
) -> None:
    before = others(DuckDB(), loaded_people.user_id)
    done = python("-c", KILLED, loaded_people.user_id, *moment.split(":"))
    assert done.returncode == 9, done.stderr
    assert others(DuckDB(), loaded_people.user_id) == before
    assert load(loaded_people, DuckDB()).users_found == 12
    report = erase(loaded_people.user_id)
    assert report.was_erased
    assert search(workdir, loaded_people.personal) == []
    beside = {path.name for path in workdir.glob("*.duckdb*") if path.suffix != ".lock"}
    assert beside == {"authsignal_pipeline.duckdb"}


PENDING = """
import os, sys
from dlt.pipeline.pipeline import Pipeline
from dlt_authsignal import sync
from dlt_authsignal.pipeline.attach import make_pipeline

setattr(Pipeline, sys.argv[1], lambda *_, **__: os._exit(9))
sync(make_pipeline(), full=True)
"""


def interrupted(people: Planted, step: str) -> None:
    """Leaves a package that holds everybody: extracted, or normalized."""
    done = python("-c", PENDING, step, env=people.env("api_secret_key", privacy="keep"))
    assert done.returncode == 9, done.stderr
    assert attach().has_pending_data


@pytest.mark.parametrize("step", deep_except(["load"], ["normalize", "load"]))
@pytest.mark.deep
def test_a_pending_package_is_loaded_first_and_then_erased_from(people: Planted, workdir: Path, step: str) -> None:
    load(people, DuckDB(), tables=["tenant_authenticators"])
    interrupted(people, step)
    report = erase(people.user_id)
    assert report.finished_pending
    assert report.rows["users"] == 1
    assert search(workdir, people.personal) == []
    assert len(people_of("users")) == 12


@pytest.mark.deep
def test_a_pending_package_that_the_destination_refuses_is_dropped(
    loaded_people: Planted, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import duckdb

    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")
    interrupted(loaded_people, "load")
    with duckdb.connect("authsignal_pipeline.duckdb") as connection:
        connection.execute("delete from authsignal_data.users")
        connection.execute("alter table authsignal_data.users alter email type integer using 0")
    report = erase(loaded_people.user_id)
    assert report.dropped_pending
    assert not attach().has_pending_data
    assert search(workdir, loaded_people.personal) == []


@pytest.mark.deep
def test_a_pending_package_on_another_machine_does_not_reload_an_erased_user(
    people: Planted, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(people, DuckDB(), tables=["tenant_authenticators"])
    interrupted(people, "load")
    monkeypatch.setenv("DLT_DATA_DIR", str(workdir / "another-disk"))
    erase(people.user_id)
    monkeypatch.setenv("DLT_DATA_DIR", str(workdir / "dlt"))
    report = load(people, DuckDB(), full=False)
    assert not report.finished_pending
    assert report.users_read == 12
    assert people.user_id not in people_of("users")


@pytest.mark.deep
def test_ceremony_rows_that_contain_a_passkey_of_the_user_are_erased(loaded_people: Planted) -> None:
    import duckdb

    asked = {
        "token": loaded_people.token,
        "apis": ["client"],
        "tables": ["passkey_authentication_options"],
    }
    sync_from(loaded_people.running, api_secret_key=None, **asked)
    with duckdb.connect("authsignal_pipeline.duckdb") as connection:
        connection.execute(
            "update authsignal_data.user_authenticators set webauthn_credential__credential_id = 'cred-1'"
            " where user_id = ?",
            [loaded_people.user_id],
        )
        connection.execute(
            "update authsignal_data.passkey_authentication_options set allowed_credential_ids = '[\"cred-1\"]'"
        )
    assert erase(loaded_people.user_id).rows["passkey_authentication_options"] == 1
    assert erase(loaded_people.user_id).rows["passkey_authentication_options"] == 0


@pytest.mark.deep
def test_an_open_transaction_that_still_sees_the_rows_is_reported(
    people: Planted, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg2

    warehouse = Postgres(postgres_database)
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres_database)
    load(people, warehouse)
    with closing(psycopg2.connect(postgres_database)) as reader:
        reader.set_session(isolation_level="REPEATABLE READ")
        reader.cursor().execute("select 1")
        with pytest.raises(RunFailed, match=r"can still see \d+ old versions.*pg_stat_activity"):
            erase_from(warehouse, people.user_id)
    assert erase_from(warehouse, people.user_id).is_empty


@pytest.mark.deep
def test_a_database_file_open_in_another_program_is_reported(loaded_people: Planted) -> None:
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", code, "authsignal_pipeline.duckdb"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout
        other.stdout.readline()
        with pytest.raises(RunFailed, match="open in another program"):
            erase(loaded_people.user_id)
    finally:
        other.communicate(timeout=60)
    assert erase(loaded_people.user_id).rows["users"] == 1


def test_the_command_reports_what_it_removed_and_never_the_user_id(loaded_people: Planted, workdir: Path) -> None:
    unsure = command("erase", loaded_people.user_id)
    assert unsure.returncode == 2
    assert "--yes" in unsure.stderr

    done = command("erase", loaded_people.user_id, "--yes")
    assert done.returncode == 0, done.stderr
    assert "users" in done.stdout
    assert "Tombstone written on " in done.stdout
    assert loaded_people.user_id not in done.stdout + done.stderr


@pytest.mark.deep
def test_a_second_run_of_the_command_removes_nothing_and_keeps_the_tombstone(loaded_people: Planted) -> None:
    erased_at = erase(loaded_people.user_id).erased_at
    again = json.loads(command("erase", loaded_people.user_id, "--yes", "--json").stdout)
    assert set(again["rows"].values()) == set(again["places"].values()) == {0}
    assert again["was_erased"]
    assert datetime.fromisoformat(again["erased_at"]) == erased_at


@pytest.mark.deep
def test_the_command_removes_a_tombstone_once(loaded_people: Planted) -> None:
    erase(loaded_people.user_id)
    lifted = command("erase", "--lift", loaded_people.user_id)
    assert "Removed the tombstone. The next sync reads this person again." in lifted.stdout
    assert "no tombstone" in command("erase", "--lift", loaded_people.user_id).stdout


@pytest.mark.deep
def test_the_command_asks_for_confirmation_on_a_terminal(loaded_people: Planted) -> None:
    import pexpect

    from tests.helpers import COMMAND

    for answer, left in (("n", 13), ("y", 12)):
        child = pexpect.spawn(COMMAND, ["erase", loaded_people.user_id], timeout=60)
        child.expect("Permanently")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == (0 if answer == "y" else 1)
        assert len(people_of("users")) == left


@pytest.mark.deep
def test_the_user_id_can_be_passed_on_standard_input(loaded_people: Planted) -> None:
    from tests.helpers import COMMAND

    done = subprocess.run(
        [COMMAND, "erase", "-", "--yes", "--json"],
        input=f"{loaded_people.user_id}\n",
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert json.loads(done.stdout)["rows"]["users"] == 1


def test_an_empty_id_and_a_missing_dataset_are_refused(workdir: Path) -> None:
    with pytest.raises(ConfigurationError, match="user id is empty"):
        erase(" ")
    with pytest.raises(NoData):
        erase("ann")
    assert list(workdir.glob("*.duckdb*")) == []


@given(st.lists(st.text(), min_size=1, max_size=20, unique=True), st.text())
def test_a_tombstone_matches_the_erased_user_and_no_other(erased: list[str], other: str) -> None:
    salts, now = ("00" * 16, "ff" * 16), datetime.now(UTC)
    found = Tombstones(
        (hash_of(user_id, salts[place % 2]), salts[place % 2], now) for place, user_id in enumerate(erased)
    )
    assert all(user_id in found for user_id in erased)
    assert (other in found) == (other in erased)
    assert len(found) == len(erased)


def test_a_tombstone_is_a_plain_hmac_sha256() -> None:
    import hashlib
    import hmac

    assert hash_of("ann", "0a" * 16) == hmac.new(bytes.fromhex("0a" * 16), b"ann", hashlib.sha256).hexdigest()


@pytest.mark.deep
def test_a_user_stored_as_a_hash_is_found_under_former_privacy_keys_too(
    empty: RunningSandbox, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, first, second = "zoe@example.com", "3f9c1be07a52d8644e0d97b1c65fa238", "b82d60f4917ce35a0c49d7e16fb3852e"
    empty.sandbox.store.put_user(User(user_id=address, created_at=empty.sandbox.clock.now(), email=address))
    sync_from(empty, privacy="pseudonymize", privacy_key=first)
    assert len(people_of("users")) == 1
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__PRIVACY_KEY", second)
    assert erase(address).is_empty
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__FORMER_PRIVACY_KEYS", f"{'0' * 64} {first}")
    report = erase(address)
    assert report.was_erased
    assert report.rows["users"] == report.rows["users_history"] == 1
    assert sync_from(empty, privacy="pseudonymize", privacy_key=second).users_found == 0


@pytest.mark.deep
def test_an_id_that_looks_like_the_pseudonym_of_another_user_does_not_erase_that_user(
    empty: RunningSandbox, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "b82d60f4917ce35a0c49d7e16fb3852e71a0c9d54f683be2960d1ef7a4538c2b"
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__PRIVACY_KEY", key)
    pseudonym = Privacy(key=key).stored_id("zoe@example.com")
    for user_id in ("zoe@example.com", pseudonym):
        empty.sandbox.store.put_user(User(user_id=user_id, created_at=empty.sandbox.clock.now()))
    sync_from(empty, privacy="pseudonymize", privacy_key=key)
    assert len(people_of("users")) == 2
    assert erase(pseudonym).rows["users"] == 1
    assert people_of("users") == {pseudonym}  # the row of zoe@example.com
    assert sync_from(empty, privacy="pseudonymize", privacy_key=key).users_found == 1


@pytest.mark.parametrize(
    ("argument", "given"), deep_after(1, [(b"\xff\xfe", b""), (b"-", b"\xff\xfe\n"), (b"-", b"bob\ncy\n"), (b"-", b"")])
)
def test_an_invalid_user_id_is_refused(workdir: Path, argument: bytes, given: bytes) -> None:
    refused = subprocess.run(
        [COMMAND, "erase", "--yes", "--", argument], input=given, capture_output=True, timeout=50, check=False
    )
    assert refused.returncode == 2
    assert b"Traceback" not in refused.stderr
    assert b"user id" in refused.stderr


@pytest.mark.deep
def test_a_typed_user_id_ends_with_its_line_and_the_confirmation_is_asked_next(workdir: Path) -> None:
    here, there = pty.openpty()
    asked = subprocess.Popen([COMMAND, "erase", "-"], stdin=there, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    os.write(here, b"bob\nn\n")
    said, _ = asked.communicate(timeout=50)
    os.close(here)
    os.close(there)
    assert b"Permanently remove this person" in said
    assert (asked.returncode, b"Stopped." in said) == (1, True)
