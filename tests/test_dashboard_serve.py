"""The dashboard's server: addresses, filters of the URL, who may ask, and a sync while it is open."""

import csv
import io
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from dlt_authsignal.dashboard.content.data.cubes import Progress, no_progress
from dlt_authsignal.dashboard.content.figures import PAGES, Figures, open_figures
from dlt_authsignal.dashboard.page import Choices, Filters
from dlt_authsignal.dashboard.serve.addresses import WrongFilter, filters_of
from dlt_authsignal.dashboard.serve.app import make_app
from dlt_authsignal.dashboard.serve.current import Current
from dlt_authsignal.dashboard.serve.data import DuckDBFile, data_of
from dlt_authsignal.dashboard.serve.server import listen, server
from dlt_authsignal.errors import RunFailed
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.sandbox import RunningSandbox
from tests import helpers
from tests.helpers import COMMAND, rows, sync_from
from tests.loaded import Loaded, loaded, project, synced
from tests.tiers import deep_except

__all__ = ["loaded"]

SECONDS = 60
CHOICES = Choices(actions=("signIn", "pay & go"), methods=("PASSKEY",), countries=("DE", "US"))


class Browser:
    """Requests to one port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return response.status, named, response.read().decode()
        finally:
            connection.close()

    def made_at(self) -> str:
        return str(json.loads(self.get("/healthz")[2])["made_at"])


@contextmanager
def served(current: Current) -> Iterator[Browser]:
    bound = listen(0)
    port = bound.getsockname()[1]
    running = server(make_app(current, port))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + SECONDS
    while not running.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield Browser(port)
    finally:
        running.should_exit = True
        thread.join(SECONDS)
        bound.close()
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, loaded: Loaded) -> Iterator[Browser]:
    with project(loaded.folder):
        current = Current(data_of(attach(), "duckdb"))
        with served(current) as found:
            yield found


@pytest.mark.parametrize("page", ["", *PAGES])
def test_each_page_is_served_with_the_filters_of_its_address(browser: Browser, page: str) -> None:
    for query in ("", "?since=2026-10-10&until=2026-10-20&action=signIn&country=US&method=PASSKEY&other=1"):
        status, headers, text = browser.get(f"/{page}{query}")
        assert status == 200
        assert headers["content-type"].startswith("text/html")
        assert "Traceback" not in text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("since=yesterday", "is not a date"),
        ("since=2026-02-31", "is not a date"),
        ("since=2026-W01-1", "is not a date"),
        ("since=2026-10-20&until=2026-10-10", "after the last day"),
        ("action=%3Cscript%3E", "Choose one from the list"),
        ("country=ZZ", "Choose one from the list"),
        ("method=PASSKEY&method=SMS", "given twice"),
        (f"action={'x' * 3000}", "Choose one from the list"),
    ],
)
def test_an_invalid_filter_gives_an_error_page(browser: Browser, query: str, said: str) -> None:
    for path in (f"/funnel?{query}", f"/csv/drop_off_rate?{query}"):
        status, headers, text = browser.get(path)
        assert status == 400
        assert said in text
        assert "<script>" not in text or headers["content-type"].startswith("text/plain")
        assert "Traceback" not in text


@pytest.mark.parametrize("query", ["since=0001-01-01&until=0001-01-02", "since=0001-01-01&until=9999-12-31"])
def test_the_first_and_the_last_date_that_there_is_can_be_chosen(browser: Browser, query: str) -> None:
    for path in (*(f"/{page}?{query}" for page in PAGES), f"/csv/drop_off_rate?{query}"):
        status, _, text = browser.get(path)
        assert status == 200, path
        assert "Traceback" not in text


def test_blank_filters_are_ignored() -> None:
    query = [("since", ""), ("until", "2026-10-01"), ("action", "pay & go"), ("method", ""), ("unknown", "x")]
    assert filters_of(query, CHOICES) == Filters(until=date(2026, 10, 1), action="pay & go")


def test_unknown_filters_are_refused_even_without_data() -> None:
    with pytest.raises(WrongFilter, match="signIn"):
        filters_of([("action", "signIn")], Choices())


def test_the_rows_of_a_kpi_are_served_as_csv(browser: Browser) -> None:
    status, headers, text = browser.get("/csv/challenge_success_rate?action=signIn")
    assert status == 200
    assert headers["content-disposition"] == 'attachment; filename="challenge_success_rate.csv"'
    found = list(csv.DictReader(io.StringIO(text)))
    assert {row["kpi"] for row in found} == {"challenge_success_rate"}
    assert {row["dimension_value"] for row in found if row["dimension"] == "action_code"} == {"signIn"}
    assert browser.get("/csv/no_such_kpi")[0] == 404
    assert browser.get("/no_such_page")[0] == 404


def test_only_this_machine_can_read_it_and_nothing_can_be_sent(browser: Browser) -> None:
    for host in ("evil.example", f"evil.example:{browser.port}", "127.0.0.1:1", "localhost.evil.example", ""):
        assert browser.get("/", Host=host)[0] in (400, 403)
    assert browser.get("/", Host=f"localhost:{browser.port}")[0] == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        assert browser.get("/", method)[0] == 405
    status, headers, text = browser.get("/", "HEAD")
    assert (status, text) == (200, "")
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers
    assert headers["cache-control"] == "no-store"
    assert browser.get("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")[0] == 403
    assert browser.get("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0] == 200


def test_the_server_listens_on_this_machine_only_and_takes_a_free_port_if_its_own_is_used() -> None:
    first = listen(0)
    port = first.getsockname()[1]
    second = listen(port)
    try:
        assert first.getsockname()[0] == second.getsockname()[0] == "127.0.0.1"
        assert second.getsockname()[1] != port
    finally:
        first.close()
        second.close()


@contextmanager
def command(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", Browser]]:
    """The command as a process, when it serves."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    process = subprocess.Popen(
        [COMMAND, "dashboard", "--no-open", "--port", str(port), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        line = next((each for each in lines if each.startswith("Dashboard: ")), "")
        assert "http://127.0.0.1:" in line
        browser = Browser(int(line.split(":")[3].split("/")[0]))
        wait_until(lambda: json.loads(browser.get("/healthz")[2])["status"] == "ok")
        yield process, browser
    finally:
        process.kill()
        process.wait(SECONDS)


def wait_until(is_so: Any, seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_sync_can_run_while_the_dashboard_is_open_and_its_data_is_shown_afterwards(seeded: RunningSandbox) -> None:
    synced(seeded)
    with command() as (process, browser):
        before, made_at = browser.get("/csv/enrolment_coverage")[2], browser.made_at()
        seeded.seed(25, seed=8)
        sync_from(seeded)  # another process than the dashboard's, which must not have the file open
        wait_until(lambda: browser.made_at() != made_at)
        after = browser.get("/csv/enrolment_coverage")[2]
        assert before != after
        users = rows("select count(*) from users")[0][0]
        total = [row for row in csv.DictReader(io.StringIO(after)) if row["period_grain"] == "all"]
        assert [int(row["denominator"]) for row in total] == [users]
        assert not list(Path().glob(".*.copy-*"))
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
        assert process.stdout
        assert "Traceback" not in process.stdout.read()


class Slow:
    """A dataset that is read when the test says so."""

    pause = 0.1

    def __init__(self, data: Any) -> None:
        self._data = data
        self.began, self.may_end = threading.Event(), threading.Event()
        self.error: Exception | None = None

    def state(self) -> object:
        return self._data.state()

    def figures(self, progress: Progress = no_progress) -> Figures:
        progress(3, 40)
        self.began.set()
        assert self.may_end.wait(SECONDS)
        if self.error:
            raise self.error
        return open_figures(attach(), progress)


def test_the_first_page_says_that_the_figures_are_being_read_and_then_shows_them(loaded: Loaded) -> None:
    with project(loaded.folder):
        slow = Slow(data_of(attach(), "duckdb"))
        current = Current(slow, in_background=True)
        current.start()
        with served(current) as browser:
            assert slow.began.wait(SECONDS)
            for path in ("/", "/funnel?country=US"):
                status, headers, text = browser.get(path)
                assert (status, headers["content-type"].partition(";")[0]) == (200, "text/html")
                assert "Step 4 of 40" in text
                assert '<meta http-equiv="refresh" content="1">' in text
                assert headers["cache-control"] == "no-store"
            assert json.loads(browser.get("/healthz")[2]) == {"status": "reading", "made_at": None, "problem": None}
            slow.may_end.set()
            wait_until(lambda: json.loads(browser.get("/healthz")[2])["status"] == "ok")
            assert "Do passkeys work" in browser.get("/")[2]
            assert "enrolment_coverage" in browser.get("/csv/enrolment_coverage")[2]
        current.stop()


def test_first_figures_that_cannot_be_read_end_the_dashboard_with_the_reason(loaded: Loaded) -> None:
    with project(loaded.folder):
        slow, ended = Slow(data_of(attach(), "duckdb")), threading.Event()
        slow.error = RunFailed("The disk is full.")
        current = Current(slow, in_background=True)
        slow.may_end.set()
        current.start(on_failure=ended.set)
        assert ended.wait(SECONDS)
        assert current.failure is slow.error
        with served(current) as browser:
            assert browser.get("/csv/drop_off_rate")[0] == 503
        current.stop()


KILLED = """
import pathlib, shutil, sys, time
from dlt_authsignal.project.database_copies import folder_for_copy
file = pathlib.Path("authsignal_pipeline.duckdb")
with folder_for_copy(file) as folder:
    shutil.copyfile(file, folder / file.name)
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("remover", deep_except(["erase"], ["the next dashboard", "erase"]))
def test_a_copy_that_a_killed_dashboard_left_is_removed(seeded: RunningSandbox, workdir: Path, remover: str) -> None:
    synced(seeded)
    killed = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
    assert killed.stdout
    left = Path(killed.stdout.readline().strip())
    killed.kill()
    killed.wait(SECONDS)
    assert [path.name for path in workdir.glob("**/authsignal_pipeline.duckdb") if path.parent != workdir] != []
    if remover == "erase":
        assert helpers.command("erase", "nobody", "--yes").returncode == 0
    else:
        with command():
            wait_until(lambda: not left.exists())
    assert not left.exists()


ENDED = """
import pathlib, threading, time
from dlt_authsignal.project.database_copies import folder_for_copy
began = threading.Event()
def read():
    with folder_for_copy(pathlib.Path("authsignal_pipeline.duckdb")) as folder:
        (folder / "copy").write_text("data")
        print(folder, flush=True)
        began.set()
        time.sleep(60)
threading.Thread(target=read, daemon=True).start()
began.wait(30)
"""


def test_a_dashboard_that_ends_while_it_reads_leaves_no_copy(workdir: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDED], capture_output=True, text=True, timeout=SECONDS, check=True, cwd=workdir
    )
    left = Path(done.stdout.strip())
    assert left.name
    assert not left.exists()


@pytest.mark.deep
def test_earlier_figures_stay_when_newer_data_cannot_be_read(seeded: RunningSandbox, workdir: Path) -> None:
    synced(seeded)
    data = data_of(attach(), "duckdb")
    assert isinstance(data, DuckDBFile)
    current = Current(data)
    figures, file = current.figures, workdir / "authsignal_pipeline.duckdb"
    content = file.read_bytes()
    file.write_bytes(b"not a database" * 1000)
    for _ in range(2):
        current.look()
    assert current.figures is figures
    assert current.problem
    with served(current) as browser:
        assert "earlier figures" in browser.get("/")[2]
    file.write_bytes(content)
    for _ in range(2):
        current.look()
    assert current.figures is not figures
    assert current.problem is None


def test_the_command_says_what_to_do_without_data(workdir: Path) -> None:
    done = helpers.command("dashboard", "--no-open")
    assert done.returncode == 2
    assert "dlt-authsignal sync" in done.stderr
    assert "Traceback" not in done.stderr
