"""Nothing secret is left behind by any run, and nothing personal but in the tables: looked for in every byte."""

import base64
import gzip
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import duckdb
import jwt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.errors import AuthsignalError
from dlt_authsignal.sandbox import Fault, run_in_thread
from dlt_authsignal.source.rows.column_names import MOST_UNDECLARED
from tests.canaries import Hit, found_in, search, search_database, told_by
from tests.helpers import COMMAND, forked, sync_into
from tests.planted import CEREMONIES, Echo, Planted, config, plant
from tests.tiers import deep_except

ROOT = Path(__file__).parents[1]
CANARY = {"it": "Zoë's key-7f3a/ä?"}
DATABASE = "authsignal_pipeline.duckdb"
PACKAGES = ("/load/", "/normalize/", "/extract/")
"""Folders of dlt's in which a run keeps rows until they are loaded."""


@pytest.fixture
def planted() -> Iterator[Planted]:
    """A tenant full of canaries."""
    with run_in_thread(config()) as running:
        yield plant(running)


def in_text(value: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / "log.txt").write_bytes(b"..." + value + b"...")


def in_gzip(folder: Path) -> None:
    (folder / "rows.jsonl.gz").write_bytes(gzip.compress(json.dumps({"key": CANARY["it"]}).encode()))


def in_parquet(folder: Path) -> None:
    rows = pa.table({"key": ["a"] * 1000 + [CANARY["it"]]})
    pq.write_table(rows, folder / "rows.parquet", compression="zstd")


def in_unfinished_parquet(folder: Path) -> None:
    with (folder / "rows.parquet").open("wb") as file:
        rows = pa.table(
            {"key": [CANARY["it"][:-1] + str(place) for place in range(1000)] + [CANARY["it"]], "place": range(1001)}
        )
        pq.ParquetWriter(file, rows.schema).write_table(rows)
        written = file.tell()
    whole = (folder / "rows.parquet").read_bytes()
    (folder / "rows.parquet").write_bytes(whole[:written])


def in_unfinished_gzip(folder: Path) -> None:
    in_gzip(folder)
    path = folder / "rows.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-8])


def in_zip_of_parquet(folder: Path) -> None:
    in_parquet(folder)
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "rows.parquet")
    (folder / "rows.parquet").unlink()


def in_pickle(folder: Path) -> None:
    (folder / "trace.pickle").write_bytes(pickle.dumps([{"message": CANARY["it"]}]))


def in_packed_pickle(folder: Path) -> None:
    (folder / "trace.pickle.gz").write_bytes(gzip.compress(pickle.dumps([CANARY["it"]])))


HIDING_PLACES = [
    in_gzip,
    in_parquet,
    in_zip_of_parquet,
    in_pickle,
    in_packed_pickle,
    in_unfinished_parquet,
    in_unfinished_gzip,
]

