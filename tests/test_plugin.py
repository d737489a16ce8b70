"""dlt finds us: `dlt authsignal …`, and the source by its name."""

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from dlt.extract.reference import SourceReference

from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import SECRET, at, rows
from tests.tiers import deep_after


def tool(name: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """dlt's own command, as a person runs it."""
    path = str(Path(sys.executable).with_name(name))
    return subprocess.run(
        [path, *arguments], env={**os.environ, **env}, capture_output=True, text=True, timeout=50, check=False
    )


@pytest.mark.parametrize("host", deep_after(1, ["dlt", "dlthub"]))
def test_the_dlt_command_has_an_authsignal_subcommand(host: str) -> None:
    done = tool(host, "authsignal", "models", "show", "mfa_coverage")
    assert done.returncode == 0, done.stderr
    assert "methods >= 2" in done.stdout
    assert f"Usage: {host} authsignal sync" in tool(host, "authsignal", "sync", "--help").stdout


@pytest.mark.deep
def test_a_sync_through_the_dlt_command_loads_and_fails_like_dlt_authsignal(seeded: RunningSandbox) -> None:
    done = tool("dlt", "authsignal", "sync", "--tables", "users", **at(seeded))
    assert done.returncode == 0, done.stderr
    assert rows("select count(*) from users") == [(40,)]
    refused = tool("dlt", "authsignal", "sync", **at(seeded, API_SECRET_KEY="wrong"))
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert "answered 401" in refused.stderr


@pytest.mark.deep
def test_the_plugin_sends_no_usage_reports(seeded: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    monkeypatch.delenv("RUNTIME__DLTHUB_TELEMETRY", raising=False)
    with HTTPServer(("127.0.0.1", 0), Listener) as listener:
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        try:
            there = f"http://127.0.0.1:{listener.server_port}/telemetry"
            done = tool(
                "dlt", "authsignal", "sync", "--tables", "users", RUNTIME__DLTHUB_TELEMETRY_ENDPOINT=there, **at(seeded)
            )
            assert done.returncode == 0, done.stderr
            assert heard == []
        finally:
            listener.shutdown()
            thread.join(timeout=30)


@pytest.mark.parametrize("name", ["authsignal", "authsignal_source"])
def test_dlt_finds_the_source_by_name(name: str, empty: RunningSandbox) -> None:
    source = SourceReference.from_reference(name, source_kwargs={"base_url": empty.url, "api_secret_key": SECRET})
    assert source.name == "authsignal_source"
    assert "users" in source.resources


def test_plugin_discovery_imports_almost_no_modules() -> None:
    code = (
        "import sys; from dlt.common.runtime.run_context import get_plugin_modules; print(*get_plugin_modules());"
        "print(*sorted(name for name in sys.modules if name.startswith('dlt_authsignal')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    found, loaded = done.stdout.splitlines()
    assert "dlt_authsignal" in found.split()
    assert loaded.split() == ["dlt_authsignal", "dlt_authsignal.plugin"]
