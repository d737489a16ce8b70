"""By default no identifier of anybody is in any byte that a run leaves: database, packages, state, logs, words, command
line. The same of the key that they are hashed with."""

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from dlt_authsignal.sandbox import Fault, run_in_thread
from tests.canaries import Hit, search, search_database
from tests.helpers import COMMAND
from tests.planted import Planted, config, plant, unique
from tests.test_canaries import DATABASE, PACKAGES, run
from tests.tiers import deep_after

KEY = secrets.token_hex(32)
PLAIN = ("locale",)
"""What says nothing of who somebody is, and is loaded as it is."""
ALL_TABLES = "users,user_authenticators,user_actions,user_devices,action_details,tenant_authenticators,unknown_user_ids"
USER_IDS = ["an e-mail address", "an opaque id"]
slow = pytest.mark.timeout(300)  # several commands, and every byte they leave


@pytest.fixture(params=deep_after(1, USER_IDS))
def planted(request: pytest.FixtureRequest) -> Iterator[Planted]:
    """A tenant full of canaries; of a user whose id names them, or does not."""
    names_somebody = request.param == "an e-mail address"
    with run_in_thread(config()) as running:
        found = plant(running, f"{unique('user')}@example.com" if names_somebody else None)
        for plain in PLAIN if names_somebody else (*PLAIN, "user id"):
            del found.personal[plain]
        yield found


def env(planted: Planted, *credentials: str, **more: str) -> dict[str, str]:
    settings = planted.env(*credentials, privacy="pseudonymize", **{"privacy_key": KEY, **more})
    return settings | {"RUNTIME__LOG_LEVEL": "DEBUG"}


def left(planted: Planted, folder: Path) -> list[Hit]:
    """Identifiers, secrets and the privacy key, wherever they stand."""
    wanted = planted.personal | planted.secret | {"privacy key": KEY}
    found = search(folder, wanted, leave_out=("secrets.toml",))
    return found + (search_database(folder / DATABASE, wanted) if (folder / DATABASE).exists() else [])


def rows_of(table: str) -> int:
    with duckdb.connect(DATABASE, read_only=True) as connection:
        ((rows,),) = connection.execute(f"select count(*) from authsignal_data.{table}").fetchall()
    return int(rows)


@slow
def test_a_sync_of_everything_leaves_no_identifier(planted: Planted, workdir: Path) -> None:
    for _ in range(2):  # first with the answers that hold secrets, then as it is
        assert run(workdir, [COMMAND, "sync", "--tables", ALL_TABLES, "--full"], env(planted, "api_secret_key")) == 0
    tables = ("users", "user_authenticators", "user_actions", "user_devices", "action_details", "users_history")
    assert all(rows_of(table) for table in tables)
    with duckdb.connect(DATABASE, read_only=True) as connection:
        assert connection.execute("select count(email), count(phone_number) from authsignal_data.users").fetchone() == (
            1,
            1,
        )
    assert left(planted, workdir) == []


@slow
@pytest.mark.deep
def test_the_client_api_leaves_no_identifier(planted: Planted, workdir: Path) -> None:
    for _ in range(2):
        assert run(workdir, [COMMAND, "sync"], env(planted, "token", "tenant_id")) == 0
    assert rows_of("user_authenticators")
    assert left(planted, workdir) == []


@slow
@pytest.mark.parametrize("planted", deep_after(1, USER_IDS), indirect=True)
def test_without_a_privacy_key_no_identifier_is_left_either(planted: Planted, workdir: Path) -> None:
    done = run(workdir, [COMMAND, "sync"], env(planted, "api_secret_key", privacy_key=""))
    assert done == (2 if "user id" in planted.personal else 0)  # an id that names somebody cannot be left out
    assert left(planted, workdir) == []


@slow
@pytest.mark.parametrize("route", deep_after(1, ["GET /users/{userId}/devices", "GET /users"]))
@pytest.mark.deep
def test_a_sync_that_fails_leaves_no_identifier(planted: Planted, workdir: Path, route: str) -> None:
    planted.running.faults.clear()
    planted.running.faults.add(Fault(route=route, kind="status", status=500, times=None))
    assert run(workdir, [COMMAND, "sync"], env(planted, "api_secret_key")) == 1
    assert left(planted, workdir) == []


@slow
@pytest.mark.deep
def test_a_load_refused_by_the_destination_leaves_no_identifier(planted: Planted, workdir: Path) -> None:
    planted.running.faults.clear()
    settings = env(planted, "api_secret_key")
    assert run(workdir, [COMMAND, "sync", "--tables", "users"], settings) == 0
    with duckdb.connect(DATABASE) as connection:
        connection.execute("delete from authsignal_data.users")
        connection.execute("alter table authsignal_data.users alter email type integer using 0")
    assert run(workdir, [COMMAND, "sync", "--tables", "users", "--full"], settings) == 1
    assert left(planted, workdir) == []


@pytest.mark.deep
@slow
def test_a_sync_that_is_killed_leaves_packages_without_identifiers(planted: Planted, workdir: Path) -> None:
    planted.running.faults.clear()
    settings = {**os.environ, **env(planted, "api_secret_key")}
    with (workdir / "said.txt").open("wb") as said:
        process = subprocess.Popen([COMMAND, "sync"], env=settings, stdout=said, stderr=said)
        deadline = time.monotonic() + 40
        while process.poll() is None and not _packages(workdir) and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    assert _packages(workdir)
    assert left(planted, workdir) == []
    assert run(workdir, [COMMAND, "sync"], env(planted, "api_secret_key")) == 0
    assert left(planted, workdir) == []


def _packages(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("dlt/pipelines/**/*users*") if path.is_file()]
    return [path for path in found if any(name in str(path) for name in PACKAGES)]
