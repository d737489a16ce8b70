"""Two machines, or two folders, that sync into one dataset: one at a time, and the newer rows stay."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from dlt_authsignal import known_reads
from dlt_authsignal.pipeline.attach import attach, make_pipeline
from dlt_authsignal.pipeline.sync.report import SyncReport
from dlt_authsignal.sandbox import Fault, RunningSandbox
from dlt_authsignal.sandbox.tenant.entities import User
from dlt_authsignal.source.source import authsignal_source
from tests.helpers import COMMAND, SECRET, at, command, sync_from
from tests.tiers import deep_after, deep_except
from tests.warehouses import DuckDB, Postgres, Warehouse

SHARED = ["duckdb", "postgres"]


@pytest.fixture(params=deep_after(1, SHARED))
def shared(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """A database that both machines load into."""
    found: Warehouse = DuckDB()
    if request.param == "postgres":
        found = Postgres(request.getfixturevalue("postgres_database"))
    for name, value in found.env.items():
        monkeypatch.setenv(name, value)
    return found


class Machines:
    """Machines by name, each with a disk of its own; a sync runs on the one that was chosen last."""

    def __init__(self, running: RunningSandbox, warehouse: Warehouse, disks: Path, patch: pytest.MonkeyPatch) -> None:
        self._running, self._warehouse, self._disks, self._patch = running, warehouse, disks, patch

    def at(self, name: str) -> None:
        self._patch.setenv("DLT_DATA_DIR", str(self._disks / name))

    def sync(self, **arguments: Any) -> SyncReport:
        return sync_from(self._running, destination=self._warehouse.destination, **arguments)

    def leave_pending(self, *, normalized: bool) -> None:
        """What a run that is killed between reading and loading leaves."""
        pipeline = attach(destination=self._warehouse.destination)
        pipeline.extract(
            authsignal_source(base_url=self._running.url, api_secret_key=SECRET, rate="max", privacy="keep")
        )
        if normalized:
            pipeline.normalize()

    def load_without_history(self) -> None:
        """What a run that is killed after its load leaves."""
        pipeline = make_pipeline(destination=self._warehouse.destination)
        found: dict[str, Any] = {
            "base_url": self._running.url,
            "api_secret_key": SECRET,
            "rate": "max",
            "privacy": "keep",
        }
        pipeline.run(authsignal_source(**found, reads=known_reads(pipeline)))

    def emails_so_far(self) -> list[str]:
        return [email for (email,) in self._warehouse.rows("select email from users_history order by valid_from")]

    def put(self, email: str) -> None:
        self._running.sandbox.store.put_user(
            User(user_id="ada", created_at=self._running.sandbox.clock.now(), email=email)
        )

    def email(self) -> str:
        ((email,),) = self._warehouse.rows("select email from users where user_id = 'ada'")
        return str(email)


@pytest.fixture
def machines(empty: RunningSandbox, shared: Warehouse, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Machines:
    return Machines(empty, shared, workdir / "disks", monkeypatch)


@pytest.mark.deep
@pytest.mark.parametrize("normalized", deep_except([True], [False, True]), ids=["extracted", "normalized"])
def test_a_pending_load_is_dropped_once_another_machine_has_loaded_newer_rows(
    machines: Machines, normalized: bool
) -> None:
    machines.put("first@example.com")
    machines.at("a")
    machines.sync()
    machines.put("second@example.com")
    machines.leave_pending(normalized=normalized)
    machines.put("third@example.com")
    machines.at("b")
    machines.sync()
    assert machines.email() == "third@example.com"
    machines.at("a")
    report = machines.sync()
    assert (report.dropped_pending, report.finished_pending) == (True, False)
    assert machines.email() == "third@example.com"
    machines.put("fourth@example.com")
    assert machines.sync().dropped_pending is False
    assert machines.email() == "fourth@example.com"


def test_a_sync_writes_the_history_of_a_load_of_another_machine_that_was_killed_before_it(machines: Machines) -> None:
    machines.at("a")
    for email in ("first@example.com", "second@example.com"):
        machines.put(email)
        machines.sync()
    machines.put("third@example.com")
    machines.at("b")
    machines.load_without_history()
    machines.at("a")
    assert machines.sync().users_due == 0
    assert machines.emails_so_far() == [f"{each}@example.com" for each in ("first", "second", "third")]


@pytest.mark.parametrize("shared", SHARED, indirect=True)
@pytest.mark.deep
def test_a_pending_load_is_finished_when_nothing_newer_was_loaded(machines: Machines) -> None:
    machines.put("first@example.com")
    machines.at("b")
    machines.sync()
    machines.at("a")
    machines.sync()
    machines.put("second@example.com")
    machines.leave_pending(normalized=True)
    report = machines.sync(max_requests=1)  # the list alone: nobody is read
    assert (report.finished_pending, report.dropped_pending, report.users_read) == (True, False, 0)
    assert machines.email() == "second@example.com"


@pytest.mark.deep
def test_an_interrupted_drop_is_finished_before_anything_is_read(machines: Machines) -> None:
    machines.put("first@example.com")
    machines.at("a")
    machines.sync()
    machines.leave_pending(normalized=True)
    pipeline = attach(destination=machines._warehouse.destination)
    (load_id,) = pipeline.list_normalized_load_packages()
    pipeline._get_load_storage().normalized_packages.set_abort_flag(load_id)
    machines.put("second@example.com")
    machines.sync()
    assert machines.email() == "second@example.com"


OTHERS = [
    ([], "a", "Another run of pipeline"),  # the same pipeline
    ([], "b", "Another sync into"),  # from another disk
    (["--pipeline-name", "other"], "a", "Another sync into"),  # by another pipeline
]


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_other_syncs_during_a_sync_are_refused_and_the_first_continues(
    empty: RunningSandbox, shared: Warehouse, workdir: Path
) -> None:
    empty.sandbox.store.put_user(User(user_id="ada", created_at=empty.sandbox.clock.now(), email="ada@example.com"))
    empty.sandbox.faults.add(Fault(route="GET /users/{userId}", kind="delay", seconds=1))
    file = {"DESTINATION__DUCKDB__CREDENTIALS": str(workdir / "authsignal_pipeline.duckdb")}
    wanted = ["sync", "--destination", shared.destination]
    first = subprocess.Popen(
        [COMMAND, *wanted],
        env={**os.environ, **at(empty), **file, "DLT_DATA_DIR": str(workdir / "a")},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    deadline = time.monotonic() + 60
    while empty.sandbox.faults.waiting and time.monotonic() < deadline:
        time.sleep(0.02)
    first.send_signal(signal.SIGSTOP)  # in the midst of reading
    refused = [
        command(*wanted, *options, env={**at(empty), **file, "DLT_DATA_DIR": str(workdir / disk)})
        for options, disk, _ in OTHERS
    ]
    first.send_signal(signal.SIGCONT)
    _, complaints = first.communicate(timeout=60)
    for other, (_, _, said) in zip(refused, OTHERS, strict=True):
        assert (other.returncode, first.returncode) == (1, 0), other.stderr + complaints
        assert said in other.stderr
        assert "Traceback" not in other.stderr
    assert shared.rows("select user_id from users") == [("ada",)]
