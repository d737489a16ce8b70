"""`dlt-authsignal receive` as a process: signals, a full disk, and the loads that it starts."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dlt_authsignal.receiver.repeated_load import RepeatedLoad
from dlt_authsignal.spool import open_spool
from tests.helpers import COMMAND, command
from tests.receivers import KEY, PATH, Receiver, action, batch_of, signed, wait_for

SETTINGS = f"""
[sources.authsignal_source]
api_secret_key = "{KEY}"

[sources.authsignal_events]
path = "{PATH}"
"""


@contextmanager
def started(
    *options: str, before: Sequence[str] = (), settings: str | None = SETTINGS
) -> Iterator[tuple[Receiver, "subprocess.Popen[str]"]]:
    """The command on a free port.

    Args:
        *options: Further options.
        before: A command that starts it.
        settings: Content of `secrets.toml`; None leaves it as it is.
    """
    if settings is not None:
        Path(".dlt").mkdir(exist_ok=True)
        Path(".dlt/secrets.toml").write_text(settings)
    process = subprocess.Popen(
        [*before, COMMAND, "receive", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        said = process.stdout.readline()
        assert said.startswith("Receiving on "), f"{said}{process.stderr.read() if process.stderr else ''}"
        port = int(said.split(",")[0].rpartition(":")[2])
        wait_until_listening(port)
        yield Receiver(port, open_spool("spool")), process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.communicate(timeout=60)


def wait_until_listening(port: int) -> None:
    receiver = Receiver(port, open_spool("spool"))
    deadline = time.monotonic() + 60
    while True:
        try:
            assert receiver.get("/healthz").status == 200
            return
        except OSError:
            assert time.monotonic() < deadline, "the receiver did not start"
            time.sleep(0.05)


def test_sigterm_finishes_what_was_accepted_and_reports_that_identifiers_are_left_out() -> None:
    body = batch_of(action("e-1"))
    with started() as (receiver, process):
        headers = "".join(f"{name}: {value}\r\n" for name, value in signed(body).items())
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=20) as sender:
            sender.sendall(f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode())
            sender.sendall(body[:20])
            wait_for(lambda: "in_flight 1.0" in receiver.get("/metrics").body.decode())
            process.send_signal(signal.SIGTERM)
            wait_for(lambda: not is_open(receiver.port))
            sender.sendall(body[20:])
            assert sender.recv(4096).startswith(b"HTTP/1.1 200 ")
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Receiver stopped. Accepted deliveries are in the spool." in said
    assert "Identifiers are left out" in said
    assert [row["event_id"] for row in receiver.rows()] == ["e-1"]


def test_a_full_disk_is_answered_503_and_leaves_no_part_of_a_file() -> None:
    with started(before=("sh", "-c", 'ulimit -f 40; exec "$@"', "sh")) as (receiver, _):
        large = receiver.deliver(batch_of(*(action(actionCode=os.urandom(300).hex()) for _ in range(100))))
        assert (large.status, large.headers["retry-after"]) == (503, "60")
        assert receiver.deliver(batch_of(action("e-1"))).status == 200
        assert len(receiver.files()) == 1
        assert not list(Path("spool/.unfinished").iterdir())


def test_several_tenants_cannot_be_loaded_by_one_receiver() -> None:
    Path(".dlt").mkdir()
    Path(".dlt/secrets.toml").write_text(
        f'{SETTINGS}[sources.authsignal_events.tenants.eu]\npath = "/eu"\napi_secret_key = "{KEY}"\n'
    )
    done = command("receive", "--load-every", "60s")
    assert done.returncode == 2
    assert "--load-every loads one tenant" in done.stderr


def test_a_load_is_repeated_reported_and_never_runs_twice_at_once(tmp_path: Path) -> None:
    code = "import sys, time; open(sys.argv[1], 'x').close(); time.sleep(.05); import os; os.remove(sys.argv[1])"
    outcomes = asyncio.run(outcomes_of([sys.executable, "-c", code, str(tmp_path / "lock")], 0.01, runs=3))
    assert outcomes == ["succeeded"] * 3


def test_a_load_that_fails_is_reported_and_repeated(caplog: pytest.LogCaptureFixture) -> None:
    outcomes = asyncio.run(outcomes_of([sys.executable, "-c", "raise SystemExit('no database')"], 0.01, runs=2))
    assert outcomes == ["failed"] * 2
    assert "Load failed" in caplog.text
    assert "no database" in caplog.text


def test_a_running_load_is_stopped_with_the_receiver(tmp_path: Path) -> None:
    code = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
    pid_file = tmp_path / "pid"

    async def stopped() -> None:
        task = asyncio.create_task(RepeatedLoad([sys.executable, "-c", code, str(pid_file)], 1).run(lambda _: None))
        await asyncio.to_thread(wait_for, lambda: pid_file.exists() and pid_file.read_text() != "")
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(stopped())
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_a_load_that_succeeds_is_reported_without_its_table(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    code = r"print('table  rows\n\naction_log  5\n\n1 file   loaded.\nNew columns: a.')"
    asyncio.run(outcomes_of([sys.executable, "-c", code], 0.01, runs=1))
    assert "action_log" not in caplog.text
    assert "1 file loaded. | New columns: a." in caplog.text


async def outcomes_of(command: list[str], seconds: float, *, runs: int) -> list[str]:
    found: list[str] = []
    enough = asyncio.Event()

    def loaded(outcome: str) -> None:
        found.append(outcome)
        if len(found) == runs:
            enough.set()

    task = asyncio.create_task(RepeatedLoad(command, seconds).run(loaded))
    async with asyncio.timeout(30):
        await enough.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return found


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
