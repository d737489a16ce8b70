"""Files that other accounts cannot read, symbolic links, and database files that are in use."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from dlt_authsignal.assistant.database import Database
from dlt_authsignal.destination.duckdb_file import database_file
from dlt_authsignal.errors import ConfigurationError, RunFailed
from dlt_authsignal.pipeline.attach import make_pipeline
from dlt_authsignal.pipeline.erase.duckdb_names import check_can_be_replaced
from dlt_authsignal.pipeline.erase.duckdb_rewrite import UNFINISHED, rewrite
from dlt_authsignal.pipeline.erase.local_files import erase_leftovers, further_names
from dlt_authsignal.pipeline.erase.run import erase
from dlt_authsignal.pipeline.wording import runnable
from dlt_authsignal.project.private_files import make_folder, readable_by_others, replace_text
from dlt_authsignal.project.waiting import seconds_of, waiting_for
from dlt_authsignal.project.working_folder import working_folder
from dlt_authsignal.sandbox import RunningSandbox
from tests.configuration import configured
from tests.helpers import COMMAND, at, command, sync_from
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


@pytest.mark.deep
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
        with pytest.raises(RunFailed, match="open in another program"):
            erase("nobody", wait="1s")
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


def test_erase_removes_rows_behind_links_in_a_load_package_and_names_folders(workdir: Path) -> None:
    pipeline = make_pipeline()
    package = Path(pipeline.working_dir, "normalize/extracted/1")
    package.mkdir(parents=True)
    Path("disk/folder").mkdir(parents=True)
    Path("disk/rows").write_text("ann")
    Path("disk/other").write_text("ann")
    os.link("disk/other", package / "hard")
    (package / "soft").symlink_to(workdir / "disk/rows")
    (package / "folder").symlink_to(workdir / "disk/folder")
    named = further_names(pipeline)
    erase_leftovers(pipeline, ["ann"])
    assert not Path("disk/rows").exists()
    assert not package.exists()
    assert [f"{package}/hard" in name or str(workdir / "disk/folder") in name for name in named] == [True, True]


@pytest.mark.parametrize("name", ["x.duckdb", "./sub/../x.duckdb", "way/x.duckdb", "one.duckdb", "way/../x.duckdb"])
def test_every_name_of_a_database_leads_to_the_same_file_and_lock(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    Path("sub").mkdir()
    Path("way").symlink_to(workdir)
    Path("two.duckdb").symlink_to(workdir / "x.duckdb")
    Path("one.duckdb").symlink_to("two.duckdb")
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", name)
    where = workdir.parent if name.startswith("way/..") else workdir  # `..` of a link is above its target
    assert database_file(make_pipeline()) == where / "x.duckdb"


@pytest.mark.parametrize(
    ("folder", "file", "is_found"),
    [(0o755, 0o644, True), (0o755, 0o640, True), (0o700, 0o644, False), (0o755, 0o600, False)],
)
def test_a_file_is_readable_by_others_if_they_can_enter_every_folder_above_it(
    folder: int, file: int, is_found: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "folder/file")
        make_folder(path.parent)
        path.touch()
        path.chmod(file)
        path.parent.chmod(folder)
        Path(name).chmod(0o755)
        assert list(readable_by_others(path, Path(name, "missing"))) == [path] * is_found


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_account_in_a_sticky_folder_is_not_erased_from(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    duckdb.connect("x.duckdb").close()
    workdir.chmod(0o1777)
    os.chown(workdir, 1, 1)
    os.chown("x.duckdb", 1, 1)
    monkeypatch.setattr(os, "geteuid", lambda: 2)
    with pytest.raises(ConfigurationError, match=r"Operation not permitted.*Nothing was changed"):
        check_can_be_replaced(workdir / "x.duckdb")
    os.chown("x.duckdb", 2, 2)
    check_can_be_replaced(workdir / "x.duckdb")


@pytest.mark.deep
@pytest.mark.parametrize("arguments", [("changes",), ("models", "install"), ("erase", "nobody", "--yes")])
def test_other_commands_wait_too(seeded: RunningSandbox, arguments: tuple[str, ...]) -> None:
    synced(seeded)
    if arguments == ("changes",):
        configured(seeded)
    with held_elsewhere(FILE.absolute()):
        done = command(*arguments, "--wait", "1s", env=at(seeded))
    assert "Waiting for it, at most 1 s more" in done.stderr
    assert done.returncode == 1


def test_a_query_of_an_assistant_waits_for_a_file_in_use(seeded: RunningSandbox) -> None:
    synced(seeded)
    database = Database(path=FILE.absolute(), dataset="authsignal_data")
    with held_elsewhere(FILE.absolute(), seconds=3), waiting_for(FILE.absolute(), 30):
        assert database.query("select count(*) from users", 1)["rows"] == [[40]]
