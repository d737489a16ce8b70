"""One person is taken out of every byte that a pipeline keeps, and stays out; everybody else stays."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dlt_authsignal.errors import UserErased
from dlt_authsignal.models import install, read
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.source.erasure.erase import ErasureReport, erase, lift
from dlt_authsignal.source.probe import probe
from dlt_authsignal.source.sync import attach
from tests.canaries import search
from tests.helpers import at, command, sync_from
from tests.planted import CEREMONIES, Planted, config, plant
from tests.warehouses import DuckDB, Lake, Postgres, Warehouse

slow = pytest.mark.slow
TABLES = ["users", "user_authenticators", "user_actions", "user_devices", "action_details", "unknown_user_ids"]
S3 = [pytest.param("delta on S3", marks=slow), pytest.param("iceberg on S3", marks=slow)]


@pytest.fixture(params=["duckdb", "postgres", "delta", "iceberg", *S3])
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
    wanted: dict[str, Any] = {"destination": into.destination, "resources": TABLES, "full": True}
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
            cursor.execute("show data_directory")
            hits += [hit for hit in search(Path(cursor.fetchone()[0]), values) if not hit.where.startswith("pg_wal/")]
    if isinstance(warehouse, Lake) and warehouse.s3_endpoint:
        hits += search(fetched(warehouse, folder.parent / f"{folder.name}-bucket"), values)
    found: dict[str, list[str]] = {}
    for hit in hits:
        found.setdefault(hit.name, []).append(hit.where)
    return found


def fetched(lake: Lake, folder: Path) -> Path:
    """A copy of the bucket."""
    import s3fs

    keys = {"key": "testing", "secret": "testing", "endpoint_url": lake.s3_endpoint}
    files = s3fs.S3FileSystem(**keys, skip_instance_cache=True, use_listings_cache=False)
    root = lake.url.removeprefix("s3://")
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


def test_no_byte_of_the_person_is_left_and_everybody_else_is_untouched(
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


def test_no_sync_brings_the_person_back_until_the_tombstone_is_lifted(
    people: Planted, warehouse: Warehouse, workdir: Path
) -> None:
    load(people, warehouse)
    erase_from(warehouse, people.user_id)
    (workdir / "ids.txt").write_text(f"{people.user_id}\n", encoding="utf-8")
    for roster in ({"users_from": ["listing", "ids.txt", "known"]}, {"read_now": [people.user_id]}):
        report = load(people, warehouse, **roster)
        assert report.users_found == 12
    (workdir / "ids.txt").unlink()
    assert bytes_left(warehouse, workdir, {"user id": people.user_id}) == {}

    assert lift(people.user_id, destination=warehouse.destination)
    assert not lift(people.user_id, destination=warehouse.destination)
    assert load(people, warehouse, full=False).users_read == 1
    assert len(warehouse.rows("select user_id from users")) == 13


@pytest.fixture
def loaded_people(people: Planted) -> Planted:
    """The same tenant, synced into DuckDB."""
    load(people, DuckDB())
    return people


def test_the_gate_reads_nobody_else_anew(loaded_people: Planted) -> None:
    erase(loaded_people.user_id)
    assert load(loaded_people, DuckDB(), full=False).users_read == 0


def test_a_pipeline_of_ones_own_passes_the_person_over_too(loaded_people: Planted) -> None:
    import dlt

    from dlt_authsignal import authsignal_source

    erase(loaded_people.user_id)
    pipeline = dlt.pipeline("authsignal_pipeline", destination="duckdb", dataset_name="authsignal_data")
    key = loaded_people.running.sandbox.config.api_secret_key
    pipeline.run(authsignal_source(base_url=loaded_people.running.url, api_secret_key=key, rate="max"))
    assert len(DuckDB().rows("select user_id from users")) == 12


def test_the_kpis_and_the_tables_of_others_are_there_afterwards(loaded_people: Planted) -> None:
    install(attach())
    erase("nobody")  # so that the file is written anew with the views in it
    assert read(attach())
    before = {kpi.model.name for kpi in read(attach())}
    erase(loaded_people.user_id)
    assert {kpi.model.name for kpi in read(attach())} == before


def test_copies_that_somebody_made_in_the_dataset_are_erased_from_and_views_are_left_alone(
    loaded_people: Planted, workdir: Path
) -> None:
    import duckdb

    with duckdb.connect("authsignal_pipeline.duckdb") as connection:
        connection.execute('create table authsignal_data."My copy" as select * from authsignal_data.users')
        connection.execute("create view authsignal_data.seen as select * from authsignal_data.users")
    report = erase(loaded_people.user_id)
    assert report.rows["my copy"] == 1
    assert "seen" not in report.rows
    assert len(DuckDB().rows("select * from seen")) == 12
    assert search(workdir, loaded_people.personal) == []


def test_somebody_unknown_leaves_a_tombstone_too(loaded_people: Planted, workdir: Path) -> None:
    assert erase("yet-to-come").is_empty
    (workdir / "ids.txt").write_text("yet-to-come\nnobody\n", encoding="utf-8")
    assert load(loaded_people, DuckDB(), users_from=["ids.txt"]).users_found == 1


CLIENT = ["user_authenticators"]


def test_a_token_of_the_person_is_refused_by_the_client_lane(loaded_people: Planted) -> None:
    erase(loaded_people.user_id)
    for tables in (CLIENT, ["passkey_register_options"]):
        with pytest.raises(UserErased, match=r"erased from the dataset on \d{4}-.*erase --lift"):
            token = loaded_people.token
            sync_from(loaded_people.running, api_secret_key=None, token=token, lanes=["client"], resources=tables)
    assert people_of("user_authenticators") & {loaded_people.user_id} == set()


def people_of(table: str) -> set[str]:
    return {row[0] for row in DuckDB().rows(f"select user_id from {table}")}


def test_the_ceremonies_of_the_person_go_also_those_that_name_their_passkey_only(
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
        "lanes": ["client"],
        **values,
    }
    sync_from(loaded_people.running, api_secret_key=None, resources=list(CEREMONIES), **asked)
    load(loaded_people, DuckDB())
    assert people_of("passkey_register") == {loaded_people.user_id}
    report = erase(loaded_people.user_id)
    named = [name for name in report.rows if name.startswith("passkey_") and report.rows[name]]
    assert {"passkey_register", "passkey_register_options"} <= set(named)
    assert search(workdir, loaded_people.personal) == []


def test_a_canary_who_was_erased_is_not_probed(empty: RunningSandbox) -> None:
    settings = {"user_id": "canary", "base_url": empty.url, "api_secret_key": "sandbox-server-secret"}
    assert probe(**settings).works
    erase("canary", pipeline_name="authsignal_probe")
    with pytest.raises(UserErased):
        probe(**settings)
    lift("canary", pipeline_name="authsignal_probe")
    assert probe(**settings).works
