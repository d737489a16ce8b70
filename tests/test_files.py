"""Files that other accounts cannot read, symbolic links, and database files that are in use."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from dlt_authsignal.errors import ConfigurationError, RunFailed
from dlt_authsignal.pipeline.erase.duckdb_names import check_can_be_replaced
from dlt_authsignal.pipeline.erase.duckdb_rewrite import UNFINISHED, rewrite
from dlt_authsignal.pipeline.erase.run import erase
from dlt_authsignal.pipeline.wording import runnable
from dlt_authsignal.project.private_files import make_folder, replace_text
from dlt_authsignal.project.waiting import seconds_of
from dlt_authsignal.project.working_folder import working_folder
from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import COMMAND, sync_from
from tests.loaded import synced

FILE = Path("authsignal_pipeline.duckdb")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def held_elsewhere(file: Path, seconds: float = 60) -> Iterator[int]:
    """Hold a DuckDB file open in another process; yield its PID."""
    code = f"import duckdb, time; c = duckdb.connect({str(file)!r}); print(flush=True); time.sleep({seconds})"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        try:
            yield other.pid
        finally:
            other.kill()


def test_new_folders_and_files_are_private_and_existing_files_keep_their_mode(workdir: Path, open_umask: None) -> None:
    make_folder(workdir / "a/b")
    replace_text(workdir / "a/b/new", "text")
    assert [mode(workdir / name) for name in ("a", "a/b", "a/b/new")] == [0o700, 0o700, 0o600]
    (workdir / "a/b/new").chmod(0o640)
    replace_text(workdir / "a/b/new", "other")
    assert mode(workdir / "a/b/new") == 0o640


def test_a_text_file_behind_a_symbolic_link_is_replaced_and_the_link_stays(workdir: Path) -> None:
    (workdir / "disk").mkdir()
    (workdir / "disk/real").write_text("old")
    (workdir / "link").symlink_to("disk/real")
    replace_text(workdir / "link", "new")
    assert (workdir / "link").is_symlink()
    assert (workdir / "disk/real").read_text() == "new"
    assert os.listdir(workdir / "disk") == ["real"]


def test_a_sync_in_a_program_of_the_user_creates_private_files_and_leaves_the_umask(
    seeded: RunningSandbox, open_umask: None
) -> None:
    sync_from(seeded)
    assert mode(FILE) == 0o600
    assert mode(FILE.with_name(f"{FILE}.lock")) == 0o600
    assert mode(working_folder("authsignal_pipeline").path) == 0o700
    assert not [path for path in Path().glob("*.duckdb.*") if mode(path) & 0o077]
    assert os.umask(0) == 0


def test_erase_behind_a_chain_of_symbolic_links_rewrites_the_file_itself(seeded: RunningSandbox, workdir: Path) -> None:
    synced(seeded)
    (workdir / "disk").mkdir()
    FILE.rename("disk/real.duckdb")
    Path("disk/real.duckdb").chmod(0o640)
    Path("middle.duckdb").symlink_to("disk/real.duckdb")
    FILE.symlink_to("middle.duckdb")
    with duckdb.connect(str(FILE), read_only=True) as connection:
        (user,) = connection.execute("select user_id from authsignal_data.users limit 1").fetchone() or ()
    assert user.encode() in Path("disk/real.duckdb").read_bytes()
    assert erase(user).is_rewritten
    assert FILE.is_symlink()
    assert Path("middle.duckdb").is_symlink()
    assert user.encode() not in Path("disk/real.duckdb").read_bytes()
    assert mode(Path("disk/real.duckdb")) == 0o640
    assert {path.name for path in Path("disk").iterdir()} <= {"real.duckdb", "real.duckdb.lock"}


def test_erase_refuses_a_file_with_hard_links_before_it_changes_anything(workdir: Path) -> None:
    duckdb.connect("x.duckdb").close()
    os.link("x.duckdb", "other.duckdb")
    with pytest.raises(RunFailed, match=r"has 2 names \(hard links\).*Nothing was changed"):
        check_can_be_replaced(workdir / "x.duckdb")


def test_a_rewritten_file_keeps_its_mode_and_its_copy_is_never_readable_by_others(
    workdir: Path, open_umask: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    duckdb.connect("x.duckdb").close()
    Path("x.duckdb").chmod(0o600)
    seen: list[int] = []
    replace = os.replace

    def watched(new: Path, file: Path) -> None:
        seen.append(mode(new.parent))
        replace(new, file)

    monkeypatch.setattr(os, "replace", watched)
    rewrite(workdir / "x.duckdb")
    assert seen == [0o700]
    assert mode(workdir / "x.duckdb") == 0o600
    assert not Path(f"x.duckdb{UNFINISHED}").exists()


def test_status_waits_for_a_file_in_use_and_says_for_whom(seeded: RunningSandbox) -> None:
    synced(seeded)
    with held_elsewhere(FILE.absolute()) as pid:
        done = subprocess.Popen([COMMAND, "status", "--wait", "60s"], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        assert done.stderr
        said = done.stderr.readline().decode()
    out, err = done.communicate(timeout=50)
    assert f"(PID {pid}" in said
    assert "Waiting for it, at most 60 s more" in said
    assert (done.returncode, err) == (0, b"")
    assert b"Last successful sync" in out


def test_the_wait_is_bounded(seeded: RunningSandbox) -> None:
    synced(seeded)
    with held_elsewhere(FILE.absolute()):
        started = time.monotonic()
        with pytest.raises(RunFailed, match="open in another program"):
            sync_from(seeded, wait="1s")
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(("given", "seconds"), [("60s", 60), ("5m", 300), (2.5, 2.5), ("0", 0), ("1d", 86_400)])
def test_a_wait_is_a_number_of_seconds_or_a_time(given: str | float, seconds: float) -> None:
    assert seconds_of(given) == seconds


@pytest.mark.parametrize("given", ["", "soon", "-1s", "2d", "1e9", "nan", -1, "60 s s"])
def test_a_wait_that_is_not_a_time_is_refused(given: str | float) -> None:
    with pytest.raises(ConfigurationError, match="at most one day"):
        seconds_of(given)


def test_a_command_is_named_even_if_the_path_of_python_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refused)
    assert runnable("dlt-authsignal") == "dlt-authsignal"
