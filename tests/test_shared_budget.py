"""Several processes with one key: together they keep to one rate, and to the limit of the server."""

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, closing, contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.api.server_endpoints import GET_USER_AUTHENTICATORS
from dlt_authsignal.errors import ConfigurationError, ExtraMissing, RunFailed
from dlt_authsignal.sandbox import Limit, RunningSandbox
from dlt_authsignal.source.config.connection import api_url
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.http.client import Api, connect
from dlt_authsignal.source.http.rate import rate_stores, shared_rate_limit
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter
from dlt_authsignal.source.http.rate.shared_rate import CHUNK, LATE
from dlt_authsignal.source.http.rate.shared_rate_limit import shared_budget
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from tests.helpers import SECRET, at, command, command_server, python, rows, sync_from
from tests.workers import wait_for

FILE = "budget.sqlite"

READ = """
import asyncio, json, os, sys, time, traceback
from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.api.server_endpoints import GET_USER_AUTHENTICATORS
from dlt_authsignal.source.config.connection import api_url
from dlt_authsignal.source.http.client import connect
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter

async def read(url, key, place, rate, until):
    metrics = RunMetrics()
    limiter = RateLimiter(pace=RequestLimits(rate=float(rate), shared_budget=place, attempts=100))
    async with connect(api_url(None, url), {"server": basic_auth(key)}, limiter, metrics) as api:
        async def one():
            while time.monotonic() < until:
                await api.get(GET_USER_AUTHENTICATORS, list, userId="u")
        await asyncio.gather(*[one() for _ in range(limiter.pace.concurrency)])
    os.write(1, f"{json.dumps(metrics.requests)}\\n".encode())

def child(start, arguments, until):
    code = 1
    try:
        time.sleep(start)
        asyncio.run(read(*arguments, until))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)

*arguments, seconds, starts = sys.argv[1:]
until, children = time.monotonic() + float(seconds), []
for start in json.loads(starts):
    if not (pid := os.fork()):
        child(start, arguments, until)
    children.append(pid)
sys.exit(any([os.waitpid(pid, 0)[1] for pid in children]))
"""
"""Reads with several processes at the same time."""


