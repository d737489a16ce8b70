"""Stopped, out of space, forbidden to write, cut off: it is said in a line, and the next sync is complete."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.crash.laboratory import Laboratory
from tests.crash.points import POINTS
from tests.crash.syncs import InPostgres, Project

WHILE = {
    "listing": "in the listing, after its second page",
    "reading": "after some batches",
    "preparing": "in normalize, before its files",
    "loading": "after the 2nd file was committed",
    "merging": "before the 1st merge",
    "noting": "after the load, before it is noted",
    "settling": "in settle, after its 1st statement",
    "recording": "after settle, before the record",
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
def test_a_stop_ends_the_sync_and_the_next_is_complete(laboratory: Laboratory, stage: str, signal: str) -> None:
    project = changed(laboratory)
    said = failed(project, laboratory, point=POINTS[WHILE[stage]], deed=signal)
    assert "Stopped." in said
    laboratory.check(project, "changed")


@pytest.mark.parametrize("stage", WHILE)
def test_a_database_that_goes_away_is_named_and_the_next_sync_is_complete(
    in_postgres: Laboratory, workdir: Path, stage: str
) -> None:
    project = changed(in_postgres)
    said = failed(project, in_postgres, point=POINTS[WHILE[stage]], deed="shut")
    assert "not currently accepting connections" in said or "terminat" in said, said
    project.database.reopen()
    in_postgres.check(project, "changed")


@pytest.mark.parametrize("stage", WHILE)
def test_connections_that_are_cut_leave_nothing_half_done(
    in_postgres: Laboratory, workdir: Path, stage: str
) -> None:
    project = changed(in_postgres)
    code = project.sync(in_postgres.running, point=POINTS[WHILE[stage]], deed="cut")
    print(code, project.said())
    assert code in (0, 1)
    assert "Traceback" not in project.said()
    in_postgres.check(project, "changed")


@pytest.mark.parametrize("largest", [0, 1, 64, 1024, 4096], ids=lambda size: f"{size} kB")
def test_files_that_may_not_grow_are_named_and_the_next_sync_is_complete(
    in_duckdb: Laboratory, workdir: Path, largest: int
) -> None:
    project = changed(in_duckdb)
    print(failed(project, in_duckdb, largest_file=1024 * largest or 1))
    in_duckdb.check(project, "changed")


@pytest.fixture
def small_disk(workdir: Path) -> Iterator[Path]:
    """A disk of 64 MB, where one may be mounted."""
    disk = workdir / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=False, timeout=10)
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True, timeout=10)


@pytest.mark.parametrize("left", [0, 16, 256, 1024, 4096], ids=lambda size: f"{size} kB left")
def test_a_full_disk_is_named_and_the_next_sync_is_complete(
    in_duckdb: Laboratory, small_disk: Path, left: int
) -> None:
    import os

    project = changed(in_duckdb).copy(small_disk / "project")
    free = os.statvfs(small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(max(0, free.f_bavail * free.f_bsize - 1024 * left)))
    code = project.sync(in_duckdb.running)
    print(code, project.said())
    filler.unlink()
    in_duckdb.check(project, "changed")


@pytest.mark.parametrize("where", ["dlt", ""], ids=["dlt's folder", "the project's folder"])
def test_a_folder_that_may_not_be_written_is_named_and_the_next_sync_is_complete(
    in_duckdb: Laboratory, workdir: Path, where: str
) -> None:
    project = changed(in_duckdb)
    (project.folder / "err.txt").touch()
    folders = [project.folder, *(path for path in (project.folder / where).rglob("*") if path.is_dir())]
    folders = [path for path in folders if path.is_relative_to(project.folder / where)]
    for folder in folders:
        folder.chmod(0o555)
    said = failed(project, in_duckdb)
    print(said)
    for folder in folders:
        folder.chmod(0o755)
    in_duckdb.check(project, "changed")


def test_a_database_file_that_is_removed_is_made_anew(in_duckdb: Laboratory, workdir: Path) -> None:
    project = changed(in_duckdb)
    code = project.sync(in_duckdb.running, point=POINTS[WHILE["merging"]], deed="remove")
    print(code, project.said())
    code = project.sync(in_duckdb.running)
    print(code, project.said())
    print({name: len(rows) for name, rows in project.tables().items()})
    raise AssertionError
