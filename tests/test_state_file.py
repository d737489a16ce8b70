"""State that lasts: saved when the sandbox stops, loaded when it starts, with snapshots beside it."""

import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from dlt_authsignal.errors import ConfigurationError, FixtureInvalid
from dlt_authsignal.passkey import SoftwarePasskey
from dlt_authsignal.sandbox import Fixture, RunningSandbox, Sandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.fixtures.form.document import VERSION
from dlt_authsignal.sandbox.fixtures.state_file import start
from tests.helpers import COMMAND, SECRET

SERVER = (SECRET, "")
STATE = Path("shop.json")


@contextmanager
def running_command(*options: str) -> "Iterator[tuple[subprocess.Popen[str], dict[str, str]]]":
    """The command as a process of its own, and what it prints with --json."""
    arguments = [COMMAND, "sandbox", "--port", "0", "--json", *options]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate(timeout=60)


def track(url: str, user: str = "ann", **body: Any) -> dict[str, Any]:
    answer = requests.post(f"{url}/users/{user}/actions/signIn", json=body, auth=SERVER, timeout=30)
    found: dict[str, Any] = answer.json()
    return found


def test_what_is_in_progress_goes_on_after_a_restart() -> None:
    with run_in_thread(SandboxConfig(seed=1), state=STATE) as running:
        session, refresh, code = before_the_restart(running)
    assert stat.S_IMODE(STATE.stat().st_mode) == 0o600
    with run_in_thread(SandboxConfig(seed=1), state=STATE) as running:
        after_the_restart(running, session, refresh, code)