@contextmanager
def redis_server(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """URL of a Redis, and its process."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.fail("A budget is shared in a real Redis: this test needs redis-server.")
    socket = folder / "redis.sock"
    process = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not socket.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        yield f"unix://{socket}", process
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """URL of a Redis."""
    with redis_server(tmp_path) as (url, _):
        yield url


@pytest.fixture(params=["file", "Redis", "PostgreSQL"])
def place(request: pytest.FixtureRequest) -> str:
    """Where processes share their rate: each kind of store."""
    if request.param == "file":
        return FILE
    found: str = request.getfixturevalue("redis" if request.param == "Redis" else "postgres_database")
    return found


def read(running: RunningSandbox, place: str, rate: float, seconds: float, starts: list[float]) -> list[int]:
    """Read with one process for each start, in seconds from now; return how many requests each has sent."""
    done = python("-c", READ, running.url, SECRET, place, str(rate), str(seconds), json.dumps(starts), timeout=110)
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


def seconds_of(running: RunningSandbox) -> list[float]:
    """When each response was sent."""
    return [datetime.fromisoformat(entry["at"]).timestamp() for entry in running.sandbox.log.entries]


def refused(running: RunningSandbox) -> int:
    return sum(entry["status"] == 429 for entry in running.sandbox.log.entries)


def test_two_processes_share_one_rate(empty: RunningSandbox, place: str) -> None:
    command_server()  # its start does not count
    began = time.monotonic()
    sent = read(empty, place, 40, 2.0, [0.0, 0.0])
    seconds = time.monotonic() - began
    assert len(empty.sandbox.log.entries) == sum(sent) > 0
    assert sum(sent) <= 40 * (seconds + LATE + CHUNK) + 2


@pytest.mark.deep
@pytest.mark.parametrize("number", [pytest.param(2, marks=pytest.mark.slow), 4])
def test_processes_find_a_limit_together_and_a_late_one_gets_its_part(
    empty: RunningSandbox, place: str, number: int
) -> None:
    empty.limits.set(Limit(key="server", per_second=50, burst=50))
    starts = [*[0.0] * (number - 1), 10.0]
    sent = read(empty, place, 200, 40.0, starts)
    assert sum(sent) - refused(empty) >= 0.6 * 50 * 40
    assert refused(empty) <= 0.03 * sum(sent)
    assert min(sent) >= 0.4 * sum(sent) / number * 30 / 40


def test_a_refusal_to_one_process_holds_a_second_one_before_its_first_request(
    empty: RunningSandbox, place: str
) -> None:
    """Both are in this process, with nothing in common but the store."""
    empty.limits.set(Limit(key="server", per_second=0.02, burst=10))

    async def use() -> None:
        async with connection(empty, place, 100) as first:
            asked = [asyncio.create_task(get(first)) for _ in range(30)]
            async with asyncio.timeout(60), shared_budget(place, 100.0, basic_auth(SECRET)) as other:
                while not (other and other.held(time.monotonic())):
                    await asyncio.sleep(0.05)
                    await other.open() if other else None
            await asyncio.sleep(0.5)  # for the requests that were in flight
            for each in asked:
                each.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        sent = len(empty.sandbox.log.entries)
        async with connection(empty, place, 100) as second:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(get(second), 0.5)
        assert len(empty.sandbox.log.entries) == sent
        assert refused(empty) >= 4

    asyncio.run(use())


def test_the_store_keeps_one_small_value_per_key_and_no_key(empty: RunningSandbox) -> None:
    read(empty, FILE, 200, 1.0, [0.0])
    ((name, state),) = rows_of(FILE)
    assert len(state) < 2000
    assert SECRET not in Path(FILE).read_bytes().decode("latin-1")
    assert name.startswith("dlt_authsignal_")


def rows_of(file: str) -> list[tuple[str, bytes]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("select name, state from dlt_authsignal_rates").fetchall()


def test_a_value_that_something_else_wrote_starts_again(empty: RunningSandbox) -> None:
    read(empty, FILE, 200, 0.5, [0.0])
    with closing(sqlite3.connect(FILE)) as connection, connection:
        connection.execute("update dlt_authsignal_rates set state = x'c1'")
    assert sum(read(empty, FILE, 200, 0.5, [0.0])) > 0


@pytest.mark.parametrize(
    "place",
    [
        ".",
        "missing/folder/budget.sqlite",
        "redis://user:hush-hush@127.0.0.1:9/0",
        "redis://user:hush-hush@127.0.0.1:port/0",
        "postgresql://user:hush-hush@127.0.0.1:9/hush",
        "postgres://user:hush-hush@127.0.0.1:port/hush",
        "mysql://user:hush-hush@127.0.0.1/hush",
    ],
)
def test_an_unusable_shared_budget_is_refused_without_its_password(empty: RunningSandbox, place: str) -> None:
    with pytest.raises(ConfigurationError, match=r"shared_budget cannot be used.*Nothing was read") as raised:
        asyncio.run(read_here(empty, place))
    assert "hush" not in "".join(map(str, chain_of(raised.value)))
    assert not empty.sandbox.log.entries


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that dlt would write with it."""
    while error:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    ("place", "module", "extra"),
    [("redis://127.0.0.1:9/0", "redis", "redis"), ("postgresql://127.0.0.1:9/x", "psycopg2", "postgres")],
)
def test_a_missing_package_is_named(place: str, module: str, extra: str) -> None:
    code = f"""
import asyncio, sys
sys.modules["{module}"] = None
from dlt_authsignal.source.http.rate.shared_rate_limit import shared_budget
async def use():
    async with shared_budget("{place}", 20.0, "key"):
        pass
asyncio.run(use())
"""
    done = python("-c", code)
    assert f"{ExtraMissing.__name__}: A shared budget in" in done.stderr
    assert f"needs the '{extra}' extra" in done.stderr


def test_workers_on_ray_cannot_share_a_file(empty: RunningSandbox) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be a file .* Nothing was read"):
        sync_from(empty, shared_budget=FILE, engine="ray")


def test_a_shared_budget_needs_a_rate(empty: RunningSandbox) -> None:
    with pytest.raises(ConfigurationError, match="needs a rate"):
        sync_from(empty, shared_budget=FILE, rate="max")
    assert RequestLimits(shared_budget=FILE).rate == 20


def connection(running: RunningSandbox, place: str, rate: float) -> AbstractAsyncContextManager[Api]:
    limiter = RateLimiter(pace=RequestLimits(rate=rate, shared_budget=place))
    return connect(api_url(None, running.url), {"server": basic_auth(SECRET)}, limiter, RunMetrics())


async def get(api: Api) -> None:
    await api.get(GET_USER_AUTHENTICATORS, list, userId="u")


async def read_here(running: RunningSandbox, place: str, then: Callable[[], object] = lambda: None) -> None:
    """Read until some requests need a new lease; after the first, do something."""
    async with connection(running, place, 50) as api:
        await get(api)
        then()
        for _ in range(50):
            await get(api)


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_stores, "SECONDS_PER_CALL", 1)
    monkeypatch.setattr(shared_rate_limit, "PATIENCE", 1.0)


