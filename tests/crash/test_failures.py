"""Stopped, out of space, forbidden to write, cut off: it is said in a line, and the next sync is complete."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.crash.laboratory import Laboratory
from tests.crash.points import point
from tests.crash.syncs import Project

WHILE = {
    "listing": "in the listing, after its second page",
    "reading": "after some batches",
    "preparing": "in normalize, before its files",
    "loading": "after the 2nd file was committed",
    "merging": "before the 1st merge",
    "noting": "after the load, before it is noted",
    "updating history": "in the update of history, after its 1st statement",
    "recording": "after the update of history, before the record",
}


def changed(laboratory: Laboratory) -> Project:
    """A project that has been synced once, before the tenant changed."""
    project = laboratory.project(synced=True)
    laboratory.stage("changed")
    return project


def failed(project: Project, laboratory: Laboratory, **how: Any) -> str:
    """What a sync says that ends with exit code 1."""
    code = project.sync(laboratory.running, **how)
    said = project.said()
    assert code == 1, said
    assert "Traceback" not in said
    return said


@pytest.mark.crash
@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("stage", WHILE)
def test_a_stop_signal_ends_the_sync_and_the_next_is_complete(laboratory: Laboratory, stage: str, signal: str) -> None:
    project = changed(laboratory)
    code = project.sync(laboratory.running, point=point(WHILE[stage], project.database.name), deed=signal)
    assert "Traceback" not in project.said()
    if code == 0:  # dlt hears of a stop between jobs, and by then there were none: the sync was all but done
        assert stage in ("merging", "noting")
    else:
        assert (code, "Stopped." in project.said()) == (1, True)
    laboratory.check(project, "changed")


@pytest.mark.crash
@pytest.mark.parametrize("stage", WHILE)
def test_a_database_that_shuts_down_is_reported_and_the_next_sync_is_complete(
    in_postgres: Laboratory, workdir: Path, stage: str
) -> None:
    project = changed(in_postgres)
    code = project.sync(in_postgres.running, point=point(WHILE[stage], project.database.name), deed="shut")
    said = project.said()
    assert "Traceback" not in said
    if stage == "recording":  # everything is loaded: the next sync adds the record
        assert code == 0
    else:
        assert (code, "Error: " in said) == (1, True)
    project.database.reopen()
    in_postgres.check(project, "changed")


@pytest.mark.crash
@pytest.mark.parametrize("stage", WHILE)
def test_dropped_connections_leave_no_partial_load(in_postgres: Laboratory, workdir: Path, stage: str) -> None:
    project = changed(in_postgres)
    code = project.sync(in_postgres.running, point=point(WHILE[stage], project.database.name), deed="cut")
    assert code in (0, 1)
    assert "Traceback" not in project.said()
    in_postgres.check(project, "changed")


@pytest.fixture
def small_disk(workdir: Path) -> Iterator[Path]:
    """A disk of 64 MB, where one may be mounted."""
    disk = workdir / "disk"
    disk.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    options = ["-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)]
    if not (mount and umount) or subprocess.run([mount, *options], check=False, timeout=60).returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run([umount, str(disk)], check=True, timeout=60)


def fill(disk: Path, *, left: int) -> Path:
    """A file that leaves so many bytes of a disk."""
    free = os.statvfs(disk)
    filler = disk / "filler"
    filler.write_bytes(bytes(max(0, free.f_bavail * free.f_bsize - left)))
    return filler


@pytest.mark.deep
@pytest.mark.parametrize("left", [4, 200, 1000], ids=lambda size: f"{size} kB left")
@pytest.mark.parametrize("place", ["DLT_DATA_DIR", "DESTINATION__DUCKDB__CREDENTIALS"], ids=["dlt", "database"])
def test_a_full_disk_is_reported_and_the_next_sync_is_complete(
    in_duckdb: Laboratory, small_disk: Path, place: str, left: int
) -> None:
    project = changed(in_duckdb)
    name = "dlt" if place == "DLT_DATA_DIR" else "authsignal_pipeline.duckdb"
    shutil.move(project.folder / name, small_disk / name)
    (project.folder / name).symlink_to(small_disk / name)
    filler = fill(small_disk, left=1024 * left)
    code = project.sync(in_duckdb.running)
    said = project.said()
    filler.unlink()
    assert "Traceback" not in said
    assert code == 0 or (code == 1 and "No space left on device" in said)
    in_duckdb.check(project, "changed")


@pytest.mark.deep
@pytest.mark.parametrize("where", ["dlt", ""], ids=["dlt's folder", "the project's folder"])
def test_an_unwritable_folder_is_reported_and_the_next_sync_is_complete(
    in_duckdb: Laboratory, workdir: Path, where: str
) -> None:
    project = changed(in_duckdb)
    (project.folder / "err.txt").touch()
    top = project.folder / where
    folders = [top, *(path for path in top.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    code = project.sync(in_duckdb.running)
    said = project.said()
    for folder in folders:
        folder.chmod(0o755)
    assert code in (1, 2), said  # 2: dlt's folder is checked before anything is read
    assert "Permission denied" in said
    assert "Traceback" not in said
    in_duckdb.check(project, "changed")


@pytest.mark.deep
def test_a_database_file_removed_during_a_load_is_recreated_by_the_next_sync(
    in_duckdb: Laboratory, workdir: Path
) -> None:
    project = changed(in_duckdb)
    failed(project, in_duckdb, point=point(WHILE["merging"], project.database.name), deed="remove")
    assert project.sync(in_duckdb.running) == 0, project.said()
    there = {dict(row)["user_id"] for row in project.tables()["users"]}
    assert there == {user.user_id for user in in_duckdb.running.sandbox.store.users()}
