"""Killed at any named point, a sync is put right by the next plain one."""

import shutil
from collections.abc import Callable

import pytest

from tests.crash.laboratory import Laboratory, kill_at
from tests.crash.points import COMMITTED, IN_DUCKDB, POINTS, STATEMENTS, Point, place_of, point
from tests.tiers import deep_after

Record = Callable[[str, object], None]
NAMES = tuple(POINTS)
IN_A_ROW = tuple(name for name in NAMES if name != "before the 9th job is marked done")
"""Those that a sync still comes by when the one before it was killed at the point before."""
AT_A_TIME = 10
FEWEST_FILES = {"duckdb": 7, "postgres": 8}
"""Into DuckDB, each table is one file; elsewhere the merge of its staging table is another one."""
MOST_FILES = 60
BEFORE_THE_DELETION = Point("dlt.common.storages.load_package:PackageStorage.delete_package", "before", 2)
"""dlt first deletes what an earlier try may have normalized, and then, after the commit, the extracted package."""
WORST = "after the load, before it is noted"
"""To lose the disk at: every row is there, and none is to be believed of when it was read."""


@pytest.mark.parametrize("target", sorted({*STATEMENTS, *(each.target for each in (POINTS | IN_DUCKDB).values())}))
def test_every_point_at_which_a_sync_is_killed_exists(target: str) -> None:
    owner, name = place_of(target)
    assert callable(getattr(owner, name, None))


@pytest.mark.timeout(300)
@pytest.mark.deep
@pytest.mark.parametrize("first", range(0, len(IN_A_ROW), AT_A_TIME), ids=lambda first: IN_A_ROW[first])
def test_a_sync_killed_repeatedly_at_named_points_recovers(
    laboratory: Laboratory, first: int, record_property: Record
) -> None:
    """One after the other, in the order of a sync: each kills what repairs the last one's damage, too."""
    project = laboratory.project(synced=True)
    laboratory.stage("changed")
    for name in IN_A_ROW[first : first + AT_A_TIME]:
        kill_at(project, laboratory.running, point(name, project.database.name))
        record_property("kill", f"{project.database.name}, named: {name}")
    laboratory.check(project, "changed")


@pytest.mark.crash
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("synced", [False, True], ids=["first sync", "second sync"])
def test_a_sync_killed_once_at_a_named_point_recovers(
    laboratory: Laboratory, name: str, synced: bool, record_property: Record
) -> None:
    project = laboratory.project(synced=synced)
    stage = "changed" if synced else "begun"
    laboratory.stage(stage)
    kill_at(project, laboratory.running, point(name, project.database.name))
    record_property("kill", f"{project.database.name}, named: {name}")
    laboratory.check(project, stage)


@pytest.mark.crash
@pytest.mark.timeout(400)
@pytest.mark.parametrize("synced", [False, True], ids=["first sync", "second sync"])
def test_a_sync_killed_after_each_committed_file_recovers(
    laboratory: Laboratory, synced: bool, record_property: Record
) -> None:
    """Also those of dlt's state and of the record of runs: each is put into the database once more."""
    stage = "changed" if synced else "begun"
    for nth in range(1, MOST_FILES):
        project = laboratory.project(synced=synced)
        laboratory.stage(stage)
        code = project.sync(laboratory.running, point=Point(COMMITTED, "before", nth))
        if code == 0:
            break
        assert code == -9, project.said()
        record_property("kill", f"{project.database.name}, after file {nth}")
        laboratory.check(project, stage)
    assert FEWEST_FILES[project.database.name] < nth < MOST_FILES - 1


@pytest.mark.parametrize(
    "name", [name if name == WORST else pytest.param(name, marks=pytest.mark.crash) for name in NAMES]
)
@pytest.mark.deep
def test_a_sync_killed_at_a_named_point_recovers_without_its_disk(
    laboratory: Laboratory, name: str, record_property: Record
) -> None:
    project = laboratory.project(synced=True)
    laboratory.stage("changed")
    kill_at(project, laboratory.running, point(name, project.database.name))
    record_property("kill", f"{project.database.name}, named, disk lost: {name}")
    project.lose_disk()
    laboratory.check(project, "changed")


@pytest.mark.parametrize("deleted", ["nothing", "new_jobs", "schema.json"])
@pytest.mark.deep
def test_a_sync_killed_while_dlt_deletes_an_extracted_package_recovers(
    laboratory: Laboratory, deleted: str, record_property: Record
) -> None:
    project = laboratory.project(synced=True)
    laboratory.stage("changed")
    kill_at(project, laboratory.running, BEFORE_THE_DELETION)
    record_property("kill", f"{project.database.name}, deleted of the extracted package: {deleted}")
    state = project.folder / "dlt" / "pipelines" / "authsignal_pipeline"
    (extracted,) = (state / "normalize" / "extracted").iterdir()
    assert (state / "load" / "normalized" / extracted.name).exists()
    if deleted == "new_jobs":
        shutil.rmtree(extracted / deleted)
    elif deleted == "schema.json":
        (extracted / deleted).unlink()
    laboratory.check(project, "changed")


@pytest.mark.parametrize(
    "name", deep_after(1, ["after the 5th file was committed", "before the 9th job is marked done"])
)
@pytest.mark.deep
def test_a_sync_killed_during_a_load_recovers_after_another_machine_emptied_the_staging_tables_and_was_killed(
    laboratory: Laboratory, name: str, record_property: Record
) -> None:
    project = laboratory.project(synced=True)
    laboratory.stage("changed")
    kill_at(project, laboratory.running, point(name, project.database.name))
    record_property("kill", f"{project.database.name}, named, staging emptied: {name}")
    project.database.clear_staging(project.folder)
    laboratory.check(project, "changed")


@pytest.mark.crash
@pytest.mark.parametrize("name", NAMES)
def test_a_sync_killed_at_a_named_point_recovers_when_all_data_changes_before_the_next(
    laboratory: Laboratory, name: str, record_property: Record
) -> None:
    project = laboratory.project(synced=True)
    laboratory.stage("changed")
    kill_at(project, laboratory.running, point(name, project.database.name))
    record_property("kill", f"{project.database.name}, named, data changed: {name}")
    laboratory.stage("more")
    laboratory.check(project, "more", every_version=False)
