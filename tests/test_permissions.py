"""Folders and files that the account may not read or write. The commands run bound by permissions, also as root."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import at, command, rows, sync_from
from tests.loaded import synced
from tests.tiers import deep_except

FILE = Path("authsignal_pipeline.duckdb")
PUBLIC = 0o755

WRITING = {
    "sync": ("sync",),
    "init": ("init", "--region", "us", "--api-secret-key", "k", "--no-check"),
    "demo": ("demo", "--users", "2", "--days", "1"),
    "ai init": ("ai", "init", "--agent", "claude"),
    "probe": ("probe", "--user", "canary", "--allow-writes"),
}
SYNCED_BEFORE = {
    "sync": ("sync",),
    "erase": ("erase", "bob", "--yes"),
    "lift": ("erase", "bob", "--lift", "--yes"),
    "models install": ("models", "install"),
}


@pytest.fixture
def locked(workdir: Path) -> Iterator[Path]:
    """The working folder; all that is in it can be written again after the test."""
    yield workdir
    for folder, _, _ in os.walk(workdir):
        Path(folder).chmod(0o700)


def lock(folder: Path, *, files: int = 0o444) -> None:
    """Let nobody write below a folder."""
    for name, _, held in os.walk(folder, topdown=False):
        for file in held:
            Path(name, file).chmod(files)
        Path(name).chmod(0o555)


@contextmanager
def public_folder() -> Iterator[Path]:
    """A folder that every account can enter. pytest's own folders belong to one account."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(PUBLIC)
        yield Path(folder).resolve()


@pytest.mark.parametrize("given", deep_except(["sync", "ai init"], list(WRITING)))
def test_a_command_in_a_read_only_folder_says_what_it_could_not_write_and_what_to_do(locked: Path, given: str) -> None:
    lock(locked)
    env = {"SOURCES__AUTHSIGNAL_SOURCE__API_SECRET_KEY": "k", "SOURCES__AUTHSIGNAL_SOURCE__REGION": "us"}
    done = command(*WRITING[given], env=env, is_bound=True)
    assert done.returncode == 2
    assert "Cannot write" in done.stderr
    assert "Permission denied" in done.stderr
    assert "folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert os.listdir() == []


@pytest.mark.parametrize("given", deep_except(["erase", "models install"], list(SYNCED_BEFORE)))
def test_a_command_that_cannot_write_the_data_changes_nothing(seeded: RunningSandbox, locked: Path, given: str) -> None:
    synced(seeded)
    before = FILE.read_bytes()
    lock(locked)
    done = command(*SYNCED_BEFORE[given], env=at(seeded), is_bound=True)
    assert done.returncode == 2, done.stderr
    assert "Cannot write" in done.stderr
    assert "Nothing was changed" in done.stderr
    assert "Traceback" not in done.stderr
    assert FILE.read_bytes() == before