def assert_fails(running: RunningSandbox, place: str, kind: str, then: Callable[[], object]) -> None:
    with pytest.raises(RunFailed, match=f"The {kind} of shared_budget could not be used") as raised:
        asyncio.run(read_here(running, place, then))
    assert urlsplit(place).path not in "".join(map(str, chain_of(raised.value)))
    assert len(running.sandbox.log.entries) <= 1 + 50 * CHUNK


def test_a_run_ends_if_redis_is_gone(empty: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)
    with redis_server(tmp_path) as (url, process):
        assert_fails(empty, url, "Redis", process.kill)


def test_a_run_ends_if_its_file_stays_locked(empty: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)
    with closing(sqlite3.connect(FILE, isolation_level=None)) as other:
        assert_fails(empty, FILE, "SQLite file", lambda: other.execute("begin exclusive"))


def in_postgres(url: str, query: str) -> Callable[[], None]:
    """Run a query in another database of the same server."""
    import psycopg2

    def run() -> None:
        connection = psycopg2.connect(urlsplit(url)._replace(path="/postgres").geturl())
        connection.autocommit = True
        connection.cursor().execute(query)
        connection.close()

    return run


def test_a_run_ends_if_its_database_is_gone_and_waits_for_one_that_comes_back(
    empty: RunningSandbox, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = urlsplit(postgres_database).path.strip("/")
    lost = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
    asyncio.run(read_here(empty, postgres_database, in_postgres(postgres_database, lost)))
    assert len(empty.sandbox.log.entries) == 51
    empty.sandbox.log.entries.clear()
    impatient(monkeypatch)
    gone = f"drop database {name} with (force)"
    assert_fails(empty, postgres_database, "PostgreSQL", in_postgres(postgres_database, gone))


def test_a_user_who_may_not_create_tables_uses_one_that_exists(postgres_database: str) -> None:
    import psycopg2

    async def use(url: str) -> None:
        async with shared_budget(url, 20.0, "key"):
            pass

    name = f"reader_{urlsplit(postgres_database).path.strip('/')}"
    connection = psycopg2.connect(postgres_database)
    connection.autocommit = True
    connection.cursor().execute(f"create role {name}; revoke create on schema public from public")
    as_reader = f"{postgres_database}?options=-c%20role%3D{name}"
    with pytest.raises(ConfigurationError, match="InsufficientPrivilege"):
        asyncio.run(use(as_reader))
    asyncio.run(use(postgres_database))
    connection.cursor().execute(f"grant select, insert, update on dlt_authsignal_rates to {name}")
    asyncio.run(use(as_reader))
    connection.close()


def test_without_a_place_nothing_is_shared() -> None:
    async def use() -> None:
        async with shared_budget(None, 20.0, "key") as limiter:
            assert limiter is None

    asyncio.run(use())


def test_a_shard_alone_uses_the_whole_rate(seeded: RunningSandbox) -> None:
    settings = at(seeded, RATE="10", SHARED_BUDGET=FILE, SHARD_FOLDER="shards")
    done = command("sync", "--shard", "1/8", "--tables", "users,user_authenticators", env=settings)
    assert done.returncode == 0, done.stderr
    times = seconds_of(seeded)
    assert (len(times) - 1) / (times[-1] - times[0]) > 2 * 10 / 8


@pytest.mark.deep
@pytest.mark.timeout(300)
@pytest.mark.parametrize("workers", [1, 2])
def test_shards_that_start_at_different_times_use_the_whole_rate_together(
    seeded: RunningSandbox, place: str, workers: int
) -> None:
    tables = "--tables", "users,user_authenticators,user_actions"
    settings = at(seeded, RATE="10", SHARED_BUDGET=place, SHARD_FOLDER="shards", WORKERS=str(workers))
    shard = [str(Path(sys.executable).with_name("dlt-authsignal")), "sync", *tables, "--shard"]
    first = subprocess.Popen([*shard, "1/2"], env=os.environ | settings)
    try:
        wait_for(lambda: len(seeded.sandbox.log.entries) > 15 or first.poll() is not None)
        second = command("sync", *tables, "--shard", "2/2", env=settings, timeout=110)
        assert (first.wait(110), second.returncode) == (0, 0), second.stderr
    finally:
        first.kill()
        first.wait(60)
    times = seconds_of(seeded)
    assert len(times) <= 10 * (times[-1] - times[0] + LATE + CHUNK) + 2
    lists = [place for place, entry in enumerate(seeded.sandbox.log.entries) if entry["route"] == "GET /users"]
    alone = times[1 : lists[1]]  # each shard reads the list once, and then starts its workers
    assert len(alone) > 10
    assert (len(alone) - 1) / (alone[-1] - alone[0]) > 10 / 2 * 1.1
    done = command("sync", "--load-shards", *tables, env=settings)
    assert done.returncode == 0, done.stderr
    assert rows("select count(*) from authsignal_data.users") == [(40,)]
