"""What several tests need: rows out of DuckDB, and a sync against a sandbox."""

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.pipeline.attach import make_pipeline
from dlt_authsignal.pipeline.sync.report import SyncReport
from dlt_authsignal.pipeline.sync.run import sync
from dlt_authsignal.sandbox import RunningSandbox

SECRET = "sandbox-server-secret"
MANAGEMENT_SECRET = "sandbox-management-secret"
ROOT = Path(__file__).parents[1]
PIPELINE_ARGUMENTS = {"destination", "staging", "dataset", "pipeline_name", "progress"}
COMMAND = str(Path(sys.executable).with_name("dlt-authsignal"))


def sync_from(running: RunningSandbox, **arguments: Any) -> SyncReport:
    """One sync of a sandbox into ./authsignal_pipeline.duckdb, at a limited rate as by default, but without waits."""
    defaults = {"base_url": running.url, "api_secret_key": SECRET, "rate": 50_000, "attempts": 3, "backoff": 0.01}
    defaults["privacy"] = "keep"  # tests look at plain values; tests/test_privacy.py at what is done to them
    return sync_into(**{**defaults, **arguments})


def sync_into(**arguments: Any) -> SyncReport:
    """One sync into the pipeline that some arguments describe, as the command makes it; the others are sync's."""
    into = {name: arguments.pop(name) for name in PIPELINE_ARGUMENTS & arguments.keys()}
    return sync(make_pipeline(**into), **arguments)


def rows(query: str, database: str = "authsignal_pipeline.duckdb") -> list[tuple[Any, ...]]:
    """Rows of a query; tables are in authsignal_data."""
    with opened(database) as connection:
        return connection.execute(query).fetchall()


@contextmanager
def opened(database: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads a file, whose tables are in authsignal_data. Other processes can write before and after.

    The file is attached to one DuckDB, because starting a DuckDB takes longer than most queries.
    """
    name = Path(database).stem.replace('"', '""')
    file = str(database).replace("'", "''")
    with _one_at_a_time, in_memory().cursor() as connection:
        connection.execute(f"attach '{file}' as \"{name}\" (read_only)")
        try:
            connection.execute("set timezone = 'UTC'")
            connection.execute(f'use "{name}".authsignal_data')
            yield connection
        finally:
            connection.execute("use memory")
            connection.execute(f'detach "{name}"')


_one_at_a_time = threading.RLock()


@cache
def in_memory() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def table(name: str, database: str = "authsignal_pipeline.duckdb") -> list[dict[str, Any]]:
    """Rows of a table as dictionaries, without what the pipeline adds, nulls left out, in key order."""
    with opened(database) as connection:
        cursor = connection.execute(f"select * from {name} order by all")
        names = [column[0] for column in cursor.description]
        return [
            {key: value for key, value in zip(names, row, strict=True) if value is not None and not key.startswith("_")}
            for row in cursor.fetchall()
        ]


def no_midnight_within(seconds: float) -> None:
    """Wait for the next day if this one, in UTC, ends so soon: for tests that count days and take that long."""
    left = 86_400 - time.time() % 86_400
    if left < seconds:
        time.sleep(left + 1)


def command(
    *arguments: str, env: dict[str, str] | None = None, timeout: float = 50, is_bound: bool = False
) -> subprocess.CompletedProcess[str]:
    """The command in this folder, as a process of its own; `forked` says what `is_bound` means."""
    env = {**os.environ, **(env or {})}
    return forked(arguments, folder=Path.cwd(), env=env, timeout=timeout, is_bound=is_bound)


def python(*arguments: str, env: dict[str, str] | None = None, timeout: float = 50) -> subprocess.CompletedProcess[str]:
    """`python -c CODE` or `python FILE` in this folder, as a process of its own."""
    env = {**os.environ, **(env or {})}
    return forked(arguments, folder=Path.cwd(), env=env, timeout=timeout, is_python=True)


def forked(
    arguments: Sequence[str],
    *,
    folder: Path,
    env: Mapping[str, str],
    timeout: float = 50,
    user: int | None = None,
    is_python: bool = False,
    is_bound: bool = False,
) -> subprocess.CompletedProcess[str]:
    """The command, or Python, as a process that is forked from one that has imported everything.

    Args:
        arguments: Of the command.
        folder: Where it runs.
        env: All of its environment.
        timeout: Seconds after which it is ended.
        user: The number of the user that it takes itself for.
        is_python: Run Python's arguments instead of the command's.
        is_bound: Permissions of files bind it even if the tests run as root: it gives up root's capabilities.
    """
    with tempfile.TemporaryDirectory() as beside:
        out, err = Path(beside, "out"), Path(beside, "err")
        code = command_server().ask(
            folder=str(folder),
            env=dict(env),
            arguments=list(arguments),
            seconds=timeout,
            out=str(out),
            err=str(err),
            user=user,
            is_python=is_python,
            is_bound=is_bound,
        )
        program = sys.executable if is_python else COMMAND
        said = [path.read_text("utf-8") for path in (out, err)]
        done = subprocess.CompletedProcess([program, *arguments], code, *said)
    if code == -signal.SIGALRM:
        raise subprocess.TimeoutExpired(done.args, timeout, done.stdout, done.stderr)
    return done


class CommandServer:
    """The process that forks commands, tests/command_server.py."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.command_server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def ask(self, **about: Any) -> int:
        """Exit code of one command; negative is the signal that ended it."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(about) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> int:
        assert self._process.stdout
        return int(json.loads(self._process.stdout.readline())["code"])

    def close(self) -> None:
        self._process.communicate(timeout=60)


@cache
def command_server() -> CommandServer:
    """One for each process of tests, begun when it is first needed."""
    server = CommandServer()
    atexit.register(server.close)
    return server


def at(running: RunningSandbox, **settings: str) -> dict[str, str]:
    """Environment that points the command at a sandbox."""
    prefix = "SOURCES__AUTHSIGNAL_SOURCE__"
    # a project's own region would contradict the URL
    values = {
        "BASE_URL": running.url,
        "REGION": "",
        "API_SECRET_KEY": SECRET,
        "RATE": "max",
        "PRIVACY": "keep",
        **settings,
    }
    return {prefix + name: value for name, value in values.items()}


def ask(
    running: RunningSandbox,
    method: str,
    path: str,
    body: Any = None,
    *,
    auth: str | None = basic_auth(SECRET),
    raw: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, Any, dict[str, str]]:
    """(status, JSON, headers) of one request; paths below the base URL unless they begin with /_sandbox."""
    url = urlsplit(running.url)
    connection = HTTPConnection(url.hostname or "", url.port, timeout=30)
    try:
        target = path if path.startswith("/_sandbox") else f"{url.path}{path}"
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        connection.request(method, target, data, {**({"Authorization": auth} if auth else {}), **(headers or {})})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), {k.lower(): v for k, v in answer.getheaders()}
    finally:
        connection.close()
