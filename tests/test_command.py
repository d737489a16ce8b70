"""The command, as a person or a scheduler runs it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.cli.main import cli
from dlt_authsignal.sandbox import Fault, RunningSandbox
from dlt_authsignal.sandbox.app.not_emulated import NOT_EMULATED
from tests.helpers import COMMAND, at, command, rows
from tests.tiers import deep_after


def test_sync_prints_rows_requests_destination_and_next_step(seeded: RunningSandbox) -> None:
    done = command("sync", env=at(seeded))
    assert done.returncode == 0, done.stderr
    for expected in ("users", "40", "requests", "authsignal_pipeline.duckdb", "Look at it"):
        assert expected in done.stdout


@pytest.mark.parametrize("dataset", deep_after(1, ["select", "authsignal_data"]))
def test_the_next_step_printed_by_sync_works(seeded: RunningSandbox, dataset: str) -> None:
    done = command("sync", "--tables", "user_authenticators", "--dataset", dataset, env=at(seeded))
    shown = subprocess.run(
        done.stdout.strip().splitlines()[-1],
        shell=True,  # the line is meant to be pasted into a shell
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert "verification_method" in shown.stdout


def test_the_json_output_is_exactly_one_object(seeded: RunningSandbox) -> None:
    done = command("sync", "--json", env=at(seeded))
    report = json.loads(done.stdout)
    assert report["tables"]["users"] == {"read": 40, "new": 40, "changed": 0, "deleted": 0, "total": 40}
    assert report["requests"] == sum(seeded.sandbox.log.by_route.values())
    assert done.stderr == ""


@pytest.mark.deep
def test_user_ids_from_a_file_are_read_if_the_user_list_is_refused(seeded: RunningSandbox) -> None:
    seeded.sandbox.configure(listing="refused")
    ids = [user.user_id for user in seeded.sandbox.store.users()][:3]
    Path("ids.csv").write_text("user_id\n" + "\n".join(ids) + "\nnobody\n", encoding="utf-8")
    done = command("sync", "--users-from", "ids.csv", env=at(seeded))
    assert done.returncode == 0, done.stderr
    assert "1 user id unknown to Authsignal (line or row 5)" in done.stdout
    assert rows("select count(*) from users") == [(3,)]


@pytest.mark.deep
def test_sigterm_stops_a_sync_started_in_the_background_of_a_script(seeded: RunningSandbox) -> None:
    """There the shell has it ignore Ctrl-C, and cron and nohup are no different."""
    seeded.sandbox.faults.add(Fault(route="GET /users/{userId}", kind="delay", seconds=1.0, times=None))
    running = subprocess.Popen(
        ["/bin/sh", "-c", f"trap '' INT; exec {COMMAND} sync --concurrency 1"],
        env={**os.environ, **at(seeded)},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while "GET /users/{userId}" not in seeded.sandbox.log.by_route and time.monotonic() < deadline:
        time.sleep(0.05)
    running.terminate()
    _, said = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "Stopped." in said


@pytest.mark.parametrize("stop", deep_after(1, [signal.SIGINT, signal.SIGTERM]), ids=["Ctrl-C", "SIGTERM"])
def test_a_stop_signal_ends_the_sync_cleanly_and_loads_nothing(seeded: RunningSandbox, stop: signal.Signals) -> None:
    seeded.sandbox.faults.add(Fault(route="GET /users/{userId}", kind="delay", seconds=1.0, times=None))
    running = subprocess.Popen(
        [COMMAND, "sync", "--concurrency", "1"],
        env={**os.environ, **at(seeded)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while "GET /users/{userId}" not in seeded.sandbox.log.by_route and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(stop)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "Stopped" in err
    assert "Traceback" not in out + err
    seeded.sandbox.faults.clear()
    assert json.loads(command("sync", "--json", env=at(seeded)).stdout)["tables"]["users"]["new"] == 40


def test_the_sandbox_command_prints_its_addresses_as_json_and_stops_on_ctrl_c() -> None:
    running = subprocess.Popen(
        [COMMAND, "sandbox", "--port", "0", "--users", "5", "--seed", "7", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout
        said = json.loads(running.stdout.readline())
        assert said["managementSecretKey"] == "sandbox-management-secret"
        with urlopen(Request(said["controlUrl"]), timeout=30) as answer:
            assert json.load(answer)["counts"]["users"] == 5
    finally:
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 0
    assert err == "Sandbox stopped. Its data is deleted.\n"


def test_the_sandbox_command_accepts_keys_tenant_and_passkey_domain() -> None:
    options = ["--management-secret", "m", "--tenant-id", "t", "--rp-id", "app.example"]
    options += ["--origin", "https://app.example", "--origin", "https://www.app.example"]
    running = subprocess.Popen(
        [COMMAND, "sandbox", "--port", "0", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert running.stdout
        said = [running.stdout.readline() for _ in range(8)]
        assert "  keys     server sandbox-server-secret, management m\n" in said
        url = said[0].split()[3]
        page = url.removesuffix("/v1").replace("127.0.0.1", "localhost")
        assert f"  page     {page}/_sandbox/ " in "".join(said)
        asked = Request(f"{url}/management/authenticator-configurations", headers={"Authorization": basic_auth("m")})
        with urlopen(asked, timeout=30) as answer:
            passkey = next(value for value in json.load(answer) if value["verificationMethod"] == "PASSKEY")
        assert (passkey["relyingParty"], passkey["expectedOrigins"]) == (
            "app.example",
            ["https://app.example", "https://www.app.example"],
        )
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)


def test_the_sandbox_command_lists_what_it_does_not_emulate() -> None:
    done = command("sandbox", "--not-emulated")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1:] == [f"- {line}" for line in NOT_EMULATED]


def test_an_unknown_destination_exits_2_in_one_line(seeded: RunningSandbox) -> None:
    done = command("sync", "--destination", "nosuch", env=at(seeded))
    assert done.returncode == 2
    assert "nosuch" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", [*cli.commands, "models list", "models show", "models install"])
def test_every_command_has_a_help_text(name: str) -> None:
    done = command(*name.split(), "--help")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > 3


def loaded_by(code: str, settings: Mapping[str, str] | None = None) -> set[str]:
    """Top-level modules that a statement brings in."""
    code += "\nimport sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **(settings or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


def test_help_and_import_do_not_import_dlt() -> None:
    assert not loaded_by("import dlt_authsignal.cli.main") & {"dlt", "starlette", "aiohttp", "pyarrow"}


def test_the_sandbox_does_not_import_dlt() -> None:
    assert not loaded_by("from dlt_authsignal.sandbox import run_in_thread") & {"dlt", "aiohttp", "pyarrow"}


def test_a_sync_with_nothing_due_imports_no_library_that_it_does_not_use(seeded: RunningSandbox) -> None:
    assert command("sync", env=at(seeded)).returncode == 0
    code = "from dlt_authsignal.cli.main import cli; cli(['sync'], standalone_mode=False)"
    found = loaded_by(code, at(seeded))
    assert {"dlt", "duckdb", "pyarrow"} <= found
    unused = {"rich", "sqlalchemy", "psycopg2", "phonenumbers", "ua_parser", "starlette", "ray", "redis"}
    assert found & unused == set()


def test_what_ray_starts_on_its_machines_does_not_import_dlt() -> None:
    code = "import dlt_authsignal.source.workers.on_ray.actor"
    assert not loaded_by(code) & {"dlt", "sqlglot", "sqlalchemy", "duckdb", "fsspec", "rich", "click"}


def test_the_process_that_makes_the_masked_copy_starts_without_dlt() -> None:
    assert not loaded_by("import dlt_authsignal.assistant.masked_copy.make") & {"dlt", "sqlglot", "pandas"}
