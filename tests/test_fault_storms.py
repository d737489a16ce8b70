"""Everything goes wrong at once. A sync ends complete, or with an error; it never takes trouble for a deletion; and the
next quiet one is complete."""

import random
from collections.abc import Iterator
from contextlib import suppress

import pytest

from dlt_authsignal.errors import RunFailed
from dlt_authsignal.sandbox import Fault, RunningSandbox, SandboxConfig, run_in_thread
from tests.helpers import rows, sync_from, table
from tests.tiers import deep_after

QUICK = 1
IN_SHORT = 3
IN_ALL = 40
TABLES = ("users", "user_authenticators", "user_actions", "user_devices", "tenant_authenticators")
ONE_USER = ("GET /users/{userId}", "GET /users/{userId}/authenticators", "GET /users/{userId}/actions")


@pytest.fixture
def few() -> Iterator[RunningSandbox]:
    """A tenant of 12 people."""
    with run_in_thread(SandboxConfig(users=12, days=30, seed=7)) as running:
        yield running


def storm(rng: random.Random) -> list[Fault]:
    """Faults of every kind: some strike one call in twenty, some come as a wall of refusals."""
    walls = [
        Fault(
            route="*", kind="status", status=status, after=rng.randint(0, 60), times=rng.randint(1, 12), headers=headers
        )
        for status, headers in ((429, {}), (429, {"Retry-After": "0.01"}), (rng.choice((500, 502, 503, 504)), {}))
    ]
    listing = [
        Fault(route="GET /users", kind=kind, times=None, probability=0.15, seed=rng.randrange(1000))
        for kind in ("repeat_cursor", "skip_cursor", "cut", "slow")
    ]
    error = '{"error": "internal", "errorCode": "internal"}'
    everywhere = [
        Fault(route="*", kind=kind, times=None, probability=0.05, seed=rng.randrange(1000), body=error, seconds=0.05)
        for kind in ("status", "reset", "cut", "html", "content_type", "body", "slow", "latency")
    ]
    dropped = [
        Fault(route=rng.choice(ONE_USER), kind="drop_user", after=rng.randint(0, 40)) for _ in range(rng.randint(0, 2))
    ]
    faults = [*walls, *listing, *everywhere, *dropped]
    rng.shuffle(faults)
    return faults


def people(running: RunningSandbox) -> set[str]:
    return {user.user_id for user in running.sandbox.store.users()}


def alive(pipeline: str) -> dict[str, list[object]]:
    """Rows of users who are there, without what the pipeline adds."""
    there = {row["user_id"] for row in table("users", f"{pipeline}.duckdb") if "deleted_at" not in row}
    return {
        name: [
            row
            for row in table(name, f"{pipeline}.duckdb")
            if "deleted_at" not in row and row.get("user_id", None) in {*there, None}
        ]
        for name in TABLES
    }


def wrongly_deleted(running: RunningSandbox) -> set[str]:
    """Users who are marked as deleted, or something of theirs, and are there."""
    found = [
        rows(f"select user_id from {name} where deleted_at is not null")
        for name in ("users", "user_authenticators", "user_devices")
    ]
    return {user_id for each in found for (user_id,) in each} & people(running)


@pytest.mark.deep
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "seed",
    [
        *deep_after(QUICK, range(IN_SHORT)),
        *(pytest.param(seed, marks=pytest.mark.crash) for seed in range(IN_SHORT, IN_ALL)),
    ],
)
def test_the_sync_after_a_fault_storm_is_complete(few: RunningSandbox, seed: int) -> None:
    rng = random.Random(seed)
    sync_from(few, page_size=3)
    for fault in storm(rng):
        few.sandbox.faults.add(fault)
    with suppress(RunFailed):
        assert sync_from(few, page_size=3, full=True).users_read >= len(people(few))
    few.sandbox.faults.clear()
    assert wrongly_deleted(few) == set()
    sync_from(few, full=True)
    sync_from(few, full=True, pipeline_name="undisturbed")
    assert alive("authsignal_pipeline") == alive("undisturbed")


@pytest.mark.parametrize(
    "fault",
    [
        *deep_after(
            0,
            [
                Fault(route="*", kind="status", status=503, times=None),
                Fault(route="*", kind="body", body='{"error": "internal", "errorCode": "internal"}', times=None),
            ],
        ),
        Fault(route="GET /users", kind="body", body='{"users": []}'),
        *deep_after(0, [Fault(route="GET /users", kind="skip_cursor", times=None)]),
        *deep_after(0, [Fault(route="GET /users", kind="cut", after=2, times=None)]),
    ],
    ids=["outage", "error with status 200", "empty list", "skipping list", "cut list"],
)
def test_rows_missing_because_of_a_fault_are_not_marked_deleted(seeded: RunningSandbox, fault: Fault) -> None:
    sync_from(seeded, page_size=7)
    before = {name: table(name) for name in TABLES}
    seeded.sandbox.faults.add(fault)
    with suppress(RunFailed):
        sync_from(seeded, page_size=7)
    assert {name: table(name) for name in TABLES} == before