def test_a_sync_that_cannot_write_the_folder_of_dlt_is_refused_and_the_next_one_is_complete(
    seeded: RunningSandbox, locked: Path
) -> None:
    synced(seeded)
    (user_id,) = rows("select min(user_id) from user_devices")[0]
    seeded.sandbox.store.remove_user(user_id, actions=True)
    folders = [Path("dlt"), *(path for path in Path("dlt").rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    done = command("sync", env=at(seeded), is_bound=True)
    for folder in folders:
        folder.chmod(0o700)
    assert done.returncode in (1, 2), done.stderr  # 2: the folder is checked before anything is read
    assert "Permission denied" in done.stderr
    assert "Traceback" not in done.stderr
    deleted = "select count(deleted_at) from users"
    assert rows(deleted) == [(0,)]
    report = sync_from(seeded)
    assert (report.tables["users"].deleted, report.tables["users"].total) == (1, 39)
    assert rows(deleted) == [(1,)]
    theirs = f"select count(*) from user_devices where user_id = '{user_id}' and deleted_at is null"
    assert rows(theirs) == [(0,)]


def test_status_reads_a_database_that_the_account_cannot_write(seeded: RunningSandbox, locked: Path) -> None:
    synced(seeded)
    lock(locked)
    done = command("status", is_bound=True)
    assert done.returncode == 0, done.stderr
    assert "Last successful sync" in done.stdout


def test_status_works_where_the_folder_of_dlt_cannot_be_entered(seeded: RunningSandbox, locked: Path) -> None:
    synced(seeded)
    Path("dlt").chmod(0)
    done = command("status", is_bound=True)
    assert done.returncode == 0, done.stderr


def test_a_path_of_the_database_in_a_folder_that_cannot_be_written_is_named(
    empty: RunningSandbox, locked: Path
) -> None:
    Path("disk").mkdir()
    Path("disk").chmod(0o555)
    env = {**at(empty), "DESTINATION__DUCKDB__CREDENTIALS": str(locked / "disk/x.duckdb")}
    done = command("sync", env=env, is_bound=True)
    assert done.returncode == 2
    assert f"Cannot write {locked}/disk/x.duckdb" in done.stderr
    assert 'credentials = "/path/to/file.duckdb"' in done.stderr


@pytest.mark.deep
def test_erase_in_a_folder_that_refuses_the_new_file_changes_nothing(seeded: RunningSandbox, locked: Path) -> None:
    synced(seeded)
    (user,) = rows("select user_id from users limit 1")[0]
    FILE.with_name(f"{FILE}.lock").touch()
    locked.chmod(0o555)
    done = command("erase", user, "--yes", env=at(seeded), is_bound=True)
    assert done.returncode == 2
    assert "the new file without this person's data" in done.stderr
    assert rows(f"select count(*) from users where user_id = '{user}'") == [(1,)]


def test_doctor_names_files_that_others_can_read_and_the_command_that_closes_them(
    seeded: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced(seeded)
    here = Path.cwd()
    with public_folder() as folder:
        monkeypatch.chdir(folder)
        shutil.copy(here / FILE, folder / FILE)
        Path(".dlt").mkdir()
        Path(".dlt/secrets.toml").write_text("")
        shutil.copy(FILE, f"copy of {FILE}")
        for path in (FILE, Path(f"copy of {FILE}"), Path(".dlt/secrets.toml")):
            path.chmod(0o644)
        said = command("doctor", env=at(seeded)).stdout
        line = next(line for line in said.splitlines() if line.startswith("- files: "))
        assert "secrets.toml" in line
        assert f"chmod go= .dlt/secrets.toml {FILE} 'copy of {FILE}'" in line
        for path in (FILE, Path(f"copy of {FILE}"), Path(".dlt/secrets.toml")):
            path.chmod(0o600)
        assert "- files: " not in command("doctor", env=at(seeded)).stdout


def test_init_closes_a_file_of_keys_that_others_could_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with public_folder() as folder:
        monkeypatch.chdir(folder)
        Path(".dlt").mkdir()
        Path(".dlt/secrets.toml").write_text("")
        Path(".dlt/secrets.toml").chmod(0o644)
        done = command("init", "--region", "us", "--api-secret-key", "k", "--no-check")
        assert "could read .dlt/secrets.toml until now" in done.stderr
        assert Path(".dlt/secrets.toml").stat().st_mode & 0o777 == 0o600
        Path(".dlt/secrets.toml").chmod(0o640)
        done = command("init", "--region", "us", "--no-check")
        assert "chmod go= .dlt/secrets.toml" in done.stderr


def test_the_state_of_an_earlier_version_is_private_after_the_move(workdir: Path) -> None:
    from dlt_authsignal.project.earlier_state import _move

    earlier = workdir / "earlier"
    earlier.mkdir(mode=PUBLIC)
    earlier.chmod(PUBLIC)
    (workdir / "earlier.runs.jsonl").write_text("")
    (workdir / "earlier.runs.jsonl").chmod(0o644)
    (workdir / "new").mkdir()
    _move(earlier, workdir / "new/state")
    assert (workdir / "new/state").stat().st_mode & 0o777 == 0o700
    assert (workdir / "new/earlier.runs.jsonl").stat().st_mode & 0o777 == 0o600
