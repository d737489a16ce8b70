"""`dlt-authsignal show`: dlt's own dashboard on our pipeline, looked at in Chromium."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from tests.chromium import SharedChromium
from tests.helpers import COMMAND, command
from tests.tiers import deep_after

ROOT = Path(__file__).parents[1]


@contextmanager
def shown(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running command, and the address that it printed."""
    running = subprocess.Popen(
        [COMMAND, "show", "--pipeline-name", "authsignal_demo", "--port", "0", "--no-browser", *options],
        env={**os.environ, "PATH": "/usr/bin:/bin"},  # marimo is not on it
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout
        line = running.stdout.readline()
        assert "(Ctrl-C ends it): http://127.0.0.1:" in line, running.communicate(timeout=60)[1]
        yield running, line.split()[-1]
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(60)


@pytest.mark.deep
def test_the_dashboard_lists_the_tables_and_runs_sql(demo: Path, chromium_process: SharedChromium) -> None:
    with shown() as (running, address), chromium_process.used() as chromium:

        def do(op: str, **about: Any) -> Any:
            answer = chromium.ask(op=op, **about)
            assert "error" not in answer, answer["error"]
            return answer["returned"]

        def listed(table: str) -> bool:
            """Looks for it as a person would: the list shows ten tables a page."""
            do("write", selector="input[placeholder='Search...'] >> nth=1", text=table)
            return "error" not in chromium.ask(op="waitFor", text=table)

        def answer_of(query: str, expected: str) -> None:
            """Writes and presses the button until both have reached the page, which draws its parts more than once."""
            for _ in range(10):
                do("write", selector=".cm-content", text=query)
                do("click", button="Run Query")
                if "error" not in chromium.ask(op="waitFor", text=expected, patience=1000):
                    return
            pytest.fail(f"No {expected} in:\n{do('text', selector='body')}")

        do("open", url=address)
        shown_yet = (
            "error" not in chromium.ask(op="waitFor", text="action_configurations", patience=9000) for _ in "123"
        )
        assert any(shown_yet)
        for table in ("users", "user_authenticators", "user_actions", "user_devices"):
            assert any(listed(table) for _ in range(3)), table
        passkeys = "SELECT 'passkeys: ' || count(*) AS n FROM user_authenticators WHERE verification_method = 'PASSKEY'"
        answer_of(passkeys, "passkeys: 247")
        total = "period_grain = 'all' AND dimension_value = 'signIn'"
        answer_of(f"SELECT 'given up: ' || numerator AS n FROM kpi_drop_off_rate WHERE {total}", "given up: 377")
        assert set(do("hosts")) <= {urlsplit(address).netloc, "dlthub.com"}  # dlt's logo
        assert_kept_from_who_lacks_its_key(address)
    assert running.returncode == 0


def assert_kept_from_who_lacks_its_key(address: str) -> None:
    with urlopen(address.partition("?")[0], timeout=30) as answer:
        assert urlsplit(answer.url).path == "/auth/login"


@pytest.mark.deep
@pytest.mark.parametrize("stop", deep_after(1, [signal.SIGTERM, signal.SIGHUP]))
def test_a_stop_signal_ends_the_dashboard_and_its_child_process(demo: Path, stop: signal.Signals) -> None:
    with shown() as (running, address):
        running.send_signal(stop)
        _, err = running.communicate(timeout=60)
        assert (running.returncode, err) == (0, "Dashboard ended.\n")
        with pytest.raises(URLError):
            urlopen(address, timeout=30)


def test_a_pipeline_that_never_ran_is_reported_with_those_that_did(demo: Path) -> None:
    done = command("show", "--no-browser")
    assert done.returncode == 2
    for expected in (
        'No pipeline "authsignal_pipeline" has run',
        "Known here: authsignal_demo.",
        "dlt-authsignal sync",
    ):
        assert expected in done.stderr


def test_a_query_before_the_first_sync_does_not_count_as_a_run(demo: Path) -> None:
    query = 'import dlt; dlt.pipeline("authsignal_queried", ".dlt/.var/pipelines").dataset()'
    queried = subprocess.run([sys.executable, "-c", query], capture_output=True, text=True, timeout=60, check=False)
    assert "PipelineConfigMissing" in queried.stderr
    assert (demo / ".dlt/.var/pipelines/authsignal_queried/state.json").exists()
    done = command("show", "--no-browser", "--pipeline-name", "authsignal_queried")
    assert done.returncode == 2
    assert 'No pipeline "authsignal_queried" has run' in done.stderr
    assert "Known here: authsignal_demo. Run first:" in done.stderr


def test_a_port_in_use_is_reported(demo: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = command("show", "--pipeline-name", "authsignal_demo", "--no-browser", "--port", port)
    assert (done.returncode, f"Cannot listen on 127.0.0.1:{port}" in done.stderr) == (2, True)


def test_the_show_command_of_dlt_needs_the_commercial_package(demo: Path) -> None:
    """What docs/look-at-the-data.md says; once it fails, `show` may no longer be needed."""
    show = [str(Path(sys.executable).with_name("dlt")), "pipeline", "authsignal_demo", "show"]
    done = subprocess.run(show, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout + done.stderr).strip() == "WARNING: Install dlt[hub] for workspace dashboard and mcp support"


@pytest.mark.parametrize("module", ["marimo", "ibis"])
def test_without_its_extra_the_command_says_what_to_install(module: str) -> None:
    code = (
        f"import sys; sys.modules['{module}'] = None; sys.argv = ['dlt-authsignal', 'show'];"
        "from dlt_authsignal.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"pip install '{ROOT}[dashboard]'" in done.stderr  # installed from a folder, it is that folder
