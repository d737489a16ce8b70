"""Killed at any moment, a sync leaves nothing that the next plain one does not put right."""

import os
import random
import subprocess
import time

import pytest

from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.schema.tables.server import TABLES
from tests.helpers import COMMAND, at, rows, sync_from, table

PER_USER = ("users", "user_authenticators", "user_actions", "user_devices")


@pytest.mark.parametrize("round_", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.deep
def test_a_sync_killed_at_a_random_moment_is_completed_by_the_next(seeded: RunningSandbox, round_: int) -> None:
    process = subprocess.Popen(
        [COMMAND, "sync"], env={**os.environ, **at(seeded)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not seeded.sandbox.log.by_route and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(random.Random(round_).uniform(0.0, 1.2))
    process.kill()
    process.wait(60)
    sync_from(seeded)
    undisturbed = {name: table(name) for name in PER_USER}
    for name in PER_USER:
        keys = ", ".join(TABLES[name].key)
        total, distinct = rows(f"select count(*), count(distinct ({keys})) from {name}")[0]
        assert total == distinct
    report = sync_from(seeded)
    assert {name: table(name) for name in PER_USER} == undisturbed
    assert report.tables["users"].total == 40
