"""Synthetic monitoring: a canary's passkey made, used and removed, against the sandbox."""

import asyncio
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dlt_authsignal.api.server_endpoints import VALIDATE
from dlt_authsignal.cli.commands.load.probe import alarms
from dlt_authsignal.errors import ConfigurationError, MutationRefused, NotACanary, PipelineBusy, Unauthorized
from dlt_authsignal.passkey import SoftwarePasskey
from dlt_authsignal.pipeline.probe.canary import routes
from dlt_authsignal.pipeline.probe.policy_drift import changes
from dlt_authsignal.pipeline.probe.run import ProbeReport, probe
from dlt_authsignal.pipeline.probe.steps import problem_of
from dlt_authsignal.sandbox import Fault, RunningSandbox
from dlt_authsignal.source.config.connection import api_url
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.http.session import writing_session
from dlt_authsignal.source.http.single_call import Call
from tests.ceremonies import ORIGIN, Visitor
from tests.helpers import COMMAND, SECRET, ask, at, command, rows, sync_from
from tests.tiers import deep_after
from tests.workers import wait_for

SIX = (
    "user_authenticators",
    "passkey_initiate_challenge",
    "passkey_authentication_options",
    "passkey_verify_authentication",
    "passkey_register_options",
    "passkey_register",
)
DATABASE = "authsignal_probe.duckdb"
PHONE = "fbfc3007-154e-4ecc-8c0b-6e020557d7bd"


def probed(running: RunningSandbox, **arguments: Any) -> ProbeReport:
    return probe(**{"user_id": "canary", "base_url": running.url, "api_secret_key": SECRET, **arguments})


