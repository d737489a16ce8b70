"""Datasets that earlier commits made are upgraded by a sync, or refused with the way to load a new one.

Each archive in tests/old_datasets is DuckDB's export of a dataset that the commit of its name made, from the sandbox's
tenant below, with the key below. Their dlt state stayed on the machine that made them.
"""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from tests.helpers import ROOT, SECRET, command, rows
from tests.tiers import deep_after

ARCHIVES = ROOT / "tests" / "old_datasets"
FILE = "authsignal_pipeline.duckdb"
PRIVACY_KEY = "9f1c7a52e8b04d63a17f5e2c9d80b6347c15f0ae92d84b6e3057c9a1f2e4d86b"
UPGRADED = ["369ab4a2"]
REFUSED = ["297ee9cc", "28a06871"]
NEW = ("--pipeline-name", "authsignal_pipeline_2", "--dataset", "authsignal_data_2")
NEW_FILE = "authsignal_pipeline_2.duckdb"
COMPARED = {
    "users": "user_id, email, email_domain, phone_number, display_name, is_enrolled, created_at",
    "user_authenticators": "user_id, user_authenticator_id, verification_method, created_at, last_verified_at",
    "user_actions": "user_id, action_code, idempotency_key, state, created_at",
}


@pytest.fixture
def env() -> Iterator[dict[str, str]]:
    """The settings of a project whose tenant is the one that filled the archives."""
    with run_in_thread(SandboxConfig(seed=7, users=12, days=20)) as running:
        yield settings(running)


def settings(running: RunningSandbox) -> dict[str, str]:
    found = {"API_SECRET_KEY": SECRET, "BASE_URL": running.url, "PRIVACY_KEY": PRIVACY_KEY, "RATE": "max"}
    return {f"SOURCES__AUTHSIGNAL_SOURCE__{name}": value for name, value in found.items()}


def unpack(commit: str, folder: Path) -> None:
    """Make the database that the commit made."""
    with tarfile.open(ARCHIVES / f"{commit}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    with duckdb.connect(FILE) as connection:
        connection.execute((folder / commit / "schema.sql").read_text())
        connection.execute((folder / commit / "load.sql").read_text().replace("FROM '", f"FROM '{folder / commit}/"))


def contents() -> dict[str, Any]:
    """All rows of the dataset, by table."""
    tables = rows("select table_name from information_schema.tables where table_schema = 'authsignal_data'")
    return {name: sorted(map(repr, rows(f"select * from {name}"))) for (name,) in tables}


def live(table: str, file: str, dataset: str) -> list[tuple[Any, ...]]:
    gone = " where deleted_at is null" if table != "user_actions" else ""
    with duckdb.connect(file, read_only=True) as connection:
        return sorted(connection.sql(f"select {COMPARED[table]} from {dataset}.{table}{gone}").fetchall(), key=repr)


@pytest.mark.parametrize("commit", deep_after(1, REFUSED))
def test_a_dataset_without_needed_columns_is_refused_unchanged(commit: str, workdir: Path, env: dict[str, str]) -> None:
    unpack(commit, workdir / "archive")
    before = contents()
    for arguments in (["sync"], ["models", "install"]):
        refused = command(*arguments, env=env)
        assert refused.returncode == 2, (arguments, refused.stdout)
        assert "made by an earlier version of dlt-authsignal" in refused.stderr
        assert f"dlt-authsignal sync {' '.join(NEW)}" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert contents() == before
    status = command("status", env=env)
    assert status.returncode == 0
    assert "The next sync will fail." in status.stderr


@pytest.mark.deep
@pytest.mark.parametrize("commit", REFUSED)
def test_the_printed_command_loads_a_new_dataset_beside_the_refused_one(
    commit: str, workdir: Path, env: dict[str, str]
) -> None:
    unpack(commit, workdir / "archive")
    before = contents()
    done = command("sync", *NEW, env=env)
    assert done.returncode == 0, done.stderr
    assert len(live("users", NEW_FILE, "authsignal_data_2")) == 12
    assert command("status", *NEW, env=env).stderr == ""
    assert contents() == before


@pytest.mark.deep
@pytest.mark.parametrize("commit", UPGRADED)
def test_a_sync_upgrades_a_dataset_to_what_a_new_one_contains(commit: str, workdir: Path, env: dict[str, str]) -> None:
    unpack(commit, workdir / "archive")
    histories = len(rows("select * from users_history"))
    for arguments in (["models", "install"], ["sync", "--accept-deletes"], ["report"]):
        done = command(*arguments, env=env)
        assert done.returncode == 0, (arguments, done.stderr)
    command("sync", *NEW, env=env)
    for table in COMPARED:
        assert live(table, FILE, "authsignal_data") == live(table, NEW_FILE, "authsignal_data_2"), table
    assert len(rows("select * from users_history")) >= histories
