"""A dataset belongs to one tenant: the key of another one is refused before anything is written or marked."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from dlt_authsignal.errors import OtherTenant
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.source.tenant.fingerprint import fingerprint, region_of
from tests.helpers import SECRET, at, command, rows, sync_from, table
from tests.tiers import deep_after
from tests.warehouses import Postgres

FILE = "authsignal_pipeline.duckdb"
OTHER_KEY = "another-tenants-secret"


@pytest.fixture
def small() -> Iterator[RunningSandbox]:
    with run_in_thread(SandboxConfig(users=4, days=10, seed=3)) as running:
        yield running


@pytest.fixture
def other() -> Iterator[RunningSandbox]:
    """Another tenant, with another key."""
    with run_in_thread(SandboxConfig(users=3, days=10, seed=5, api_secret_key=OTHER_KEY)) as running:
        yield running


def all_rows() -> Mapping[str, Any]:
    names = ("users", "user_authenticators", "user_actions", "user_devices", "user_reads", "dataset_tenant")
    return {name: table(name) for name in names}


@pytest.mark.parametrize("name", deep_after(1, ["authsignal_pipeline", "another"]))
def test_the_key_of_another_tenant_is_refused_before_anything_is_written(
    small: RunningSandbox, other: RunningSandbox, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", FILE)
    sync_from(small)
    before = all_rows()
    with pytest.raises(OtherTenant, match="--accept-new-key") as refused:
        sync_from(other, api_secret_key=OTHER_KEY, pipeline_name=name)
    assert OTHER_KEY not in str(refused.value)
    assert all_rows() == before
    assert sync_from(small).users_read == 0


def test_the_key_of_another_tenant_is_refused_in_postgresql(
    small: RunningSandbox, other: RunningSandbox, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres = Postgres(postgres_database)
    for name, value in postgres.env.items():
        monkeypatch.setenv(name, value)
    sync_from(small, destination="postgres")
    with pytest.raises(OtherTenant):
        sync_from(other, destination="postgres", api_secret_key=OTHER_KEY, pipeline_name="another")
    assert postgres.rows("select count(*), count(deleted_at) from users") == [(4, 0)]


@pytest.mark.deep
def test_the_key_of_another_tenant_is_refused_in_a_lake(
    small: RunningSandbox, other: RunningSandbox, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(workdir / "lake"))
    sync_from(small, destination="filesystem")
    with pytest.raises(OtherTenant):
        sync_from(other, destination="filesystem", api_secret_key=OTHER_KEY, pipeline_name="another")
    assert sync_from(small, destination="filesystem").users_read == 0


@pytest.mark.deep
def test_a_replaced_key_is_confirmed_once(small: RunningSandbox) -> None:
    sync_from(small)
    small.sandbox.config = rotated(small)
    env = at(small, API_SECRET_KEY=OTHER_KEY)
    refused = command("sync", env=env)
    assert refused.returncode == 2
    assert "run the command with --accept-new-key" in refused.stderr
    done = command("sync", "--accept-new-key", env=env)
    assert done.returncode == 0, done.stderr
    assert command("sync", env=env).returncode == 0
    assert rows("select kind, count(*), count(distinct salt) from dataset_tenant group by 1") == [("key", 2, 1)]


@pytest.mark.deep
def test_a_dataset_without_a_fingerprint_gets_one_without_a_question(
    small: RunningSandbox, other: RunningSandbox
) -> None:
    import duckdb

    sync_from(small)
    with duckdb.connect(FILE) as connection:
        connection.execute("drop table authsignal_data.dataset_tenant")
    sync_from(small)
    assert rows("select kind from dataset_tenant") == [("key",)]
    with pytest.raises(OtherTenant):
        sync_from(other, api_secret_key=OTHER_KEY)


def test_a_fingerprint_depends_on_key_region_and_salt_and_is_slow_to_compute() -> None:
    found = fingerprint(SECRET, "us", "00" * 16)
    assert found == fingerprint(SECRET, "us", "00" * 16) != fingerprint(SECRET, "eu", "00" * 16)
    assert found != fingerprint(SECRET, "us", "01" * 16)
    assert SECRET not in found
    assert len(found) == 32


@pytest.mark.parametrize(
    ("address", "region"),
    [
        ("https://api.authsignal.com/v1", "us"),
        ("https://eu.api.authsignal.com/v1", "eu"),
        ("http://127.0.0.1:9177/v1", "this machine"),
        ("http://localhost:1/v1", "this machine"),
        ("https://proxy.example.com/v1", "proxy.example.com"),
    ],
)
def test_the_region_of_an_address_does_not_depend_on_a_local_port(address: str, region: str) -> None:
    assert region_of(URL(address)) == region


def rotated(running: RunningSandbox) -> SandboxConfig:
    from dataclasses import replace

    return replace(running.sandbox.config, api_secret_key=OTHER_KEY)
