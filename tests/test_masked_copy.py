"""The copy that queries read: what it contains, when it is made anew, and how it disappears."""

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock

from dlt_authsignal.assistant.database import Database
from dlt_authsignal.assistant.masked_copy import keep
from dlt_authsignal.errors import ConfigurationError, RunFailed

PERSON = "planted.person@example.com"


@pytest.fixture
def temporary(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files."""
    folder = workdir / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield folder
    monkeypatch.setattr(tempfile, "tempdir", None)


@pytest.fixture
def database(workdir: Path, temporary: Path) -> Database:
    return Database(path=planted(workdir / "data.duckdb"), dataset="d", seconds=50)


def planted(file: Path, rows: int = 1) -> Path:
    with duckdb.connect(file) as connection:
        connection.execute("create schema d; create schema other; use d")
        connection.execute(
            f"create table users as select i::varchar as user_id, '{PERSON}' as email, 'en' as locale"
            f" from range({rows}) as r(i)"
        )
        connection.execute(f"create table other.notes as select '{PERSON}' as note")
    return file


def content(database: Database) -> bytes:
    (descriptor,) = database._copy().files
    return Path(f"/dev/fd/{descriptor}").read_bytes()


def test_the_copy_contains_neither_a_person_nor_the_key_of_the_masks(database: Database) -> None:
    found = content(database)
    assert PERSON.encode() in database.path.read_bytes()
    assert PERSON.encode() not in found
    assert database.key.encode() not in found
    assert b"masked:" in found


def test_the_query_process_gets_neither_the_database_nor_the_key(database: Database) -> None:
    request = json.dumps(database.request(sql="select 1", limit=1))
    assert database.key not in request
    assert database.path.name not in request
    assert database.key not in repr(database)


def test_the_copy_has_mode_600_and_no_name(database: Database, temporary: Path) -> None:
    (descriptor,) = database._copy().files
    state = os.fstat(descriptor)
    assert stat.S_IMODE(state.st_mode) == 0o600
    assert state.st_nlink == 0
    assert list(temporary.iterdir()) == []


def test_an_unchanged_database_is_copied_once_and_a_changed_one_again(database: Database) -> None:
    first = database._copy()
    assert database._copy() is first
    with duckdb.connect(database.path) as sync:
        sync.execute("insert into d.users values ('2', 'two@example.com', 'de')")
    assert database.query("select count(*) from users", 1)["rows"] == [[2]]
    assert database._copy() is not first


def test_a_replaced_copy_is_closed_when_no_query_uses_it(database: Database) -> None:
    (descriptor,) = database._copy().files
    state = os.fstat(descriptor)
    database.path.unlink()
    planted(database.path, rows=3)
    assert database.query("select count(*) from users", 1)["rows"] == [[3]]
    opened = {entry.stat().st_ino for entry in Path("/dev/fd").iterdir() if entry.exists()}
    assert state.st_ino not in opened


def test_after_the_database_was_removed_no_query_is_answered(database: Database) -> None:
    database.query("select 1", 1)
    database.path.unlink()
    with pytest.raises(ConfigurationError, match="does not exist"):
        database.query("select 1", 1)


def test_a_copy_that_takes_long_continues_after_the_query_has_given_up(database: Database) -> None:
    with pytest.raises(RunFailed, match="is not complete"):
        database._copies.current(0.001)
    assert database.overview()["tables"][0]["rows"] == 1


def test_a_failed_copy_leaves_no_file_and_is_tried_again(workdir: Path, temporary: Path) -> None:
    file = workdir / "data.duckdb"
    file.write_text("not a database " * 1000)
    database = Database(path=file, dataset="d", seconds=50)
    with pytest.raises(Exception, match="DuckDB reports an error"):
        database.query("select 1", 1)
    assert list(temporary.iterdir()) == []
    file.unlink()
    planted(file)
    assert database.query("select count(*) from users", 1)["rows"] == [[1]]


@pytest.mark.deep
def test_a_server_that_is_killed_while_it_copies_leaves_no_copy(workdir: Path, temporary: Path) -> None:
    file = planted(workdir / "data.duckdb", rows=500_000)
    script = (
        "from pathlib import Path; from dlt_authsignal.assistant.database import Database\n"
        f"Database(path=Path({str(file)!r}), dataset='d', seconds=50).query('select 1', 1)"
    )
    with subprocess.Popen([sys.executable, "-c", script], start_new_session=True) as server:
        waited(lambda: any(temporary.glob("*/*.duckdb")))
        assert [stat.S_IMODE(path.stat().st_mode) for path in temporary.iterdir()] == [0o700]
        os.kill(server.pid, signal.SIGKILL)
    waited(lambda: not any(temporary.iterdir()))


def test_a_new_server_removes_the_copies_of_killed_ones_only(database: Database, temporary: Path) -> None:
    for name in ("killed", "alive"):
        folder = temporary / f"{keep.PREFIX}{name}"
        folder.mkdir(0o700)
        (folder / "copy.duckdb").write_text(PERSON)
        (folder / "lock").touch()
    (temporary / f"{keep.PREFIX}link").symlink_to(database.path.parent)
    with FileLock(temporary / f"{keep.PREFIX}alive" / "lock"):
        database.query("select 1", 1)
    left = sorted(path.name.removeprefix(keep.PREFIX) for path in temporary.iterdir())
    assert left == ["alive", "link"]
    assert database.path.exists()


@pytest.mark.parametrize("module", ["worker", "masked_copy.make"])
def test_the_processes_start_without_dlt_and_pandas(module: str) -> None:
    code = f"import sys, dlt_authsignal.assistant.{module}; print({{'dlt', 'pandas', 'mcp'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout.strip() == "set()"


def test_identifiers_that_are_allowed_are_in_the_copy_only_while_the_server_runs(
    workdir: Path, temporary: Path
) -> None:
    opened = Database(path=planted(workdir / "data.duckdb"), dataset="d", allow_identifiers=True, seconds=50)
    assert opened.query("select email from users", 1)["rows"] == [[PERSON]]
    assert list(temporary.iterdir()) == []


def waited(is_true: Callable[[], bool], seconds: float = 8) -> None:
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.01)
