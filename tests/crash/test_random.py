"""Killed at any moment, a sync is put right by the next plain one."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.crash.laboratory import Laboratory
from tests.crash.syncs import Project
from tests.tiers import deep_after

QUICK = 1
IN_SHORT = 2
IN_ALL = 110
"""For each database, in `make test-crash`."""

KINDS = ("millisecond", "file operation", "statement")
TWISTS = ("none", "none", "again", "again", "disk lost", "data changed")


def moment(rng: random.Random, effort: dict[str, int]) -> tuple[str, dict[str, Any]]:
    """A random moment of a sync that takes so much: what it is counted in, and how to have it killed then."""
    kind = rng.choice(KINDS)
    nth = rng.randint(1, effort[kind])
    return kind, {"seconds": nth / 1000} if kind == "millisecond" else {"fatal": {kind: nth}}


def kill(project: Project, laboratory: Laboratory, stage: str, rng: random.Random) -> str | None:
    """Kills a sync at a random moment; says what that was counted in, or None where the sync was done before."""
    kind, how = moment(rng, laboratory.effort(stage))
    code = project.sync(laboratory.running, **how)
    assert code in (0, -9, -14), project.said()
    return kind if code else None


@pytest.mark.deep
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "number",
    [
        *deep_after(QUICK, range(IN_SHORT)),
        *(pytest.param(number, marks=pytest.mark.crash) for number in range(IN_SHORT, IN_ALL)),
    ],
)
def test_a_sync_killed_at_a_random_moment_recovers(
    laboratory: Laboratory, number: int, record_property: Callable[[str, object], None]
) -> None:
    rng = random.Random(number)
    synced, twist = rng.random() < 0.7, rng.choice(TWISTS)
    stage = "changed" if synced else "begun"
    project = laboratory.project(synced=synced)
    laboratory.stage(stage)
    for _ in range(rng.randint(2, 3) if twist == "again" else 1):
        if kind := kill(project, laboratory, stage, rng):
            record_property("kill", f"{project.database.name}, random {kind}")
    if twist == "disk lost" and (project.folder / "dlt").exists():
        project.lose_disk()
    if twist == "data changed" and synced:
        laboratory.stage("more")
        laboratory.check(project, "more", every_version=False)
    else:
        laboratory.check(project, stage)
