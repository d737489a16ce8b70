"""A dlt pipeline of another team, in one process with this package, works as in a process without it."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from dlt.common.utils import digest128

from dlt_authsignal.sandbox import RunningSandbox
from tests.tiers import deep_except

SCRIPT = Path(__file__).with_name("another_team.py")


def run(mode: str, url: str, **settings: str) -> dict[str, Any]:
    """What the other team's pipeline made, in a folder of its own; without usage reports unless settings are given."""
    ours = ("RUNTIME__", "LOAD__", "NORMALIZE__", "SOURCES__", "DESTINATION__")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    with TemporaryDirectory() as folder:
        env |= {"DLT_DATA_DIR": str(Path(folder, "dlt"))} | (settings or {"RUNTIME__DLTHUB_TELEMETRY": "false"})
        done = subprocess.run(
            [sys.executable, str(SCRIPT), mode, url],
            check=False,
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@cache
def alone() -> dict[str, Any]:
    return run("alone", "")


@pytest.mark.deep
@pytest.mark.parametrize(
    "mode", deep_except(["synced"], ["imported", "built", "composed", "synced", "synced to files"])
)
def test_another_pipeline_works_the_same_with_this_package_installed(seeded: RunningSandbox, mode: str) -> None:
    found = run(mode, seeded.url)
    for subject, expected in alone().items():
        assert found[subject] == expected, subject


@pytest.mark.deep
def test_the_comparison_would_show_a_difference() -> None:
    expected = alone()
    assert not [column for column in expected["columns"] if column[:2] == ["tables", "_dlt_load_id"]]
    assert any("when merging arrow schema" in line for line in expected["log"])
    assert "tables" in expected["left on disk"]
    assert expected["memory limit"] != [["244.1 MiB"]]
    assert expected["delta"] in (None, ["id", "late"])


@pytest.fixture
def reports() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that takes dlt's usage reports: its address, and the events that came."""
    events: list[dict[str, Any]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            events.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/track", events
        server.shutdown()


@pytest.mark.deep
def test_usage_reports_of_another_pipeline_are_sent_and_those_of_this_package_are_not(
    seeded: RunningSandbox, reports: tuple[str, list[dict[str, Any]]]
) -> None:
    address, events = reports
    run("synced", seeded.url, RUNTIME__DLTHUB_TELEMETRY_ENDPOINT=address)
    names = {event.get("properties", {}).get("pipeline_name_hash") for event in events}
    assert digest128("another_team") in names
    assert digest128("authsignal_pipeline") not in names