SPELLINGS = {
    "plain": CANARY["it"].encode(),
    "URL-quoted": quote(CANARY["it"], safe="").encode(),
    "JSON-escaped": json.dumps(CANARY["it"]).encode(),
    "basic auth header": basic_auth(CANARY["it"]).encode(),
    "base64 of more": base64.b64encode(b"xy" + CANARY["it"].encode() + b"z"),
    "claim of a token": jwt.encode({"sub": CANARY["it"]}, "k" * 32, algorithm="HS256").encode(),
    "upper case": CANARY["it"].upper().encode(),
    "hexadecimal": CANARY["it"].encode().hex().encode(),
    "dlt's state": base64.b64encode(zlib.compress(CANARY["it"].encode(), 9)),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_search_finds_a_value_in_any_spelling(workdir: Path, spelling: str) -> None:
    (workdir / "log.txt").write_bytes(SPELLINGS[spelling])
    assert search(workdir, CANARY)
    (workdir / "log.txt").write_bytes(b"nothing of the kind")
    assert not search(workdir, CANARY)


@pytest.mark.parametrize("hide", HIDING_PLACES)
def test_the_search_finds_a_value_in_any_compression(workdir: Path, hide: Callable[[Path], object]) -> None:
    hide(workdir)
    assert search(workdir, CANARY)


@pytest.mark.parametrize("value", [CANARY["it"], base64.b64encode(zlib.compress(CANARY["it"].encode(), 9)).decode()])
def test_the_search_finds_a_value_in_a_database(workdir: Path, value: str) -> None:
    with duckdb.connect(DATABASE) as connection:
        connection.execute("create table _dlt_pipeline_state as select ? as state from range(1000)", [value])
    hits = search_database(workdir / DATABASE, CANARY, only="_dlt")
    assert {hit.name for hit in hits} == {"it"}
    assert not search_database(workdir / DATABASE, CANARY, only="users")


def test_the_search_finds_a_value_in_the_context_of_an_exception() -> None:
    def fail() -> None:
        try:
            raise ValueError(CANARY["it"])
        except ValueError:
            raise RuntimeError("all is well") from None

    with pytest.raises(RuntimeError) as raised:
        fail()
    assert found_in("".join(told_by(raised.value)).encode(), CANARY, "")


def left(planted: Planted, folder: Path, *, packages: bool = False) -> list[Hit]:
    """What a run has left behind that it may not: secrets anywhere, personal values but in the data tables.

    Args:
        planted: What to look for.
        folder: Where the run worked.
        packages: Whether rows may wait in load packages, as after an interrupted run.
    """
    live = planted.running.sandbox.challenges.live(planted.running.sandbox.clock.now())
    secret = planted.secret | {f"challenge {place}": value.challenge_id for place, value in enumerate(live)}
    hits = search(folder, secret, leave_out=("secrets.toml",))
    personal = search(folder, planted.personal, leave_out=("secrets.toml", DATABASE, f"{DATABASE}.wal"))
    hits += [hit for hit in personal if not (packages and any(name in f"/{hit.where}" for name in PACKAGES))]
    if (folder / DATABASE).exists():
        hits += search_database(folder / DATABASE, secret)
        hits += search_database(folder / DATABASE, planted.personal, only="_dlt")
    return hits


def run(folder: Path, arguments: list[str], env: dict[str, str]) -> int:
    """A run in a process of its own, whose words stay in files beside what it writes."""
    program, *others = arguments
    name = f"said-{len(list(folder.glob('said-*')))}"
    done = forked(others, folder=folder, env={**os.environ, **env}, is_python=program == sys.executable)
    (folder / f"{name}.out").write_text(done.stdout, "utf-8")
    (folder / f"{name}.err").write_text(done.stderr, "utf-8")
    return done.returncode


def test_no_planted_value_is_in_the_command_line_of_a_sync(planted: Planted) -> None:
    env = {**os.environ, **planted.env("api_secret_key", "tenant_id")}
    with subprocess.Popen([COMMAND, "sync"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not planted.running.sandbox.log.by_route and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.01)
        shown = Path(f"/proc/{process.pid}/cmdline")
        line = shown.read_bytes() if shown.exists() else b""
        process.kill()
    assert found_in(line, planted.secret | planted.personal, "command line") == []


def holds(folder: Path, planted: Planted, *names: str) -> bool:
    """Whether the personal values did get into the data: else the run has proved nothing."""
    hits = search_database(folder / DATABASE, {name: planted.personal[name] for name in names})
    return {hit.name for hit in hits} == set(names)


@pytest.mark.parametrize("level", deep_except(["DEBUG"], [None, "DEBUG"]))
def test_a_successful_sync_leaves_no_planted_value(planted: Planted, workdir: Path, level: str | None) -> None:
    tables = "users,user_authenticators,user_actions,user_devices,action_details,tenant_authenticators,unknown_user_ids"
    env = planted.env("api_secret_key", "tenant_id") | ({"RUNTIME__LOG_LEVEL": level} if level else {})
    for _ in range(2):  # first with the answers that hold secrets, then as it is
        assert run(workdir, [COMMAND, "sync", "--tables", tables], env) == 0
    left_out = {"display name": "only in the users table"}
    assert holds(workdir, planted, *(name for name in planted.personal if name not in left_out))
    assert left(planted, workdir) == []


@pytest.mark.deep
def test_a_sync_of_the_client_api_leaves_no_planted_value(planted: Planted, workdir: Path) -> None:
    env = planted.env("token", "tenant_id") | {"RUNTIME__LOG_LEVEL": "DEBUG"}
    for _ in range(2):
        assert run(workdir, [COMMAND, "sync"], env) == 0
    assert holds(workdir, planted, "email", "phone number", "passkey name")
    assert left(planted, workdir) == []


@pytest.mark.parametrize("level", deep_except(["DEBUG"], ["ERROR", "DEBUG"]))
def test_ceremonies_leave_no_planted_value(planted: Planted, workdir: Path, level: str) -> None:
    asked = {"username": planted.personal["username"], "display_name": planted.personal["display name"]}
    env = planted.env("token", "tenant_id", **asked, action="signIn", origin="http://localhost:3000")
    done = run(workdir, [COMMAND, "sync", "--tables", ",".join(CEREMONIES)], env | {"RUNTIME__LOG_LEVEL": level})
    assert done == 0
    assert holds(workdir, planted, "user id")
    assert left(planted, workdir) == []


@pytest.mark.deep
def test_the_script_leaves_no_planted_value(planted: Planted, workdir: Path) -> None:
    env = planted.env("token", "tenant_id", "api_secret_key") | {"RUNTIME__LOG_LEVEL": "DEBUG"}
    assert run(workdir, [sys.executable, str(ROOT / "authsignal_pipeline.py")], env) == 0
    assert holds(workdir, planted, "user id", "email")
    assert left(planted, workdir) == []


FAILURES = [("GET /users/{userId}/devices", 500), ("GET /users/{userId}/actions", 401), ("GET /users", 403)]


@pytest.mark.parametrize(
    ("route", "status", "script"),
    [
        *(pytest.param(*each, False, id=f"{each[1]}-command") for each in FAILURES[:2]),
        pytest.param(*FAILURES[2], False, marks=pytest.mark.deep, id="403-command"),
        pytest.param(*FAILURES[0], True, marks=pytest.mark.deep, id="500-script"),
        *(pytest.param(*each, True, marks=pytest.mark.slow, id=f"{each[1]}-script") for each in FAILURES[1:]),
    ],
)
def test_a_failed_sync_leaves_no_planted_value(
    planted: Planted, workdir: Path, route: str, status: int, script: bool
) -> None:
    planted.running.faults.clear()
    planted.running.faults.add(Fault(route=route, kind="status", status=status, times=None))
    env = planted.env("api_secret_key") | {"RUNTIME__LOG_LEVEL": "DEBUG"}
    assert run(workdir, [sys.executable, str(ROOT / "authsignal_pipeline.py")] if script else [COMMAND, "sync"], env)
    assert left(planted, workdir, packages=True) == []


@pytest.mark.deep
def test_a_load_refused_by_the_destination_leaves_planted_values_only_in_its_package(
    planted: Planted, workdir: Path
) -> None:
    planted.running.faults.clear()
    env = planted.env("api_secret_key") | {"RUNTIME__LOG_LEVEL": "DEBUG"}
    key = planted.running.sandbox.config.api_secret_key
    sync_into(base_url=planted.running.url, api_secret_key=key, tables=["users"])
    alter = "alter table authsignal_data.users alter email type {} using {}"
    with duckdb.connect(DATABASE) as connection:
        connection.execute("delete from authsignal_data.users")
        connection.execute(alter.format("integer", "0"))
    assert run(workdir, [COMMAND, "sync", "--tables", "users"], env) == 1
    said = (workdir / "said-0.err").read_text("utf-8")
    assert "Error: The load step failed: table users: Conversion Error: Could not convert string …" in said
    assert left(planted, workdir, packages=True) == []
    with duckdb.connect(DATABASE) as connection:
        connection.execute(alter.format("varchar", "null"))
    assert run(workdir, [COMMAND, "sync", "--tables", "users"], env) == 0
    assert left(planted, workdir) == []


@pytest.mark.timeout(300)  # several commands, and every byte they leave
@pytest.mark.deep
def test_sync_and_status_output_after_odd_responses_quotes_no_value(planted: Planted, workdir: Path) -> None:
    planted.running.faults.clear()
    values = list(planted.personal.values())
    wide = {f"field{place}": values[place % len(values)] for place in range(MOST_UNDECLARED + 50)}
    odd = [{"deviceId": f"d{place}", "createdAt": value, "seen": [value]} for place, value in enumerate(values)]
    body = json.dumps([*odd, {"deviceId": "wide", "seen": values[0], **wide}])
    planted.running.faults.add(Fault(route="GET /users/{userId}/devices", kind="body", body=body))
    env = planted.env("api_secret_key")
    assert run(workdir, [COMMAND, "sync"], env) == 0
    for form in ([], ["--json"]):
        assert run(workdir, [COMMAND, "status", *form], env) == 0
    assert "New columns: user_devices." in (workdir / "said-0.out").read_text("utf-8")
    assert left(planted, workdir) == []
    assert search_database(workdir / DATABASE, planted.personal, only="sync_runs") == []


@pytest.mark.deep
@pytest.mark.timeout(300)  # several commands, and every byte they leave
def test_a_history_refused_by_the_destination_leaves_no_planted_value(planted: Planted, workdir: Path) -> None:
    planted.running.faults.clear()
    env = planted.env("api_secret_key") | {"RUNTIME__LOG_LEVEL": "DEBUG"}
    assert run(workdir, [COMMAND, "sync", "--tables", "users"], env) == 0
    with duckdb.connect(DATABASE) as connection:
        connection.execute("delete from authsignal_data.users_history")
        connection.execute("alter table authsignal_data.users_history alter email type integer using 0")
    assert run(workdir, [COMMAND, "sync", "--tables", "users", "--full"], env) == 1
    assert "Traceback" not in (workdir / "said-2.err").read_text("utf-8")
    assert left(planted, workdir) == []
    assert search_database(workdir / DATABASE, planted.personal, only="sync_runs") == []


@pytest.mark.parametrize("after", deep_except(["loading"], ["GET /users", "GET /users/{userId}/devices", "loading"]))
@pytest.mark.deep
def test_a_killed_sync_leaves_rows_only_in_load_packages_and_the_next_sync_none(
    planted: Planted, workdir: Path, after: str
) -> None:
    planted.running.sandbox.seed(users=300, days=10, seed=3)
    env = {**os.environ, **planted.env("api_secret_key"), "RUNTIME__LOG_LEVEL": "DEBUG"}
    with (workdir / "said.txt").open("wb") as said:
        process = subprocess.Popen([COMMAND, "sync"], env=env, stdout=said, stderr=said)
        deadline = time.monotonic() + 90
        while process.poll() is None and time.monotonic() < deadline:
            begun = planted.running.sandbox.log.by_route.get(after) or (
                after == "loading" and list(workdir.glob("dlt/pipelines/*/load/*/*/new_jobs/*users*"))
            )
            if begun:
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
    assert left(planted, workdir, packages=True) == []
    assert run(workdir, [COMMAND, "sync"], planted.env("api_secret_key")) == 0
    assert left(planted, workdir) == []


@contextmanager
def echoing(status: int, template: str, media_type: str = "text/html") -> Iterator[str]:
    """The base URL of a gateway that repeats what it was asked."""
    handler = type("Echoing", (Echo,), {"status": status, "template": template, "media_type": media_type})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join(30)


PAGE = "<html>$AUTH $KEY $PATH</html>"
JSON = '{"error":"$KEY","errorCode":"$KEY","errorDescription":"$AUTH $PATH"}'
ECHOES = {
    "page 200": (200, PAGE, "text/html"),
    "page 401": (401, PAGE, "text/html"),
    "page 500": (500, PAGE, "text/html"),
    "code 200": (200, JSON, "application/json"),
    "code 400": (400, JSON, "application/json"),
    "code 401": (401, JSON, "application/json"),
    "row": (200, '[{"$KEY": "$KEY"}]', "application/json"),
    "no HTTP": (0, "HTTP/1.1 200 OK\r\n$AUTH $PATH\r\n\r\n", ""),
    "bad length": (0, "HTTP/1.1 200 OK\r\nContent-Length: $KEY\r\n\r\n", ""),
    "redirect": (302, PAGE, "text/html"),
}


@pytest.mark.parametrize("echo", deep_except(["page 401", "no HTTP"], ECHOES))
def test_no_exception_repeats_values_echoed_by_a_gateway(planted: Planted, workdir: Path, echo: str) -> None:
    (workdir / "ids.txt").write_text(planted.user_id, encoding="utf-8")
    key = planted.running.sandbox.config.api_secret_key
    with echoing(*ECHOES[echo]) as url, pytest.raises(AuthsignalError) as raised:
        sync_into(base_url=url, api_secret_key=key, users_from="ids.txt", attempts=2, backoff=0.01)
    said = "\n".join(told_by(raised.value)).encode()
    assert found_in(said, planted.secret | planted.personal, "exception") == []
    (workdir / "ids.txt").unlink()
    assert left(planted, workdir) == []
