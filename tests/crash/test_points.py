"""Killed at any named point, a sync is put right by the next plain one."""

from collections.abc import Callable

import pytest

from tests.crash.laboratory import Laboratory, kill_at
from tests.crash.points import POINTS

Record = Callable[[str, object], None]
AT_A_TIME = 5
"""Kills one after the other, in the order of a sync: each is also one in the sync that repairs what the last one left."""


NAMES = tuple(POINTS)


@pytest.mark.parametrize("first", range(0, len(NAMES), AT_A_TIME), ids=lambda first: NAMES[first])
def test_killed_again_and_again_at_named_points(laboratory: Laboratory, first: int, record_property: Record) -> None:
    project = laboratory.project(synced=True)
    laboratory.stage("changed")
    for name in NAMES[first : first + AT_A_TIME]:
        kill_at(project, laboratory.running, POINTS[name])
        record_property("kill", f"{project.database.name}: {name}")
    assert project.sync(laboratory.running) == 0, project.said()
    assert project.tables() == laboratory.expected("changed")