def before_the_restart(running: RunningSandbox) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """A user who has enrolled, has two sessions, and is about to enter a code; and a clock that was moved."""
    token = track(running.url)["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    email = f"{running.url}/client/user-authenticators/email-otp"
    requests.post(email, json={"email": "ann@example.com"}, headers=bearer, timeout=30)
    entered = {"verificationCode": code_to(running, "ann@example.com")}
    verified = requests.post(f"{running.url}/client/verify/email-otp", json=entered, headers=bearer, timeout=30).json()
    sessions = []
    for _ in range(2):
        body = {"token": verified["accessToken"], "clientId": "shop"}
        sessions.append(requests.post(f"{running.url}/sessions", json=body, auth=SERVER, timeout=30).json())
    body = {"verificationMethod": "EMAIL_OTP", "action": "payment", "email": "ann@example.com"}
    started = requests.post(f"{running.url}/challenge", json=body, auth=SERVER, timeout=30).json()
    running.clock.advance(minutes=5)
    return (
        sessions[0],
        sessions[1],
        {"challengeId": started["challengeId"], "verificationCode": code_to(running, "ann@example.com")},
    )


def code_to(running: RunningSandbox, address: str) -> str:
    message = running.outbox.last(address)
    assert message is not None
    assert message.code is not None
    return message.code


def after_the_restart(
    running: RunningSandbox, session: dict[str, Any], refresh: dict[str, Any], code: dict[str, str]
) -> None:
    def post(path: str, **body: str) -> dict[str, Any]:
        found: dict[str, Any] = requests.post(f"{running.url}/{path}", json=body, auth=SERVER, timeout=30).json()
        return found

    assert post("sessions/validate", accessToken=session["accessToken"])["user"]["userId"] == "ann"
    assert post("sessions/refresh", refreshToken=refresh["refreshToken"])["accessToken"]
    assert post("verify", **code)["isVerified"]
    assert code_to(running, "ann@example.com") == code["verificationCode"]
    # ids with a seed do not begin again
    actions = requests.get(f"{running.url}/users/ann/actions", auth=SERVER, timeout=30).json()
    keys = [row["idempotencyKey"] for row in actions]
    assert track(running.url)["idempotencyKey"] not in keys


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_saves_when_it_is_asked_to_stop(number: int) -> None:
    if number == signal.SIGINT:
        STATE.write_text(json.dumps({"users": {"eve": {}}}), encoding="utf-8")
    with running_command("--empty", "--state", str(STATE)) as (process, shown):
        track(shown["url"])
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    assert process.returncode == (143 if number == signal.SIGTERM else 0)
    saved = json.loads(STATE.read_text("utf-8"))
    assert "ann" in saved["users"]
    assert saved["version"] == VERSION
    assert list(Path().glob(".*")) == []  # no unfinished file


def test_a_second_start_continues_and_ignores_fixture_and_users() -> None:
    Path("tenant.json").write_text(json.dumps({"users": {"ann": {"email": "ann@example.com"}}}), encoding="utf-8")
    options = ("--fixture", "tenant.json", "--state", str(STATE))
    with running_command(*options) as (process, shown):
        assert requests.get(f"{shown['url']}/users", auth=SERVER, timeout=30).json()["users"][0]["userId"] == "ann"
        requests.delete(f"{shown['url']}/users/ann", auth=SERVER, timeout=30)
        track(shown["url"], "ben")
        answer = requests.post(f"{shown['controlUrl']}state/save", timeout=30).json()
        assert answer == {"saved": "shop.json"}
        track(shown["url"], "eve")
        process.kill()  # loses what came after the save
        process.wait(timeout=60)
    with running_command(*options, "--users", "50") as (_, shown):
        users = requests.get(f"{shown['url']}/users", auth=SERVER, timeout=30).json()["users"]
        assert [user["userId"] for user in users] == ["ben"]


def test_snapshots_are_files_that_outlive_the_sandbox() -> None:
    with run_in_thread(SandboxConfig(users=3, seed=7), state=STATE) as running:
        running.snapshot("three-users")
        running.reset()
        running.snapshot("empty.2")
    with run_in_thread(state=STATE) as running:
        assert running.snapshots() == ["three-users", "empty.2"]
        running.sandbox.webhooks.configure(log_events_url="http://127.0.0.1:9/log")
        for _ in range(2):
            requests.post(f"{running.control_url}restore", json={"name": "three-users"}, timeout=30).raise_for_status()
            assert running.sandbox.store.counts()["users"] == 3
            running.restore("empty.2")
            assert running.sandbox.store.counts()["users"] == 0
        assert running.sandbox.webhooks.settings.log_events_url == "http://127.0.0.1:9/log"
        for name, words in (("three", "No snapshot is named"), ("../shop", "a snapshot name must have"), ("", "must")):
            answer = requests.post(f"{running.control_url}restore", json={"name": name}, timeout=30)
            assert answer.status_code == 400
            assert words in answer.json()["error"]
        with pytest.raises(ValueError, match="a snapshot name must have"):
            running.snapshot("a/b")
    assert sorted(os.listdir("shop.json.snapshots")) == ["empty.2.json", "three-users.json"]


def test_state_moves_to_another_sandbox_with_its_stories_and_changes() -> None:
    config = SandboxConfig(users=200, seed=7, stories=True)
    with run_in_thread(config) as one, run_in_thread() as other:
        one.clock.freeze()
        moved = requests.get(f"{one.control_url}state", timeout=30).text
        requests.post(f"{other.control_url}state", data=moved.encode(), timeout=20).raise_for_status()
        assert requests.get(f"{other.control_url}state", timeout=30).json() == json.loads(moved)
        assert other.told_stories() == one.told_stories()
        assert other.configuration_changes() == one.configuration_changes()
        assert other.truth() == one.truth()


def test_a_newer_version_is_refused_and_the_file_stays() -> None:
    STATE.write_text(json.dumps({"version": VERSION + 1, "users": {}, "new": 1}), encoding="utf-8")
    before = STATE.read_bytes()
    with pytest.raises(FixtureInvalid, match="A newer dlt-authsignal has written it: update this one"):
        start(None, STATE)
    assert STATE.read_bytes() == before


def test_the_fixture_of_version_1_is_still_read() -> None:
    file = Path(__file__).parent / "fixture_version_1.json"  # written by the first version: never write it again
    sandbox = Sandbox(SandboxConfig(fixture=Fixture.read(file)))
    assert sandbox.store.counts() == {"users": 2, "authenticators": 8, "actions": 4, "devices": 1}
    assert len(list(sandbox.challenges)) == len(list(sandbox.sessions)) == len(list(sandbox.outbox)) == 1
    saved = json.loads(file.read_text("utf-8"))
    written = json.loads(json.dumps(Fixture.state_of(sandbox)))
    assert {name: written[name] for name in saved} == saved


def test_a_clock_shows_the_present_or_goes_on_where_it_stopped() -> None:
    with run_in_thread(state=STATE):
        pass
    assert json.loads(STATE.read_text())["clock"] == {"present": True}
    with run_in_thread(state=STATE) as running:
        assert abs(running.clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
        running.clock.advance(days=3)
        running.clock.freeze()
        moved = running.clock.now()
    with run_in_thread(state=STATE) as running:
        assert running.clock.now() == moved


def test_a_passkey_of_a_browser_signs_in_after_a_restart() -> None:
    passkey = SoftwarePasskey(origin="http://localhost:3000")
    with run_in_thread(state=STATE) as running:
        bearer = {"Authorization": f"Bearer {track(running.url)['token']}"}
        path = f"{running.url}/client/user-authenticators/passkey"
        started = requests.post(
            f"{path}/registration-options", json={"username": "ann"}, headers=bearer, timeout=30
        ).json()
        made = {"challengeId": started["challengeId"], "registrationCredential": passkey.create(started["options"])}
        assert requests.post(path, json=made, headers=bearer, timeout=30).json()["isVerified"]
    with run_in_thread(state=STATE) as running:
        tenant = (running.sandbox.config.tenant_id, "")
        path = f"{running.url}/client/user-authenticators/passkey"
        started = requests.post(f"{path}/authentication-options", json={}, auth=tenant, timeout=30).json()
        signed = {"challengeId": started["challengeId"], "authenticationCredential": passkey.get(started["options"])}
        answer = requests.post(f"{running.url}/client/verify/passkey", json=signed, auth=tenant, timeout=30)
        assert answer.json()["userId"] == "ann"


def test_a_state_that_cannot_be_saved_is_reported_and_the_earlier_file_stays() -> None:
    with pytest.raises(ConfigurationError, match="its folder does not exist"):
        start(None, "nowhere/shop.json")
    sandbox = start(SandboxConfig(users=2, seed=7), STATE)
    sandbox.save()
    before = STATE.read_bytes()
    Path("shop.json.snapshots").write_text("in the way")
    with pytest.raises(ConfigurationError, match="The state was not saved in"):
        sandbox.snapshot("begin")
    assert STATE.read_bytes() == before
    with pytest.raises(ValueError, match="no state file"):
        Sandbox().save()
    STATE.unlink()
    STATE.mkdir()
    with pytest.raises(ConfigurationError, match=r"The state was not saved in shop\.json"):
        sandbox.save()
    assert [path.name for path in Path().iterdir() if path.name.startswith(".")] == []
