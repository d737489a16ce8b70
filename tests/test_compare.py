"""`sandbox compare`: only GET requests reach a tenant, few of them, and only the form of its responses is shown."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.cli.output.recordings import print_comparison
from dlt_authsignal.errors import ConfigurationError, CredentialsMissing, Unauthorized, Unreachable
from dlt_authsignal.recordings.compare import Comparison, compare
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.recording.entries import Recording, read
from tests.helpers import MANAGEMENT_SECRET, SECRET, command

FILE = Path("calls.jsonl")
KEY = "the-tenants-own-key"
FAST = 20.0


@dataclass
class Tenant:
    """A server that notes what it is asked, and answers what a test says. Unknown paths get an empty object."""

    answers: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, str, float]] = field(default_factory=list)
    url: str = ""

    def answer(self, method: str, path: str, authorization: str) -> bytes:
        self.asked.append((method, path, authorization, time.monotonic()))
        return json.dumps(self.answers.get(path.partition("?")[0], {})).encode()

    @property
    def paths(self) -> list[str]:
        return [path for _, path, _, _ in self.asked]


@contextmanager
def served(tenant: Tenant) -> Iterator[Tenant]:
    class Handler(BaseHTTPRequestHandler):
        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):  # any method at all
                return self._any
            raise AttributeError(name)

        def _any(self) -> None:
            body = tenant.answer(self.command, self.path, self.headers.get("Authorization", ""))
            self.send_response(tenant.status)
            for name, value in {"Content-Length": str(len(body)), **tenant.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tenant.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield tenant
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with served(Tenant()) as running:
        yield running


def calls(running: RunningSandbox) -> None:
    """A bit of everything that a test suite sends: requests of all methods, to all APIs."""

    def send(method: str, path: str, body: Any = None, key: str = SECRET) -> requests.Response:
        return requests.request(method, f"{running.url}{path}", json=body, auth=(key, ""), timeout=30)

    send("POST", "/users/ann/actions/signIn", {"email": "ann@example.com"})
    send("POST", "/users/ann/authenticators", {"verificationMethod": "SMS", "phoneNumber": "+64211234567"})
    send("PATCH", "/users/ann", {"email": "ann@example.org"})
    for path in ("/users?limit=2", "/users/ann", "/users/ann/authenticators", "/users/ann/actions", "/users/none"):
        send("GET", path)
    (action,) = send("GET", "/users/ann/actions").json()
    send("GET", f"/users/ann/actions/signIn/{action['idempotencyKey']}")
    send("GET", "/management/tenant", key=MANAGEMENT_SECRET)
    send("PATCH", "/management/tenant", {"name": "Mine"}, key=MANAGEMENT_SECRET)
    send("GET", "/users", key="a-wrong-key")
    token = send("POST", "/users/ann/actions/signIn", {}).json()["token"]
    mine = f"{running.url}/client/user-authenticators"
    requests.get(mine, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    requests.get(f"{running.control_url}outbox", timeout=30)
    send("DELETE", "/users/ann")
    send("GET", "/users/ann/authenticators")


@pytest.fixture
def recording() -> Recording:
    with run_in_thread(SandboxConfig(seed=7, users=3), record=FILE) as running:
        calls(running)
    return read(FILE)


def compared(recording: Recording, tenant: Tenant, **more: Any) -> Comparison:
    return compare(recording, tenant.url, **{"rate": FAST, "api_secret_key": KEY, **more})


def test_only_get_requests_with_the_tenants_own_key_are_sent(recording: Recording, tenant: Tenant) -> None:
    tenant.answers = {
        "/v1/users": {"users": [{"userId": "real/user"}]},
        "/v1/users/real%2Fuser/actions": [{"actionCode": "login", "idempotencyKey": "k1"}],
    }
    report = compared(recording, tenant, management_secret_key="the-management-key")
    assert {method for method, _, _, _ in tenant.asked} == {"GET"}
    assert tenant.paths == [
        "/v1/users?limit=2",
        "/v1/management/tenant",
        "/v1/users/real%2Fuser",
        "/v1/users/real%2Fuser/authenticators",
        "/v1/users/real%2Fuser/actions",
        "/v1/users/none",
        "/v1/users/real%2Fuser/actions/login/k1",
    ]
    keys = {authorization for _, _, authorization, _ in tenant.asked}
    assert keys == {basic_auth(KEY), basic_auth("the-management-key")}
    assert report.skipped["POST requests are never sent"] == 3
    assert report.skipped["PATCH requests are never sent"] == 2
    assert report.skipped["DELETE requests are never sent"] == 1
    assert report.skipped["recorded with a token, or without a valid key"] == 2
    assert report.skipped["not a route of Authsignal"] == 1


def test_a_sandbox_compared_with_another_sandbox_has_no_differences(recording: Recording) -> None:
    with run_in_thread(SandboxConfig(seed=9, users=5)) as running:
        report = compare(
            recording, running.url, rate=FAST, api_secret_key=SECRET, management_secret_key=MANAGEMENT_SECRET
        )
        assert set(running.requests()["byRoute"]) == set(report.sent)
    assert report.differences == []
    assert sum(report.sent.values()) == 7


def test_differences_in_form_are_listed_without_values(recording: Recording, tenant: Tenant) -> None:
    tenant.answers = {
        "/v1/users": {"users": [{"userId": "real", "email": 5, "riskScore": "personal value", "Ann Smith": 1}]},
        "/v1/users/real": {"isEnrolled": "yes", "custom": {"Ann": "x"}},
        "/v1/users/real/actions": {"actions": []},
    }
    report = compared(recording, tenant)
    found = [(each.route, each.path, each.sandbox, each.tenant) for each in report.differences]
    assert ("GET /users", "users[].email", "text", "number") in found
    assert ("GET /users", "users[].riskScore", None, "text") in found
    assert ("GET /users", "users[].(name not shown)", None, "number") in found
    assert ("GET /users/{userId}", "isEnrolled", "boolean", "text") in found
    assert ("GET /users/{userId}/actions", "body", "list", "object") in found
    assert not any(path.startswith("custom.") for _, path, _, _ in found)
    assert not any("personal" in str(each) or "Ann" in str(each) or "real" in str(each) for each in found)


def test_other_statuses_error_codes_and_bodies_are_differences(recording: Recording, tenant: Tenant) -> None:
    tenant.status, tenant.headers = 307, {"Location": f"{tenant.url}/elsewhere"}
    report = compared(recording, tenant, users=["real"])
    assert {(each.path, each.tenant) for each in report.differences} == {("status", "307")}
    assert "/v1/elsewhere" not in tenant.paths  # a redirect could lead the key to another host


def test_the_number_and_the_rate_of_requests_are_bounded(recording: Recording, tenant: Tenant) -> None:
    report = compared(recording, tenant, users=["real"], max_requests=3, rate=10)
    assert sum(report.sent.values()) == len(tenant.asked) == 3
    assert report.skipped["the number of requests is limited: raise --max-requests"] == 3
    moments = [moment for _, _, _, moment in tenant.asked]
    assert moments[2] - moments[0] > 0.15  # two pauses of a tenth of a second
    for wrong in ({"rate": 0.0}, {"rate": 21.0}, {"max_requests": 0}, {"max_requests": 1001}):
        with pytest.raises(ConfigurationError, match="Nothing was sent"):
            compared(recording, tenant, **wrong)


def test_requests_without_an_id_of_the_tenant_are_not_sent(recording: Recording, tenant: Tenant) -> None:
    report = compared(recording, tenant)  # its user list is empty
    assert tenant.paths == ["/v1/users?limit=2", "/v1/users/none"]
    assert report.skipped["no user of the tenant is known: pass --user"] == 6
    assert report.skipped["no management_secret_key is set"] == 1


def test_a_tenant_that_refuses_the_key_or_limits_requests_gets_no_more_of_them(
    recording: Recording, tenant: Tenant
) -> None:
    tenant.status = 401
    with pytest.raises(Unauthorized) as refused:
        compared(recording, tenant, users=["real"])
    assert len(tenant.asked) == 1
    assert KEY not in str(refused.value)
    tenant.status = 429
    assert sum(compared(recording, tenant, users=["real"]).sent.values()) == 1


def test_nothing_is_sent_without_a_key_or_over_http_to_another_machine(recording: Recording, tenant: Tenant) -> None:
    with pytest.raises(CredentialsMissing):
        compare(recording, tenant.url)
    with pytest.raises(ConfigurationError, match="must be an https URL"):
        compare(recording, "http://192.0.2.1/v1", api_secret_key=KEY)
    assert tenant.asked == []
    with pytest.raises(Unreachable, match="GET /users"):
        compare(recording, "http://127.0.0.1:9/v1", api_secret_key=KEY)


def test_the_command_reads_the_key_from_the_projects_settings_and_does_not_print_it(
    recording: Recording, tenant: Tenant, workdir: Path
) -> None:
    assert recording.exchanges
    (workdir / ".dlt").mkdir()
    secrets = workdir / ".dlt" / "secrets.toml"
    secrets.write_text(f'[sources.authsignal_source]\napi_secret_key = "{KEY}"\nregion = "eu"\n')
    tenant.answers = {"/v1/users/real": {"isEnrolled": True, "newField": 1}}
    done = command("sandbox", "compare", str(FILE), "--against", tenant.url, "--rate", "20", "--user", "real")
    assert done.returncode == 1, done.stderr
    assert "GET /users/{userId}\n    newField: sandbox never returned, tenant number\n" in done.stdout
    assert "GET requests to 127.0.0.1" in done.stdout
    assert KEY not in done.stdout + done.stderr
    assert {authorization for _, _, authorization, _ in tenant.asked} == {basic_auth(KEY)}


def test_the_report_as_json_has_what_was_sent_and_what_differs(
    recording: Recording, tenant: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant.answers = {"/v1/users/real": {"isEnrolled": True, "newField": 1}}
    print_comparison(compared(recording, tenant, users=["real"]), as_json=True)
    report = json.loads(capsys.readouterr().out)
    new = {"route": "GET /users/{userId}", "path": "newField", "sandbox": None, "tenant": "number"}
    assert new in report["differences"]
    assert (report["host"], report["sent"]["GET /users"]) == ("127.0.0.1", 1)
    assert report["skipped"]["POST requests are never sent"] == 3
