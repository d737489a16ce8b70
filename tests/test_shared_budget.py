"""Several processes with one key: together they keep to one rate."""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.http.rate.shared_rate_limit import shared_budget
from tests.helpers import SECRET, sync_from

RATE = 30
EACH = 60
BURST = 1.0
"""Seconds' worth of the rate that may leave at once."""

ASK = """
import asyncio, sys
from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.api.server_endpoints import GET_USER_AUTHENTICATORS
from dlt_authsignal.source.config.connection import api_url
from dlt_authsignal.source.http.client import connect
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter

async def main(url, key, place, rate, each):
    limiter = RateLimiter(pace=RequestLimits(rate=float(rate), shared_budget=place))
    print("ready", flush=True)
    input()
    async with connect(api_url(None, url), {"server": basic_auth(key)}, limiter, RunMetrics()) as api:
        await asyncio.gather(*[api.get(GET_USER_AUTHENTICATORS, list, userId="u") for _ in range(int(each))])

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """URL of a Redis."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.fail("A budget is shared in a real Redis: this test needs redis-server.")
    socket = tmp_path / "redis.sock"
    process = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not socket.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait(60)


def two_ask(running: RunningSandbox, place: str) -> None:
    """Two processes that ask, as fast as they may, at the same time."""
    command = [sys.executable, "-c", ASK, running.url, SECRET, place, str(RATE), str(EACH)]
    both = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    for process in both:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors


def assert_kept(running: RunningSandbox) -> None:
    times = [datetime.fromisoformat(entry["at"]) for entry in running.sandbox.log.entries]
    assert len(times) == 2 * EACH
    assert (times[-1] - times[0]).total_seconds() >= 0.9 * (2 * EACH / RATE - BURST)


@pytest.mark.deep
def test_two_processes_share_one_rate_through_a_file(empty: RunningSandbox) -> None:
    two_ask(empty, "budget.sqlite")
    assert_kept(empty)


@pytest.mark.deep
def test_two_processes_share_one_rate_through_redis(empty: RunningSandbox, redis: str) -> None:
    two_ask(empty, redis)
    assert_kept(empty)


@pytest.mark.parametrize("place", [".", "redis://user:hush-hush@127.0.0.1:9/0"])
def test_an_unusable_shared_budget_is_refused_without_its_password(place: str) -> None:
    async def use() -> None:
        async with shared_budget(place, 20.0, "key"):
            pass

    with pytest.raises(ConfigurationError, match="shared_budget cannot be used") as raised:
        asyncio.run(use())
    assert "hush" not in str(raised.value)


def test_a_shared_budget_needs_a_rate(empty: RunningSandbox) -> None:
    with pytest.raises(ConfigurationError, match="needs a rate"):
        sync_from(empty, shared_budget="budget.sqlite", rate="max")
    assert RequestLimits(shared_budget="budget.sqlite").rate == 20
