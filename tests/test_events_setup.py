"""Setting up events, in the order in which a person does it: the path, the receiver, the check."""

import json
import re
import stat
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.helpers import command
from tests.receivers import KEY, Receiver, receiving
from tests.test_receive_command import started


def path_in(folder: Path) -> str:
    settings = tomllib.loads((folder / ".dlt" / "secrets.toml").read_text())
    return str(settings["sources"]["authsignal_events"]["path"])


@pytest.fixture
def project(workdir: Path) -> Path:
    """A folder with a key and the path of a webhook."""
    done = command("init", "--events", "--no-check", "--api-secret-key", KEY)
    assert done.returncode == 0, done.stderr
    return workdir


def check(*options: str) -> tuple[int, dict[str, str]]:
    """Exit code of `doctor --events`, and what it says by check."""
    done = command("doctor", "--events", "--json", *options)
    assert done.stdout, done.stderr
    checks = json.loads(done.stdout)["checks"]
    return done.returncode, {each["name"]: f"{each['message']} {each['fix']}" for each in checks}


def address(receiver: Receiver) -> str:
    return f"http://127.0.0.1:{receiver.port}"


def test_init_events_makes_a_path_once_and_says_what_to_enter_in_the_portal(workdir: Path) -> None:
    secrets = workdir / ".dlt" / "secrets.toml"
    secrets.parent.mkdir()
    before = '# mine\n[sources.authsignal_source]\napi_secret_key = "k"  # of the tenant\n'
    secrets.write_text(before)
    first = command("init", "--events")
    assert first.returncode == 0, first.stderr
    path = path_in(workdir)
    assert re.fullmatch(r"/webhooks/[A-Za-z0-9_-]{43}", path)
    assert f"https://YOUR-HOST{path}" in first.stdout
    assert "log events URL and authenticator events URL" in first.stdout
    assert secrets.read_text().startswith(before)
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    assert "spool/" in (workdir / ".gitignore").read_text()
    assert not (workdir / ".dlt" / "config.toml").exists()
    written = secrets.read_text()
    again = command("init", "--events")
    assert "has a path already" in again.stdout
    assert path in again.stdout
    assert secrets.read_text() == written


def test_init_events_without_a_key_says_that_the_receiver_needs_one(workdir: Path) -> None:
    done = command("init", "--events")
    assert done.returncode == 0, done.stderr
    assert "No api_secret_key was found" in done.stdout


def test_doctor_follows_a_signed_event_into_the_spool(project: Path) -> None:
    with receiving(path=path_in(project)) as receiver:
        code, said = check("--url", address(receiver), "--load-within", "0s")
        (row,) = receiver.rows("unknown_events")
    assert code == 0
    assert "accepted a signed delivery" in said["receiver"]
    assert "default/" in said["spool"]
    assert row["event_type"] == "dlt_authsignal.doctor"
    assert path_in(project) not in str(said)


@contextmanager
def another_program() -> Iterator[str]:
    """A server that is not the receiver, and answers 200 to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_doctor_says_at_which_step_an_event_is_lost(project: Path) -> None:
    path = path_in(project)
    code, said = check("--url", "http://127.0.0.1:1")
    assert (code, "not reachable" in said["receiver"]) == (1, True)
    with receiving(path=path) as receiver:
        code, said = check("--url", f"{address(receiver)}/webhooks/other")
        assert (code, "404" in said["receiver"], "path" in said["receiver"]) == (2, True, True)
        code, said = check("--url", address(receiver), "--load-within", "1s")
        assert (code, "events load" in said["table"]) == (1, True)
    with receiving(path=path, api_secret_key="of another tenant") as receiver:
        code, said = check("--url", address(receiver))
        assert (code, "401" in said["receiver"], "api_secret_key" in said["receiver"]) == (2, True, True)
    with receiving("elsewhere", path=path) as receiver:
        code, said = check("--url", address(receiver))
        assert (code, "not in the spool" in said["spool"]) == (2, True)
    with receiving(path=path, disk_limit="0.1%") as receiver:
        code, said = check("--url", address(receiver))
        assert (code, "503" in said["receiver"], "disk" in said["receiver"]) == (1, True, True)
    with another_program() as url:
        code, said = check("--url", url)
        assert (code, "Another program" in said["receiver"]) == (2, True)


@pytest.mark.deep
@pytest.mark.parametrize("destination", ["duckdb", "postgres"])
def test_doctor_follows_an_event_through_a_receiver_that_loads_into_the_table(
    project: Path, destination: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if destination == "postgres":
        database = request.getfixturevalue("postgres_database")
        monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", database)
    into = ("--destination", destination, "--dataset", "of_events", "--pipeline-name", "events")
    with started("--load-every", "2s", *into, settings=None) as (receiver, _):
        code, said = check("--url", address(receiver), *into)
        repeated, _ = check("--url", address(receiver), *into)
    assert (code, repeated) == (0, 0), said
    assert "The event is in unknown_events" in said["table"]


def test_doctor_events_without_a_path_says_how_to_make_one(workdir: Path) -> None:
    code, said = check()
    assert (code, "init --events" in said["path"]) == (2, True)
