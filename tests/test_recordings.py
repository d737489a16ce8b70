"""`sandbox --record` and `sandbox replay`: what is written, what is masked, and which differences are found."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyotp
import pytest
import requests

from dlt_authsignal.errors import RecordingUnreadable
from dlt_authsignal.passkey import SoftwarePasskey
from dlt_authsignal.recordings.replay import Outcome, replay
from dlt_authsignal.recordings.values import Values
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.fixtures.fixture import Fixture
from dlt_authsignal.sandbox.recording.entries import read
from dlt_authsignal.sandbox.recording.masks import MOST, Masks
from tests.helpers import COMMAND, MANAGEMENT_SECRET, ROOT, SECRET, command

FILE = Path("calls.jsonl")
SERVER = (SECRET, "")


class Client:
    """Requests to one sandbox, and the secrets in its responses."""

    def __init__(self, running: RunningSandbox, trusted: str | None = None) -> None:
        self.running, self.trusted = running, trusted
        self.tenant = (running.sandbox.config.tenant_id, "")

    def post(self, path: str, body: dict[str, Any], token: str | None = None, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        auth = None if token else more.pop("auth", SERVER)
        url = f"{self.running.url}{path}"
        answer = requests.post(url, json=body, headers=headers, auth=auth, timeout=30, verify=self.trusted, **more)
        return answer.json()

    def get(self, path: str, **more: Any) -> requests.Response:
        url = path if path.startswith("http") else f"{self.running.url}{path}"
        return requests.get(url, timeout=30, verify=self.trusted, **{"auth": SERVER, **more})

    def code(self, to: str) -> str:
        message = self.running.outbox.last(to)
        assert message
        assert message.code
        return message.code


def signed_in(client: Client, user: str = "ann") -> list[str]:
    """Ann enrols her phone and is verified. Returns the secrets of it."""
    tracked = client.post(f"/users/{user}/actions/signUp", {"email": f"{user}@example.com"})
    token = tracked["token"]
    client.post("/client/user-authenticators/sms", {"phoneNumber": "+64211234567"}, token)
    client.post("/client/verify/sms", {"verificationCode": "000001"}, token)
    code = client.code(user)
    verified = client.post("/client/verify/sms", {"verificationCode": code}, token)
    client.post("/validate", {"token": verified["accessToken"]})
    return [token, code, verified["accessToken"]]


def enrolled_passkey(client: Client, user: str = "ann") -> None:
    tracked = client.post(f"/users/{user}/actions/addPasskey", {"scope": "add:authenticators"})
    path, token = "/client/user-authenticators/passkey", tracked["token"]
    started = client.post(f"{path}/registration-options", {"username": user}, token)
    made = SoftwarePasskey(origin="http://localhost:3000").create(started["options"])
    body = {"challengeId": started["challengeId"], "registrationCredential": made}
    assert client.post(path, body, token)["isVerified"]


def recorded(does: Callable[[Client], Any], config: SandboxConfig | None = None) -> Any:
    """What the function returns, while the sandbox records to FILE."""
    with run_in_thread(config or SandboxConfig(seed=7, users=3), record=FILE) as running:
        return does(Client(running))


def different(outcomes: list[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.differences]


def test_a_recording_contains_no_key_token_code_or_cookie() -> None:
    def run(client: Client) -> list[str]:
        secrets = signed_in(client)
        url = client.post("/users/bob/actions/signIn", {"email": "bob@example.com"})["url"]
        client.get(url, auth=None)
        started = client.post(
            "/challenge", {"verificationMethod": "EMAIL_OTP", "action": "a", "email": "b@example.com"}
        )
        client.post(
            "/verify", {"challengeId": started["challengeId"], "verificationCode": client.code("b@example.com")}
        )
        token = client.post("/users/eve/actions/signUp", {})["token"]
        totp = client.post("/client/user-authenticators/totp", {}, token)
        link = "/client/user-authenticators/email-magic-link"
        client.post(link, {"email": "eve@example.com"}, client.post("/users/joe/actions/signUp", {})["token"])
        message = client.running.outbox.last("eve@example.com")
        assert message
        client.get(str(message.url), auth=None)
        client.get(f"{client.running.control_url}outbox", auth=None)
        options = "/client/user-authenticators/passkey/authentication-options/web"
        cookie = requests.post(f"{client.running.url}{options}", json={}, auth=client.tenant, timeout=30).cookies
        client.get("/management/tenant", auth=(MANAGEMENT_SECRET, ""))
        client.get("/users", auth=("a-mistaken-secret", ""))
        client.get("/users", headers={"X-Api-Key": "another-secret"})
        return [
            *secrets, started["challengeId"], client.code("b@example.com"), token, totp["secret"], *cookie.values(),
            str(message.url).partition("secret=")[2], url.partition("token=")[2], "a-mistaken-secret", "another-secret",
        ]  # fmt: skip

    secrets = [*recorded(run), SECRET, MANAGEMENT_SECRET]
    text = FILE.read_text("utf-8")
    assert all(secrets)
    assert [secret for secret in secrets if secret in text] == []
    assert "ann@example.com" in text
    assert "+64211234567" in text
    assert FILE.stat().st_mode & 0o777 == 0o600


def test_a_recording_becomes_an_http_archive_by_joining_its_lines() -> None:
    recorded(signed_in)
    first, *entries = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]
    archive = {"log": {**first["log"], "entries": entries}}
    assert archive["log"]["version"] == "1.2"
    assert len(entries) == 5
    for entry in entries:
        assert {"startedDateTime", "time", "request", "response", "cache", "timings"} <= entry.keys()
        needed = {"cookies", "httpVersion", "headers", "headersSize", "bodySize"}
        assert {"method", "url", "queryString", *needed} <= entry["request"].keys()
        assert {"status", "statusText", "content", "redirectURL", *needed} <= entry["response"].keys()
        assert {"size", "mimeType"} <= entry["response"]["content"].keys()


def test_bodies_whose_secrets_cannot_be_masked_are_not_recorded() -> None:
    def run(client: Client) -> None:
        requests.post(f"{client.running.url}/validate", data='{"token": "secret-in-broken', auth=SERVER, timeout=30)
        plain = {"Content-Type": "text/plain"}
        requests.post(f"{client.running.url}/validate", data="secret text", headers=plain, auth=SERVER, timeout=30)
        client.get(client.running.control_url, auth=None, headers={"Accept": "text/html"})

    recorded(run)
    broken, text, page = read(FILE).exchanges
    assert broken.body is text.body is page.answer is None
    assert "secret" not in FILE.read_text("utf-8").replace("secrets", "")
    assert "not valid JSON" in str(broken.dropped)
    assert "text/plain may show secrets" in str(text.dropped)
    assert "text/html may show secrets" in str(page.dropped)
    assert [outcome.skipped is None for outcome in replay(read(FILE))] == [False, False, True]


def test_the_keys_are_masked_however_many_other_secrets_are_recorded() -> None:
    masks = Masks(SandboxConfig(api_secret_key="shop-test-server-key", management_secret_key="shop-test-management"))
    for number in range(MOST + 2):
        masks.mask(f"another-secret-{number}", "secret")
    assert masks.text("a note with shop-test-server-key in it") == "a note with MASKED-server-1 in it"
    assert masks.text("a note with shop-test-management in it") == "a note with MASKED-management-1 in it"
    assert masks.authorization(f"Basic {b64encode(b'shop-test-server-key:').decode()}") == "Basic MASKED-server-1"
    assert masks.mask(f"another-secret-{MOST}", "secret") == f"MASKED-secret-{MOST + 1}"


def test_an_existing_file_is_not_overwritten() -> None:
    FILE.write_text("mine")
    done = command("sandbox", "--empty", "--port", "0", "--record", str(FILE))
    assert (done.returncode, FILE.read_text()) == (2, "mine")
    assert "It was not changed" in done.stderr


def test_the_sandbox_runs_on_when_the_recording_cannot_be_written() -> None:
    code = """
        import resource, sys, requests
        from pathlib import Path
        from dlt_authsignal.sandbox import SandboxConfig, run_in_thread
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
        with run_in_thread(SandboxConfig(seed=1), record=Path("calls.jsonl")) as running:
            for _ in range(20):
                assert requests.get(running.url + "/users", timeout=30).status_code == 401
    """
    code = "\n".join(line[8:] for line in code.splitlines())
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Recording stopped: cannot write calls.jsonl" in done.stderr
    assert 0 < len(read(FILE).exchanges) < 20


def test_a_replay_of_an_unchanged_sandbox_finds_no_difference() -> None:
    def run(client: Client) -> None:
        signed_in(client)
        for path in ("/users?limit=2", "/users/ann", "/users/ann/authenticators", "/users/ann/actions", "/users/none"):
            client.get(path)
        (authenticator,) = client.get("/users/ann/authenticators").json()
        client.get("/management/action-configurations/signUp", auth=(MANAGEMENT_SECRET, ""))
        held = f"{client.running.url}/users/ann/authenticators/{authenticator['userAuthenticatorId']}"
        requests.delete(held, auth=SERVER, timeout=30)
        client.get(f"{client.running.control_url}outbox", auth=None)

    recorded(run)
    outcomes = replay(read(FILE))
    assert len(outcomes) == 14
    assert [outcome for outcome in outcomes if outcome.differences or outcome.skipped] == []


def test_forms_of_the_hosted_pages_are_replayed_with_the_codes_of_the_new_sandbox() -> None:
    def run(client: Client) -> None:
        session = requests.Session()
        about = {"email": "ann@example.com", "redirectUrl": "http://localhost:3000/done"}
        url = client.post("/users/ann/actions/signIn", about)["url"]
        base, _, token = url.partition("?token=")
        page = session.get(url, timeout=30).text
        assert "E-mail code" in page
        form = {"method": "EMAIL_OTP", "address": "ann@example.com"}
        session.post(f"{base}enrol?token={token}", data=form, timeout=30)
        for code in ("000001", client.code("ann")):
            form = {"method": "EMAIL_OTP", "page": "code", "code": code}
            answer = session.post(f"{base}verify?token={token}", data=form, timeout=30)
        assert "You are all set" in answer.text

    recorded(run, SandboxConfig(seed=None))
    outcomes = replay(read(FILE))
    assert [outcome for outcome in outcomes if outcome.differences or outcome.skipped] == []
    assert len(outcomes) == 8  # track, the first page, and three forms that lead to pages


def test_the_clock_of_a_replay_shows_the_recorded_times() -> None:
    def run(client: Client) -> int:
        token = client.post("/users/ann/actions/signUp", {})["token"]
        client.running.clock.advance(minutes=30)
        enrol = f"{client.running.url}/client/user-authenticators/sms"
        bearer = {"Authorization": f"Bearer {token}"}
        return requests.post(enrol, json={"phoneNumber": "+64211234567"}, headers=bearer, timeout=30).status_code

    assert recorded(run) == 401
    assert different(replay(read(FILE))) == []


def test_requests_that_only_the_client_can_make_are_listed_and_not_sent() -> None:
    def run(client: Client) -> None:
        signed_in(client)
        enrolled_passkey(client)
        token = client.post("/users/eve/actions/signUp", {})["token"]
        made = client.post("/client/user-authenticators/totp", {}, token)
        moment = client.running.clock.now()
        code = pyotp.TOTP(made["secret"]).at(moment)
        verified = client.post("/client/verify/totp", {"verificationCode": code}, token)
        client.post("/validate", {"token": verified["accessToken"]})

    recorded(run)
    skipped = {outcome.request: outcome.skipped for outcome in replay(read(FILE)) if outcome.skipped}
    assert skipped == {
        "POST /v1/client/user-authenticators/passkey": "only the client's own key can make its signature",
        "POST /v1/client/verify/totp": "only a page or an app showed its code to the user",
        "POST /v1/validate": "it needs the response to request 11, which was not sent",
    }


def test_a_replay_shows_where_responses_differ_now() -> None:
    recorded(lambda client: [client.get("/users?limit=2"), client.get("/users/none")])
    text = FILE.read_text("utf-8")
    FILE.write_text(
        text.replace('\\"person0@example.com\\",\\"emailV', '\\"else@example.com\\",\\"emailV').replace(
            '"status":200', '"status":404', 1
        )
    )
    done = command("sandbox", "replay", str(FILE))
    assert done.returncode == 1
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["1", "differs", "GET", "/v1/users"],
        ["status:", "was", "404,", "is", "200"],
        ["users[0].email:", "was", '"else@example.com",', "is", '"person0@example.com"'],
        ["2", "requests:", "1", "as", "recorded,", "1", "differ,", "0", "not", "sent."],
    ]
    report = json.loads(command("sandbox", "replay", "--json", str(FILE)).stdout)
    assert [len(request["differences"]) for request in report["requests"]] == [2, 0]


def test_a_recording_over_https_is_replayed_over_https(workdir: Path) -> None:
    with run_in_thread(SandboxConfig(seed=7), tls=True, record=FILE) as running:
        assert running.certificate
        running.certificate.write_authority(workdir / "ca.pem")
        client = Client(running, str(workdir / "ca.pem"))
        client.get(client.post("/users/ann/actions/signIn", {})["url"], auth=None)
    outcomes = replay(read(FILE))
    assert [(outcome.differences, outcome.skipped) for outcome in outcomes] == [((), None), ((), None)]


def test_the_recording_of_a_killed_sandbox_is_replayed() -> None:
    options = ("--port", "0", "--users", "2", "--json", "--record", str(FILE))
    with subprocess.Popen(
        [COMMAND, "sandbox", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout
        url = json.loads(run.stdout.readline())["url"]
        assert requests.get(f"{url}/users", auth=SERVER, timeout=30).status_code == 200
        run.send_signal(signal.SIGKILL)
        _, warned = run.communicate(timeout=60)
    assert "Personal" not in warned
    assert "e-mail addresses, phone numbers" in warned
    with FILE.open("a") as file:
        file.write('{"startedDateTime": "20')  # a line that was not completed
    done = command("sandbox", "replay", str(FILE))
    assert (done.returncode, done.stdout) == (0, "1 request: 1 as recorded, 0 differ, 0 not sent.\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("notes\n", "its first line is not a header"),
        ('{"log": {"_format": 99, "_config": {}}}\n', "has the form 99; this version reads 1"),
        ('{"log": {"_format": 1, "_config": {}}}\n{"request": {}}\n', "line 2: this is not a request of a recording"),
    ],
)
def test_a_file_that_is_not_a_recording_is_refused(text: str, words: str) -> None:
    FILE.write_text(text)
    with pytest.raises(RecordingUnreadable, match=words):
        read(FILE)
    with pytest.raises(RecordingUnreadable, match="No such file"):
        read(Path("missing"))


def test_a_web_socket_and_requests_that_send_webhooks_are_not_replayed() -> None:
    recorded(lambda client: requests.post(f"{client.running.control_url}webhooks/flush", timeout=30))
    recording = read(FILE)
    socket = replace(recording.exchanges[0], number=2, method="GET", url="ws://127.0.0.1:1/ws-v1-challenge", status=101)
    outcomes = replay(replace(recording, exchanges=(*recording.exchanges, socket)))
    assert [outcome.skipped for outcome in outcomes] == ["it would send webhooks", "a WebSocket"]


def test_a_recording_of_a_fixture_contains_no_key_of_it_and_is_replayed_with_its_file(workdir: Path) -> None:
    tenant = workdir / "tenant.yaml"
    keys = "keys: {apiSecretKey: shop-test-secret}\nfixedCodes: {ann@example.com: '918273'}\n"
    tenant.write_text(
        f"{keys}users: {{ann: {{email: ann@example.com, authenticators: [{{verificationMethod: PASSKEY}}]}}}}\n",
        "utf-8",
    )

    def run(client: Client) -> None:
        client.get("/users/ann/authenticators", auth=("shop-test-secret", ""))
        for path in ("fixture", "passkey?userId=ann"):
            assert client.get(f"{client.running.control_url}{path}", auth=None).status_code == 200
        fixture = f"{client.running.control_url}fixture"
        assert requests.post(fixture, json={"users": {"bob": {}}}, timeout=30).status_code == 200

    recorded(run, SandboxConfig(seed=7, fixture=Fixture.read(tenant)))
    text = FILE.read_text("utf-8")
    assert [secret for secret in ("shop-test-secret", "918273", "PRIVATE KEY") if secret in text] == []
    outcomes = replay(read(FILE), Fixture.read(tenant))
    assert different(outcomes) == []
    assert [bool(outcome.skipped) for outcome in outcomes] == [False, False, False, True]


def test_ids_and_secrets_may_change_but_have_to_fit_together() -> None:
    one, two = "5a4db0c5-0000-4000-8000-000000000001", "5a4db0c5-0000-4000-8000-000000000002"
    new, other = "7a4db0c5-0000-4000-8000-000000000001", "7a4db0c5-0000-4000-8000-000000000002"
    values = Values()
    before = {"id": one, "by": two, "url": "https://h/?token=MASKED-token-1", "at": "2026-11-02T09:00:00.100Z"}
    after = {"id": new, "by": other, "url": "https://h/?token=eyJ.a.b", "at": "2026-11-02T09:00:03.900Z"}
    assert list(values.differences(before, after)) == []
    assert values.fill(f"/users/{one}?t=MASKED-token-1") == f"/users/{new}?t=eyJ.a.b"
    assert [found.path for found in values.differences({"id": one}, {"id": other})] == ["id"]
    assert [found.path for found in values.differences({"at": before["at"]}, {"at": "2026-11-02T09:10:00Z"})] == ["at"]
    values.was_sent("name-that-the-client-chose-itself")
    chosen, changed = "name-that-the-client-chose-itself", "name-that-the-server-chose-itself"
    assert [found.path for found in values.differences({"n": chosen}, {"n": changed})] == ["n"]
    assert [found.path for found in values.differences({"a": 1, "b": [1]}, {"b": [1, 2], "c": True})] == ["a", "b", "c"]


def test_record_without_a_seed_chooses_one_and_the_clock_shows_the_present() -> None:
    options = ("--port", "0", "--users", "2", "--record", str(FILE))
    with subprocess.Popen([COMMAND, "sandbox", *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdout
        assert run.stdout.readline()
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=60)
    config = read(FILE).config
    assert config.seed is not None
    assert config.now
    assert config.now <= datetime.now(UTC)
    assert os.stat(FILE).st_size


def blocks(language: str) -> list[str]:
    page = (ROOT / "docs" / "recordings.md").read_text("utf-8")
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_the_commands_of_the_page_run_as_printed(tmp_path: Path) -> None:
    record, calls, join, replayed, _ = blocks("sh")
    options = [*record.split()[2:], "--port", "0", "--json"]
    with subprocess.Popen([COMMAND, "sandbox", *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdout
        url = json.loads(run.stdout.readline())["url"]
        for call in calls.replace("http://127.0.0.1:4443/v1", url).splitlines():
            assert subprocess.run(shlex.split(call), timeout=60, check=True, capture_output=True).stdout
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=60)
    python = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["/bin/sh", "-c", join], env=python, timeout=60, check=True)
    assert len(json.loads((tmp_path / "calls.har").read_text("utf-8"))["log"]["entries"]) == 3
    assert command(*shlex.split(replayed)[1:]).stdout == blocks("text")[0]
