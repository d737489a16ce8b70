"""Receivers killed at random moments: nothing that was answered 200 is lost, and every file is complete."""

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from dlt_authsignal.spool import open_spool
from tests.helpers import ROOT
from tests.ports import free_port
from tests.receivers import Receiver, action, batch_of, s3_environment
from tests.tiers import deep_after

SENDERS = 4
STARTS_WITHIN = 60
ENDS_WITHIN = 60


@dataclass
class Sender:
    """Sends deliveries until it is stopped, and knows which events were answered 200."""

    receiver: Receiver
    accepted: set[str] = field(default_factory=set)
    sent: int = 0
    is_stopped: bool = False

    def run(self) -> None:
        sizes = random.Random(self.receiver.port)
        while not self.is_stopped:
            ids = [str(uuid4()) for _ in range(sizes.choice((1, 20, 200)))]
            self.sent += 1
            try:
                answer = self.receiver.deliver(batch_of(*map(action, ids)))
            except (OSError, HTTPException):
                time.sleep(0.01)
                continue
            if answer.status == 200:
                self.accepted.update(ids)


@contextmanager
def zygote(**environment: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.receiver_zygote"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def start(process: "subprocess.Popen[str]", receiver: Receiver) -> int:
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{receiver.port} {receiver.spool.url}\n")
    process.stdin.flush()
    pid = int(process.stdout.readline())
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        with suppress(OSError, HTTPException):
            if receiver.get("/healthz").status == 200:
                return pid
        assert psutil.pid_exists(pid), "the receiver ended"
        assert time.monotonic() < deadline, "the receiver did not start"
        time.sleep(0.005)


def kill(pid: int) -> None:
    """Kill a receiver and wait until the system has ended it: until then, nothing else can listen on its port."""
    running = psutil.Process(pid)
    running.kill()
    running.wait(ENDS_WITHIN)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("store", "kills"),
    [
        *deep_after(1, [("folder", 3), ("folder", 25)]),
        *(pytest.param(store, 100, marks=pytest.mark.crash) for store in ("folder", "s3")),
    ],
)
def test_no_event_that_was_answered_200_is_lost_by_kills(
    store: str, kills: int, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, environment = str(tmp_path / "spool"), {}
    if store == "s3":
        endpoint, bucket = request.getfixturevalue("s3_bucket")
        url, environment = f"s3://{bucket}/events", s3_environment(endpoint)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    receiver = Receiver(free_port(), open_spool(url))
    senders = [Sender(receiver) for _ in range(SENDERS)]
    threads = [threading.Thread(target=sender.run, daemon=True) for sender in senders]
    moments = random.Random(5)
    with zygote(**environment) as process:
        pid = start(process, receiver)
        for thread in threads:
            thread.start()
        for _ in range(kills):
            time.sleep(moments.uniform(0.02, 0.4))
            kill(pid)
            pid = start(process, receiver)
        for sender in senders:
            sender.is_stopped = True
        for thread in threads:
            thread.join(30)
        kill(pid)
    accepted = set[str]().union(*(sender.accepted for sender in senders))
    stored = {row["event_id"] for row in receiver.rows()}
    assert len(accepted) > kills
    assert accepted - stored == set()
    assert sum(sender.sent for sender in senders) > kills