def run(running: RunningSandbox, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return command("probe", "--user", "canary", *arguments, env=at(running, **settings))


def count(name: str) -> int:
    number: int = rows(f"select count(*) from {name}", DATABASE)[0][0]
    return number


def passkeys(running: RunningSandbox, user_id: str = "canary") -> list[Any]:
    found: list[Any] = ask(running, "GET", f"/users/{user_id}/authenticators")[1]
    return found


def failed(report: ProbeReport) -> list[tuple[str, str]]:
    return [(step.flow, step.name) for step in report.steps if step.problem]


def test_a_probe_reports_that_passkeys_work_and_loads_the_six_tables(empty: RunningSandbox) -> None:
    done = run(empty)
    assert done.returncode == 0, done.stderr
    assert "Passkeys work at 127.0.0.1" in done.stdout
    assert "read for the first time: localhost, user verification required, algorithms -8, -7, -257" in done.stdout
    assert [count(name) for name in SIX] == [1, 1, 2, 2, 1, 1]
    assert rows("select works, failed_step, calls, left_behind from probe_runs", DATABASE) == [(True, None, 18, 0)]
    ways = rows("select authenticated_with, is_verified, user_id from passkey_verify_authentication", DATABASE)
    assert sorted(ways) == [("tenant", True, "canary"), ("token", True, "canary")]
    assert passkeys(empty) == []


@pytest.mark.deep
def test_a_second_probe_finds_an_unchanged_policy(empty: RunningSandbox) -> None:
    first, second = probed(empty), probed(empty)
    assert first.compared_with is None
    assert second.compared_with is not None
    assert (second.works, second.changes, second.left_behind) == (True, [], 0)
    assert {step.flow for step in second.steps} == {"enrol", "mfa", "sign_in", "clean_up"}
    assert count("passkey_register") == 2
    shown = command("status", "--pipeline-name", "authsignal_probe")
    assert (shown.returncode, "No sync is recorded in this dataset" in shown.stdout) == (0, True)


@pytest.mark.deep
def test_a_probe_changes_no_user_but_the_canary(seeded: RunningSandbox) -> None:
    people = [user.user_id for user in seeded.sandbox.store.users()]

    def known() -> list[Any]:
        parts = ("", "/authenticators", "/actions", "/devices")
        return [ask(seeded, "GET", f"/users/{user_id}{part}")[1] for user_id in people for part in parts]

    before = known()
    assert probed(seeded).works
    assert known() == before
    assert {user.user_id for user in seeded.sandbox.store.users()} - set(people) == {"canary"}


def test_a_user_with_another_authenticator_is_refused_before_anything_is_changed(empty: RunningSandbox) -> None:
    ask(empty, "POST", "/users/canary/authenticators", {"verificationMethod": "EMAIL_OTP", "email": "ada@example.com"})
    empty.sandbox.log.clear()
    with pytest.raises(NotACanary, match="an authenticator that no probe created"):
        probed(empty)
    assert all(route.startswith("GET ") for route in empty.sandbox.log.by_route)


@pytest.mark.parametrize(
    ("about", "sign"),
    [
        ({"email": "ada@example.com"}, "an e-mail address"),
        ({"phoneNumber": "+64211234567"}, "a phone number"),
        ({"displayName": "Ada"}, "a display name"),
    ],
)
def test_a_user_with_personal_attributes_is_refused_as_canary(
    empty: RunningSandbox, about: dict[str, str], sign: str
) -> None:
    ask(empty, "PATCH", "/users/canary", about)
    empty.sandbox.log.clear()
    with pytest.raises(NotACanary, match=sign):
        probed(empty)
    assert all(route.startswith("GET ") for route in empty.sandbox.log.by_route)


def test_a_user_with_other_actions_is_refused_as_canary(empty: RunningSandbox) -> None:
    Visitor(empty, user_id="canary").track("payment")
    with pytest.raises(NotACanary, match='other actions than "probe"'):
        probed(empty)


@pytest.mark.deep
def test_an_outage_at_the_first_call_is_recorded_as_a_row_too(empty: RunningSandbox) -> None:
    empty.sandbox.faults.add(Fault(route="GET /users/{userId}", kind="status", status=503, times=1))
    assert not probed(empty).works
    ((works, step, problem),) = rows("select works, failed_step, problem from probe_runs", DATABASE)
    assert (works, step) == (False, "clean_up: get_user")
    assert problem.startswith("503")


@pytest.mark.deep
def test_a_canary_user_can_be_excluded_from_a_sync(empty: RunningSandbox) -> None:
    probed(empty)
    ask(empty, "PATCH", "/users/ada", {"email": "ada@example.com"})
    sync_from(empty, exclude_users=["canary"])
    assert rows("select user_id from users") == [("ada",)]
    assert rows("select count(*) from user_actions") == [(0,)]


def test_a_user_with_a_passkey_of_a_real_device_is_refused_as_canary(empty: RunningSandbox) -> None:
    person = Visitor(empty, user_id="canary", passkey=SoftwarePasskey(origin=ORIGIN, aaguid=PHONE))
    person.track().register()
    with pytest.raises(NotACanary):
        probed(empty, action="signIn")
    assert len(passkeys(empty)) == 1


@pytest.mark.parametrize(
    ("route", "flow", "name"),
    [
        *deep_after(
            0,
            [
                ("POST /client/user-authenticators/passkey/registration-options", "enrol", "passkey_register_options"),
                ("POST /client/user-authenticators/passkey", "enrol", "passkey_register"),
            ],
        ),
        ("POST /client/challenge", "sign_in", "passkey_initiate_challenge"),
        *deep_after(0, [("POST /validate", "mfa", "validate")]),
    ],
)
def test_a_failed_step_is_reported_and_the_passkey_is_removed(
    empty: RunningSandbox, route: str, flow: str, name: str
) -> None:
    empty.sandbox.faults.add(Fault(route=route, kind="status", status=503, times=1))
    report = probed(empty)
    assert not report.works
    assert failed(report) == [(flow, name)]
    assert passkeys(empty) == []
    assert report.left_behind == 0


def test_a_failed_probe_exits_with_1_and_a_one_line_error_and_is_loaded(empty: RunningSandbox) -> None:
    done = run(empty, "--json", "--origin", "https://elsewhere.example")
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("Error: Passkeys fail at 127.0.0.1")
    assert "enrol, passkey_register: SecurityError" in line
    assert json.loads(done.stdout)["works"] is False
    assert rows("select error_code from passkey_register", DATABASE) == [("SecurityError",)]


@pytest.mark.deep
def test_a_passkey_that_cannot_be_removed_raises_an_alarm(empty: RunningSandbox) -> None:
    empty.sandbox.faults.add(
        Fault(route="DELETE /users/{userId}/authenticators/{userAuthenticatorId}", kind="status", status=500)
    )
    report = probed(empty)
    assert "1 passkey of the canary user could not be removed." in alarms(report)
    empty.sandbox.faults.clear()
    assert probed(empty).removed_before == 1
    assert passkeys(empty) == []


@pytest.mark.deep
def test_a_changed_policy_raises_an_alarm_once(empty: RunningSandbox) -> None:
    assert alarms(probed(empty)) == []
    empty.sandbox.configure(token_minutes=5)
    (line,) = alarms(probed(empty))
    assert "timeout_ms of new passkeys was 600000, is 300000" in line
    assert "timeout_ms of sign-in was 600000, is 300000" in line
    assert alarms(probed(empty)) == []


@pytest.mark.deep
def test_the_policy_is_compared_with_the_last_one_in_the_destination(
    empty: RunningSandbox, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probed(empty)
    monkeypatch.setenv("DLT_DATA_DIR", str(workdir / "fresh"))
    empty.sandbox.configure(token_minutes=5)
    assert {change.setting for change in probed(empty).changes} == {"timeout_ms"}


def test_a_policy_is_compared_setting_by_setting() -> None:
    ceremony = ("passkey_register_options", "token")
    before = {"rp_id": "a.example", "algorithms": [-7, -257]}
    (change,) = changes(ceremony, before, {"rp_id": "a.example", "algorithms": [-8, -7]})
    assert (change.setting, change.before, change.now) == ("algorithms", [-7, -257], [-8, -7])
    assert list(changes(ceremony, {}, before)) == []


def test_a_probe_of_a_remote_host_needs_allow_writes() -> None:
    with pytest.raises(ConfigurationError, match=r"au\.api\.authsignal\.com: .* --allow-writes"):
        probe(user_id="canary", region="au", api_secret_key="k")


def test_a_wrong_key_is_not_reported_as_a_passkey_failure(empty: RunningSandbox) -> None:
    with pytest.raises(Unauthorized, match="api_secret_key"):
        probed(empty, api_secret_key="wrong")


@pytest.mark.deep
def test_a_probe_with_a_token_alone_needs_leave_passkey(empty: RunningSandbox) -> None:
    token = Visitor(empty, user_id="canary").track().token
    alone = {"user_id": None, "api_secret_key": None, "token": token}
    with pytest.raises(ConfigurationError, match="leave-passkey"):
        probed(empty, **alone)
    report = probed(empty, **alone, leave_passkey=True)
    assert report.works
    assert (report.user_id, report.left_behind) == ("canary", 1)
    assert len(passkeys(empty)) == 1
    with pytest.raises(ConfigurationError, match="a different user"):
        probed(empty, **{**alone, "user_id": "ada"}, leave_passkey=True)


@pytest.mark.deep
def test_a_probe_and_a_sync_agree_on_a_passkey_so_its_history_gets_no_version(
    empty: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__PRIVACY", "keep")

    def probed_with_token() -> None:
        token = Visitor(empty, user_id="canary").track("probe", scope="read:authenticators add:authenticators").token
        alone: dict[str, Any] = {"user_id": None, "api_secret_key": None, "token": token}
        assert probed(empty, **alone, leave_passkey=True, pipeline_name="authsignal_pipeline").works

    probed_with_token()
    sync_from(empty)
    ((key, by_sync),) = rows("select user_authenticator_id, _row_hash from user_authenticators")
    versions = f"select * from user_authenticators_history where user_authenticator_id = '{key}' order by valid_from"
    before = rows(versions)  # as it was enrolled, and as it was used
    probed_with_token()
    found = dict(rows("select user_authenticator_id, _row_hash from user_authenticators"))
    assert (len(found), found[key]) == (2, by_sync)
    assert rows("select count(is_default) from user_authenticators where _api = 'client'") == [(2,)]
    sync_from(empty, full=True)
    assert rows(versions) == before


def test_a_missing_canary_user_and_missing_credentials_are_reported(empty: RunningSandbox) -> None:
    with pytest.raises(ConfigurationError, match="--user canary"):
        probed(empty, user_id=None)
    with pytest.raises(ConfigurationError, match="No Authsignal credentials"):
        probed(empty, api_secret_key=None)


@pytest.mark.deep
def test_rules_that_block_the_canary_are_reported(empty: RunningSandbox) -> None:
    empty.sandbox.configure(default_action_result="BLOCK")
    report = probed(empty)
    (problem,) = [step.problem for step in report.steps if step.problem]
    assert "rules block the canary" in problem


@pytest.mark.parametrize("way", deep_after(1, [signal.SIGTERM, signal.SIGINT, signal.SIGKILL]))
@pytest.mark.deep
def test_an_interrupted_probe_leaves_no_passkey_permanently(empty: RunningSandbox, way: signal.Signals) -> None:
    empty.sandbox.faults.add(Fault(route="POST /client/challenge", kind="delay", seconds=20, times=1))
    process = subprocess.Popen(
        [COMMAND, "probe", "--user", "canary"], env={**os.environ, **at(empty)}, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: not empty.sandbox.faults.waiting)
    assert passkeys(empty)
    process.send_signal(way)
    process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if way == signal.SIGKILL else 1)
    assert len(passkeys(empty)) == (1 if way == signal.SIGKILL else 0)
    report = probed(empty)
    assert report.works
    assert report.removed_before == (1 if way == signal.SIGKILL else 0)
    assert passkeys(empty) == []


@pytest.mark.deep
def test_a_second_stop_signal_waits_until_the_passkey_is_removed(empty: RunningSandbox) -> None:
    empty.sandbox.faults.add(Fault(route="POST /client/challenge", kind="delay", seconds=20, times=1))
    process = subprocess.Popen(
        [COMMAND, "probe", "--user", "canary"], env={**os.environ, **at(empty)}, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: not empty.sandbox.faults.waiting)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, passkeys(empty)) == (1, [])
    assert "The passkey of this probe was removed" in said


@pytest.mark.deep
def test_a_second_concurrent_probe_of_the_same_canary_is_refused(empty: RunningSandbox) -> None:
    empty.sandbox.faults.add(Fault(route="POST /client/challenge", kind="delay", seconds=5, times=1))
    first = subprocess.Popen([COMMAND, "probe", "--user", "canary"], env={**os.environ, **at(empty)})
    wait_for(lambda: not empty.sandbox.faults.waiting)
    with pytest.raises(PipelineBusy):
        probed(empty)
    assert first.wait(60) == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/users/ada/authenticators/1"),
        ("DELETE", "/users/canary"),
        ("POST", "/users/ada/actions/probe"),
        ("POST", "/users/canary/actions/signIn"),
        ("DELETE", "/users/canary/authenticators/1/2"),
    ],
)
def test_a_probe_cannot_send_requests_for_other_users(method: str, path: str) -> None:
    async def leave() -> None:
        base = api_url(None, "http://127.0.0.1:9/v1")
        async with writing_session(RequestLimits(), base, routes("canary", "probe")) as session:
            await session.request(method, f"{base}{path}")

    with pytest.raises(MutationRefused):
        asyncio.run(leave())


def call(**about: Any) -> Call:
    return Call(name=about.pop("name", "validate"), endpoint=VALIDATE, authenticated_with="server", **about)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (call(answer={"isValid": False, "state": "CHALLENGE_REQUIRED"}), "CHALLENGE_REQUIRED"),
        (call(answer={}), "missing"),
        (call(name="passkey_register", answer={"isVerified": False}), "did not accept"),
        (call(name="passkey_verify_authentication", answer={"isVerified": True, "userId": "ada"}), "a user other than"),
        (call(status=400, error_code="invalid_credential", error="No."), "400 invalid_credential: No."),
    ],
)
def test_a_problem_is_reported_without_personal_data(made: Call, said: str) -> None:
    problem = problem_of(made, "canary")
    assert problem is not None
    assert said in problem
    assert "ada" not in problem


def test_a_probe_leaves_no_secret_in_files_or_output(empty: RunningSandbox, workdir: Path) -> None:
    done = run(empty, "--json")
    left = b"".join(path.read_bytes() for path in workdir.rglob("*") if path.is_file()) + done.stdout.encode()
    assert SECRET.encode() not in left
    assert b"eyJ" not in left  # no token, whichever
