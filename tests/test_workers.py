"""A sync with several processes: the same tables, one rate, and no process is left when something ends."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dlt_authsignal.errors import ConfigurationError, ServerFault, WorkerLost
from dlt_authsignal.pipeline.sync.report import SyncReport
from dlt_authsignal.sandbox import Fault, RunningSandbox, SandboxConfig
from dlt_authsignal.source.workers import processes
from dlt_authsignal.source.workers.choice import cores
from tests.contents import change, loaded
from tests.helpers import COMMAND, SECRET, at, command, rows, sync_from
from tests.loaded import synced
from tests.shared_fixtures import served
from tests.tiers import deep_after, deep_except
from tests.workers import is_alive, killing, wait_for, workers_of

KEY = "3f9c1be07a52d8644e0d97b1c65fa2380b7e41d95c8f2a6310d4e97f58ab2c61"
ONE, MANY = "one", "many"
WRITING_MODULES = """
import os, sys
from pathlib import Path
end = os._exit
def _exit(code):
    names = {name.partition(".")[0] for name in sys.modules}
    Path(os.environ["MODULES_IN"], f"{os.getpid()}.modules").write_text(" ".join(names), "utf-8")
    end(code)
os._exit = _exit
"""
"""Start of a process that writes the names of its modules to a file when it ends."""

SLOW = Fault(route="GET /users/{userId}/actions", kind="delay", seconds=0.02, times=None)


def load(running: RunningSandbox, name: str, workers: int, **settings: Any) -> SyncReport:
    """Sync into a pipeline of its own."""
    return sync_from(running, pipeline_name=name, workers=workers, **settings)


def both(running: RunningSandbox, workers: int, **settings: Any) -> list[SyncReport]:
    """Sync the same tenant with one process and with several, and compare what they loaded."""
    reports = [load(running, ONE, 1, **settings), load(running, MANY, workers, **settings)]
    assert loaded(f"{MANY}.duckdb") == loaded(f"{ONE}.duckdb")
    one, many = (each.to_dict() for each in reports)
    for report in (one, many):
        for name in ("pipeline", "location", "seconds", "notes"):
            del report[name]
    assert many == one
    return reports


@pytest.mark.parametrize(("users", "workers"), deep_after(1, [(25, 2), (25, 4), (200, 4)]))
def test_several_workers_load_the_tables_and_histories_of_one_and_start_without_dlt(
    users: int, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_START", f"{WRITING_MODULES}{processes._START}")
    monkeypatch.setenv("MODULES_IN", str(tmp_path))
    with served(SandboxConfig(seed=1, users=users)) as running:
        first, _ = both(running, workers, privacy="pseudonymize", privacy_key=KEY)
        assert first.users_read == users
        change(running)
        second, _ = both(running, workers, privacy="pseudonymize", privacy_key=KEY)
        assert second.tables["users"].deleted == 1
        assert running.sandbox.log.most_in_flight <= 8
    written = [set(path.read_text("utf-8").split()) for path in tmp_path.glob("*.modules")]
    assert written  # not by workers that start so slowly that the sync no longer needs them, and ends them
    for modules in written:
        assert {"dlt_authsignal", "aiohttp", "pyarrow"} <= modules
        assert not modules & {"dlt", "sqlglot", "sqlalchemy", "duckdb", "fsspec", "rich", "click"}


@pytest.mark.deep
def test_details_of_actions_and_limited_rates_are_the_same(seeded: RunningSandbox) -> None:
    tables = ["users", "user_actions", "action_details"]
    first, _ = both(seeded, 2, tables=tables, rate=500)
    assert first.tables["action_details"].new > 0
    _, again = both(seeded, 2, tables=tables, rate=500, full=True)
    assert again.users_read == 40


@pytest.mark.skipif(cores() < 2, reason="with one core, one process is chosen")
@pytest.mark.parametrize(
    ("worth", "expected", "rate"),
    [
        *deep_after(1, [(25, True, "max"), (25, True, 1000), (1000, False, "max")]),
        pytest.param(1000, False, 1000, marks=pytest.mark.slow),
    ],
)
def test_chosen_workers_start_only_for_enough_users_and_no_key_is_in_their_environment_or_command_line(
    seeded: RunningSandbox, monkeypatch: pytest.MonkeyPatch, rate: Any, worth: int, expected: bool
) -> None:
    load(seeded, ONE, 1, privacy="pseudonymize", privacy_key=KEY)
    seeded.faults.add(SLOW)
    seen: list[int] = []
    said = b""

    def look() -> bool:
        nonlocal said
        for pid in workers_of(os.getpid()):
            seen.append(pid)
            for name in ("environ", "cmdline"):
                with suppress(OSError):  # it has just ended
                    said += Path(f"/proc/{pid}/{name}").read_bytes()
        return False

    monkeypatch.setattr("dlt_authsignal.source.resources.reading.USERS_WORTH_WORKERS", worth)
    with killing(1, look):
        report = sync_from(seeded, pipeline_name=MANY, rate=rate, privacy="pseudonymize", privacy_key=KEY)
    assert bool(seen) == expected
    assert report.users_read == 40
    assert loaded(f"{MANY}.duckdb") == loaded(f"{ONE}.duckdb")
    assert (b"workers.worker" in said) == (expected and Path("/proc/self/environ").exists())
    assert SECRET.encode() not in said
    assert KEY.encode() not in said


@pytest.mark.deep
@pytest.mark.parametrize("kind", ["changed_types", "unknown_fields"])
def test_values_of_other_types_and_new_fields_are_the_same(seeded: RunningSandbox, kind: Any) -> None:
    seeded.faults.add(Fault(route="*", kind=kind, times=None))
    tables = ["user_authenticators", "user_devices"]
    _, many = both(seeded, 2, tables=tables, privacy="pseudonymize", privacy_key=KEY)
    assert any(many.drift.values())


@pytest.mark.parametrize("reading", deep_except([True], [False, True]), ids=lambda it: "reading" if it else "starting")
def test_what_a_killed_worker_was_reading_is_read_again(seeded: RunningSandbox, reading: bool) -> None:
    synced(seeded, ONE)
    seeded.faults.add(SLOW)
    with killing(1, lambda: not reading or _actions_read(seeded) >= 3) as killed:
        report = load(seeded, MANY, 2)
    assert len(killed) == 1
    assert report.users_read == 40
    assert loaded(f"{MANY}.duckdb") == loaded(f"{ONE}.duckdb")


def test_a_run_fails_and_loads_nothing_if_the_second_worker_dies_too(seeded: RunningSandbox) -> None:
    seeded.faults.add(SLOW)
    with killing(10), pytest.raises(WorkerLost, match=r"signal 9.*Nothing was loaded"):
        load(seeded, MANY, 2)
    assert _is_empty()
    assert workers_of(os.getpid()) == []
    seeded.faults.clear()
    assert load(seeded, MANY, 1).users_read == 40


def _is_empty() -> bool:
    return not Path(f"{MANY}.duckdb").exists() or not rows(
        "select 1 from information_schema.tables where table_name = 'users'", f"{MANY}.duckdb"
    )


def _actions_read(running: RunningSandbox) -> int:
    return running.sandbox.log.by_route["GET /users/{userId}/actions"]


def test_the_error_of_a_worker_is_the_error_of_the_run(seeded: RunningSandbox) -> None:
    route = "GET /users/{userId}/devices"
    seeded.faults.add(Fault(route=route, kind="status", status=500, times=None))
    with pytest.raises(ServerFault) as found:
        load(seeded, MANY, 2, attempts=2)
    assert (found.value.request, found.value.status) == (route, 500)
    assert _is_empty()
    assert workers_of(os.getpid()) == []


@pytest.mark.parametrize("number", deep_after(1, [signal.SIGKILL, signal.SIGINT, signal.SIGTERM]))
def test_workers_end_with_the_sync(seeded: RunningSandbox, number: signal.Signals) -> None:
    seeded.faults.add(Fault(route="GET /users/{userId}/actions", kind="delay", seconds=5, times=None))
    process = subprocess.Popen(
        [COMMAND, "sync", "--workers", "2"],
        env={**os.environ, **at(seeded)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: len(workers_of(process.pid)) == 2 and seeded.sandbox.log.in_flight > 1)
        workers = workers_of(process.pid)
        process.send_signal(number)
        code = process.wait(60)
    finally:
        process.kill()
    wait_for(lambda: not any(map(is_alive, workers)))
    assert code == (-9 if number == signal.SIGKILL else 1)


@pytest.mark.deep
def test_a_script_without_a_main_guard_runs_once(seeded: RunningSandbox, workdir: Path) -> None:
    script = workdir / "load.py"
    script.write_text(
        "import dlt\nfrom dlt_authsignal import sync\nprint('begun')\n"
        "report = sync(dlt.pipeline('p', destination='duckdb'), workers=2)\nprint(report.users_read)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        check=False,
        env={**os.environ, **at(seeded)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["begun", "40"], done.stderr


@pytest.mark.parametrize("value", ["0", "-1", "1000", "four", ""])
def test_the_option_refuses_numbers_that_it_cannot_use(value: str) -> None:
    done = command("sync", "--workers", value)
    assert done.returncode == 2
    assert "--workers" in done.stderr


@pytest.mark.parametrize("value", [0, -1, 1000, 1.5, True, "four"])
def test_the_setting_refuses_values_that_it_cannot_use(empty: RunningSandbox, value: Any) -> None:
    with pytest.raises(ConfigurationError, match="workers"):
        sync_from(empty, workers=value)
    assert empty.sandbox.log.by_route == {}
