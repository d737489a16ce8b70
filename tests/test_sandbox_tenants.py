"""Several tenants in one sandbox: the key decides which one responds. Each has its own region, clock and control."""

import json
import re
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pytest
import requests
from cryptography import x509
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from dlt_authsignal.errors import FixtureInvalid, OtherTenant
from dlt_authsignal.sandbox import Fixture, RunningSandbox, SandboxConfig, run_in_thread
from tests.helpers import COMMAND, ROOT, command, sync_from
from tests.tiers import deep_after

pytest_plugins = ["pytester"]

STATE = Path("shop.json")
FIXTURE = {
    "users": {"ann": {"email": "ann@shop.example"}},
    "tenants": {
        "acme": {
            "keys": {"apiSecretKey": "acme-secret"},
            "settings": {"region": "eu"},
            "clock": {"now": "2026-01-31T09:00:00Z", "frozen": True},
            "users": {"ann": {"email": "ann@acme.example"}, "ben": {}},
        },
        "globex": None,
    },
}


@pytest.fixture
def running() -> Iterator[RunningSandbox]:
    config = SandboxConfig(users=2, seed=7, tenants={"acme": {"users": 3, "region": "eu"}, "globex": {"users": 4}})
    with run_in_thread(config) as started:
        yield started


def status(one: RunningSandbox, url: str | None = None, path: str = "/users") -> int:
    return requests.get(f"{url or one.url}{path}", auth=(one.api_secret_key, ""), timeout=30).status_code


def users(one: RunningSandbox) -> list[dict[str, Any]]:
    found = requests.get(f"{one.url}/users", auth=(one.api_secret_key, ""), timeout=30).json()["users"]
    return list(found)


def listed(running: RunningSandbox) -> list[str]:
    return [one["tenantId"] for one in requests.get(f"{running.control_url}tenants", timeout=30).json()["tenants"]]


def added(running: RunningSandbox, body: Any) -> tuple[int, Any]:
    answer = requests.post(f"{running.control_url}tenants", json=body, timeout=30)
    return answer.status_code, answer.json()


def blocks(language: str) -> list[str]:
    page = (ROOT / "docs" / "sandbox-tenants.md").read_text("utf-8")
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_the_key_decides_which_tenant_responds(running: RunningSandbox) -> None:
    acme, globex = running.tenant("acme"), running.tenant("globex")
    assert [len(users(one)) for one in (running, acme, globex)] == [2, 3, 4]
    assert running.url == globex.url
    ids = [{user["userId"] for user in users(one)} for one in (running, acme, globex)]
    assert len(set.union(*ids)) == 9


def test_a_key_is_refused_in_another_region_with_the_documented_error(running: RunningSandbox) -> None:
    acme, globex = running.tenant("acme"), running.tenant("globex")
    assert acme.url == running.url.replace("/v1", "/eu/v1")
    for one, url in ((acme, running.url), (running, acme.url), (globex, acme.url)):
        answer = requests.get(f"{url}/users", auth=(one.api_secret_key, ""), timeout=30)
        assert (answer.status_code, answer.json()["errorCode"]) == (401, "unauthorized")
        assert "region base URL" in answer.json()["errorDescription"]
        management = requests.get(f"{url}/management/tenant", auth=(one.management_secret_key, ""), timeout=30)
        assert management.status_code == 401
        by_id = requests.post(f"{url}/client/challenge", json={}, auth=(one.tenant_id, ""), timeout=30)
        assert by_id.status_code == 401
        jwks = requests.get(f"{url}/client/public/{one.tenant_id}/.well-known/jwks", timeout=30)
        assert jwks.status_code == 404
    assert status(acme, running.url.replace("/v1", "/au/v1")) == 401
    assert status(acme) == status(running) == 200


def test_a_page_of_any_origin_may_call_the_client_api_of_each_region(running: RunningSandbox) -> None:
    headers = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    answer = requests.options(f"{running.tenant('acme').url}/client/challenge", headers=headers, timeout=30)
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"


def test_one_tenant_alone_may_be_in_another_region() -> None:
    with run_in_thread(SandboxConfig(region="au")) as running:
        assert urlsplit(running.url).path == "/au/v1"
        assert (status(running), status(running, running.url.replace("/au", ""))) == (200, 401)
        assert requests.get(running.control_url, timeout=30).ok


def socket_of(url: str, protocol: str) -> ClientConnection:
    """The WebSocket that the browser SDK opens, at the URL that it derives from its base URL."""
    url = url.replace("http://", "ws://").replace("v1", "ws-v1-challenge")
    return connect(url, subprotocols=[Subprotocol("authsignal-ws"), Subprotocol(protocol)], open_timeout=30)


def test_a_web_socket_is_that_of_its_tenant(running: RunningSandbox) -> None:
    acme = running.tenant("acme")
    with socket_of(acme.url, "x.authsignal.tenant.acme") as browser:
        browser.send(
            json.dumps({"type": "CREATE_CHALLENGE", "data": {"challengeType": "QR_CODE", "actionCode": "kiosk"}})
        )
        challenge_id = json.loads(browser.recv(timeout=30))["data"]["challengeId"]
    assert [challenge_id in [one.challenge_id for one in each.sandbox.challenges] for each in running.tenants()] == [
        False,
        True,
        False,
    ]
    for url, protocol in ((running.url, "acme"), (acme.url, "globex"), (acme.url, running.tenant_id)):
        with pytest.raises(InvalidStatus), socket_of(url, f"x.authsignal.tenant.{protocol}"):
            pass


def test_the_hosted_pages_are_those_of_the_tokens_tenant(running: RunningSandbox) -> None:
    acme = running.tenant("acme")
    theme, name = {"primaryColor": "#123456"}, {"name": "Acme"}
    for path, body in (("/management/theme", theme), ("/management/tenant", name)):
        requests.patch(f"{acme.url}{path}", json=body, auth=(acme.management_secret_key, ""), timeout=30)
    body = {"email": "zoe@acme.example"}
    answer = requests.post(
        f"{acme.url}/users/zoe/actions/signIn", json=body, auth=(acme.api_secret_key, ""), timeout=30
    )
    page = requests.get(answer.json()["url"], timeout=30)
    assert page.status_code == 200
    assert "Acme</title>" in page.text
    assert 'data-client="/eu/v1/client"' in page.text
    (sheet,) = re.findall(r'href="(/hosted/theme\.css[^"]*)"', page.text)
    assert "#123456" in requests.get(f"{running.url.removesuffix('/v1')}{sheet}", timeout=30).text
    assert "#123456" not in requests.get(f"{running.url.removesuffix('/v1')}/hosted/theme.css", timeout=30).text
    started = requests.post(
        answer.json()["url"].replace("/?", "/enrol?"),
        data={"method": "EMAIL_OTP", "address": body["email"]},
        timeout=60,
    )
    assert started.status_code == 200
    assert f'href="{urlsplit(acme.control_url).path}#outbox"' in started.text
    assert [acme.outbox.last("zoe@acme.example") is not None, running.outbox.last("zoe@acme.example")] == [True, None]


def test_each_tenant_has_its_own_clock_and_control_routes(running: RunningSandbox) -> None:
    acme, globex = running.tenant("acme"), running.tenant("globex")
    now = globex.clock.now()
    requests.post(f"{acme.control_url}clock/advance", json={"days": 30}, timeout=30)
    assert acme.clock.now() - globex.clock.now() > timedelta(days=29)
    assert globex.clock.now() - now < timedelta(days=1)
    requests.post(
        f"{acme.control_url}faults", json={"route": "GET /users", "kind": "status", "status": 503}, timeout=30
    )
    assert [status(globex), status(running), status(acme), status(acme)] == [200, 200, 503, 200]
    requests.post(f"{acme.control_url}reset", timeout=30)
    assert [len(users(one)) for one in (running, acme, globex)] == [2, 0, 4]
    page = requests.get(acme.control_url, headers={"Accept": "text/html"}, timeout=30)
    assert page.headers["content-type"].startswith("text/html")


def test_a_tenant_can_be_addressed_by_its_id_also_if_it_is_the_first(running: RunningSandbox) -> None:
    by_id = f"{running.control_url}tenants/{running.tenant_id}/"
    assert requests.get(by_id, timeout=30).json()["tenantId"] == running.tenant_id
    requests.post(f"{by_id}reset", timeout=30)
    assert users(running) == []


def test_tenants_are_added_and_removed_while_the_sandbox_runs(running: RunningSandbox) -> None:
    code, late = added(running, {"tenantId": "late", "region": "ca", "fixture": {"users": {"eve": {}}}})
    assert (code, late["url"]) == (200, running.url.replace("/v1", "/ca/v1"))
    assert late["apiSecretKey"] == "late-server-secret"
    assert [user["userId"] for user in users(running.tenant("late"))] == ["eve"]
    assert listed(running) == [running.tenant_id, "acme", "globex", "late"]
    one = running.tenant("late")
    requests.delete(late["controlUrl"].rstrip("/"), timeout=30)
    assert listed(running) == [running.tenant_id, "acme", "globex"]
    assert status(one) == 401
    assert requests.get(late["controlUrl"], timeout=30).status_code == 404
    again = running.add_tenant("late", users=1)
    assert (len(users(again)), again.outbox.last("x")) == (1, None)
    running.remove_tenant("late")
    with pytest.raises(ValueError, match="No tenant has the id"):
        running.tenant("late")


def test_a_tenant_is_described_at_its_id_and_the_list_with_or_without_a_slash(running: RunningSandbox) -> None:
    tenants = requests.get(f"{running.control_url}tenants/", timeout=30).json()["tenants"]
    acme = requests.get(f"{running.control_url}tenants/acme", timeout=30).json()
    assert {**acme, "now": None} == {**tenants[1], "now": None}


def test_the_host_of_a_tenants_pages_is_answered() -> None:
    with run_in_thread(SandboxConfig(tenants={"acme": {"pages_url": "http://acme.test:80"}})) as running:
        for host, expected in (("acme.test", 200), ("other.test", 403)):
            assert requests.get(running.control_url, headers={"Host": host}, timeout=60).status_code == expected


def test_keys_that_were_chosen_are_not_listed(running: RunningSandbox) -> None:
    secret = "a-key-of-mine"
    code, late = added(running, {"tenantId": "late", "apiSecretKey": secret})
    assert (code, late["apiSecretKey"], late["managementSecretKey"]) == (200, None, "late-management-secret")
    assert secret not in requests.get(f"{running.control_url}tenants", timeout=30).text
    assert requests.get(f"{running.url}/users", auth=(secret, ""), timeout=30).json()["users"] == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "missing required field `tenantId`"),
        ([], "Expected `object`"),
        ({"tenantId": 5}, "Expected `str`"),
        ({"tenantId": ""}, "1 to 64 letters"),
        ({"tenantId": "a/b"}, "1 to 64 letters"),
        ({"tenantId": ".."}, "1 to 64 letters"),
        ({"tenantId": "a" * 65}, "1 to 64 letters"),
        ({"tenantId": "acme\n"}, "1 to 64 letters"),
        ({"tenantId": "acme"}, 'already has a tenant "acme"'),
        ({"tenantId": "ACME"}, 'already has a tenant "acme"'),
        ({"tenantId": "x", "apiSecretKey": "acme-server-secret"}, "same apiSecretKey"),
        ({"tenantId": "x", "managementSecretKey": "sandbox-management-secret"}, "same managementSecretKey"),
        ({"tenantId": "x", "apiSecretKey": ""}, "length >= 1"),
        ({"tenantId": "x", "region": "mars"}, "mars"),
        ({"tenantId": "x", "users": -1}, ">= 0"),
        ({"tenantId": "x", "users": 2_000_000}, "<= 1000000"),
        ({"tenantId": "x", "users": True}, "Expected `int`"),
        ({"tenantId": "x", "seed": 1e400}, "valid JSON"),
        ({"tenantId": "x", "listing": "refused"}, "unknown field `listing`"),
        ({"tenantId": "x", "fixture": {"users": {"ann": {"emial": "a"}}}}, 'Did you mean "email"?'),
        ({"tenantId": "x", "fixture": {"keys": {"tenantId": "acme"}}}, "id of another tenant"),
        ({"tenantId": "x", "fixture": {"keys": {"apiSecretKey": "acme-server-secret"}}}, "same apiSecretKey"),
        ({"tenantId": "x", "fixture": {"tenants": {"y": {}}}}, "has tenants itself"),
        ({"tenantId": "x", "fixture": {"webhooks": {"logEventsUrl": "http://example.com/"}}}, "not on this machine"),
    ],
)
def test_an_invalid_tenant_is_refused_and_nothing_is_added(running: RunningSandbox, body: Any, words: str) -> None:
    answer = requests.post(f"{running.control_url}tenants", data=json.dumps(body), timeout=30)
    assert (answer.status_code, answer.json().keys()) == (400, {"error"})
    assert words in answer.json()["error"]
    assert "server-secret" not in answer.text
    assert listed(running) == [running.tenant_id, "acme", "globex"]


@pytest.mark.parametrize("name", ["nobody", "..", "%2e%2e", "acme%2f..", "acme%00", "%ff", "é", "a" * 5000])
@pytest.mark.parametrize("rest", ["", "/", "/reset"])
def test_a_tenant_that_does_not_exist_is_not_found(running: RunningSandbox, name: str, rest: str) -> None:
    address = urlsplit(running.url)
    for method in ("DELETE", "POST"):
        raw = f"{method} /_sandbox/tenants/{name}{rest} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        first = answered(address.port or 0, raw.encode())
        assert first in ("HTTP/1.1 404 Not Found", "HTTP/1.1 405 Method Not Allowed", "HTTP/1.1 400 Bad Request"), first
    assert listed(running) == [running.tenant_id, "acme", "globex"]
    assert [len(users(one)) for one in running.tenants()] == [2, 3, 4]


def answered(port: int, raw: bytes) -> str:
    """The status line of the answer to bytes that no client library would send."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(raw)
        return connection.makefile("rb").readline().decode().rstrip()


def test_the_first_tenant_stays(running: RunningSandbox) -> None:
    answer = requests.delete(f"{running.control_url}tenants/{running.tenant_id}", timeout=30)
    assert (answer.status_code, "is the first tenant" in answer.json()["error"]) == (400, True)
    assert len(users(running)) == 2


def test_a_page_of_another_site_cannot_list_add_or_remove_tenants(running: RunningSandbox) -> None:
    foreign = {"Origin": "http://evil.example"}
    url = f"{running.control_url}tenants"
    answers = [
        requests.get(url, headers=foreign, timeout=30),
        requests.post(url, json={"tenantId": "evil"}, headers=foreign, timeout=30),
        requests.delete(f"{url}/acme", headers=foreign, timeout=30),
        requests.post(f"{url}/acme/reset", headers=foreign, timeout=30),
    ]
    assert [answer.status_code for answer in answers] == [403] * 4
    assert listed(running) == [running.tenant_id, "acme", "globex"]
    assert len(users(running.tenant("acme"))) == 3


def test_a_tenant_cannot_take_the_keys_of_another_by_a_fixture_or_a_snapshot(running: RunningSandbox) -> None:
    acme, globex = running.tenant("acme"), running.tenant("globex")
    stolen = requests.get(f"{globex.control_url}fixture", timeout=30).json()
    answer = requests.post(f"{acme.control_url}fixture", json=stolen, timeout=30)
    assert (answer.status_code, "cannot get another id" in answer.json()["error"]) == (400, True)
    for keys in ({"apiSecretKey": globex.api_secret_key}, {"managementSecretKey": globex.management_secret_key}):
        answer = requests.post(f"{acme.control_url}fixture", json={"keys": keys}, timeout=30)
        assert (answer.status_code, "have the same" in answer.json()["error"]) == (400, True)
        assert globex.api_secret_key not in answer.text
    acme.snapshot("first key")
    acme.load(Fixture.of({"keys": {"apiSecretKey": "second key"}}))
    running.add_tenant("late", api_secret_key="acme-server-secret")
    answer = requests.post(f"{acme.control_url}restore", json={"name": "first key"}, timeout=30)
    assert (answer.status_code, "have the same" in answer.json()["error"]) == (400, True)
    assert acme.api_secret_key == "second key"
    answer = requests.post(f"{acme.control_url}fixture", json={"tenants": {"evil": {}}}, timeout=30)
    assert (answer.status_code, "POST /_sandbox/tenants" in answer.json()["error"]) == (400, True)


def test_the_number_of_tenants_is_bounded() -> None:
    with pytest.raises(ValueError, match="from 1 to 100"):
        SandboxConfig(tenants=101)
    with run_in_thread(SandboxConfig(tenants=100)) as running:
        code, answer = added(running, {"tenantId": "one-more"})
        assert (code, "already 100 tenants" in answer["error"]) == (400, True)
        assert status(running.tenant("tenant-100")) == 200


@pytest.mark.parametrize(
    ("tenants", "words"),
    [
        (0, "from 1 to 100"),
        (True, "from 1 to 100"),
        ("acme", "from 1 to 100"),
        ({"acme": 5}, "must be a mapping of fields"),
        ({"acme": {"usres": 5}}, 'unknown field "usres"'),
        ({"acme": {"tenant_id": "x"}}, 'unknown field "tenant_id"'),
        ({"acme": {"fixture": {"users": {}}}}, "must be a Fixture"),
        ({"acme": {"users": -5}}, r'tenants\["acme"\]: users must be'),
        ({"acme": {"region": "mars"}}, "region must be one of us, au, eu, ca"),
        ({"a b": {}}, "1 to 64 letters"),
        ({5: {}}, "1 to 64 letters"),
        ({"acme": {}, "Acme": {}}, "already has a tenant"),
        ({"acme": {"api_secret_key": "sandbox-server-secret"}}, "same apiSecretKey"),
    ],
)
def test_wrong_tenants_of_a_configuration_are_refused(tenants: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SandboxConfig(tenants=tenants)


def test_a_fixture_describes_tenants() -> None:
    with run_in_thread(SandboxConfig(fixture=Fixture.of(FIXTURE))) as running:
        acme, globex = running.tenant("acme"), running.tenant("globex")
        assert [user["email"] for user in (users(running)[0], users(acme)[0])] == [
            "ann@shop.example",
            "ann@acme.example",
        ]
        assert (acme.api_secret_key, globex.api_secret_key) == ("acme-secret", "globex-server-secret")
        assert f"{acme.clock.now():%Y-%m-%d}" == "2026-01-31"
        assert urlsplit(acme.url).path == "/eu/v1"
        assert users(globex) == []


def test_the_same_fixture_gives_two_tenants_other_ids_and_keys() -> None:
    person = {"users": {"ann": {"authenticators": [{"verificationMethod": "PASSKEY"}]}}}
    one = Fixture.of(person)
    with run_in_thread(SandboxConfig(fixture=one, tenants={"a": {"fixture": one}, "b": {"fixture": one}})) as running:
        held = [each.sandbox.store.authenticators("ann")[0] for each in running.tenants()]
    assert len({value.user_authenticator_id for value in held}) == 3
    assert len({value.credential.private_key for value in held if value.credential}) == 3


def test_errors_of_a_fixture_name_the_tenant_and_the_line() -> None:
    text = "tenants:\n  acme:\n    users:\n      ann: {emial: a}\n"
    with pytest.raises(FixtureInvalid, match=r'line 4: tenants\.acme\.users\.ann\.emial .*Did you mean "email"'):
        Fixture.from_text(text, "shop.yaml")
    for wrong, words in (
        ("tenants:\n  acme: 5\n", r"line 2: tenants\.acme must be a mapping"),
        ("tenants: [acme]\n", r"line 1: tenants must be a mapping"),
        ("tenants:\n  acme:\n    tenants: {b: {}}\n", "cannot have tenants itself"),
        ("tenants:\n  acme: {version: 99}\n", "has version 99"),
    ):
        with pytest.raises(FixtureInvalid, match=words):
            Fixture.from_text(wrong, "shop.yaml")


def test_a_state_file_keeps_all_tenants_with_their_snapshots() -> None:
    with run_in_thread(SandboxConfig(fixture=Fixture.of(FIXTURE)), state=STATE) as running:
        acme = running.tenant("acme")
        answer = requests.post(
            f"{acme.url}/users/ben/actions/signIn", json={}, auth=(acme.api_secret_key, ""), timeout=30
        ).json()
        running.add_tenant("late", users=2)
        running.remove_tenant("globex")
        acme.snapshot("kept")
        running.snapshot("kept")
        assert acme.snapshots() == running.snapshots() == ["kept"]
    assert Path("shop.json.snapshots/@acme/kept.json").exists()
    with run_in_thread(SandboxConfig(tenants=5), state=STATE) as running:
        assert listed(running) == [running.tenant_id, "acme", "late"]
        acme = running.tenant("acme")
        assert (acme.url, acme.clock.is_frozen) == (running.url.replace("/v1", "/eu/v1"), True)
        body = {"token": answer["token"]}
        valid = requests.post(f"{acme.url}/validate", json=body, auth=("acme-secret", ""), timeout=30)
        assert valid.json()["userId"] == "ben"
        requests.post(f"{acme.control_url}reset", timeout=30)
        requests.post(f"{acme.control_url}restore", json={"name": "kept"}, timeout=30)
        assert len(users(acme)) == 2
        saved = requests.post(f"{acme.control_url}state/save", timeout=30).json()
        assert saved == {"saved": str(STATE)}
        assert list(json.loads(STATE.read_text("utf-8"))["tenants"]) == ["acme", "late"]


def test_several_tenants_are_not_recorded_and_a_recorded_sandbox_gets_no_others(tmp_path: Path) -> None:
    file = tmp_path / "calls.har"
    with (
        pytest.raises(ValueError, match="a recording is of one tenant"),
        run_in_thread(SandboxConfig(tenants=2), record=file),
    ):
        pass
    assert not file.exists()
    with run_in_thread(record=file) as running:
        code, answer = added(running, {"tenantId": "late"})
        assert (code, "This sandbox is recorded" in answer["error"]) == (400, True)


def test_the_certificate_covers_the_domains_of_all_tenants() -> None:
    config = SandboxConfig(tenants={"acme": {"relying_party": "acme.test", "region": "eu"}})
    with run_in_thread(config, tls=True) as running:
        assert running.certificate
        acme = running.tenant("acme")
        assert acme.url.startswith("https://")
        Path("ca.pem").write_bytes(running.certificate.authority)
        answer = requests.get(f"{acme.url}/users", auth=(acme.api_secret_key, ""), verify="ca.pem", timeout=30)
        assert answer.json()["users"] == []
        assert "acme.test" in names_of(urlsplit(acme.url).port or 0)


def names_of(port: int) -> list[str]:
    """The names in the certificate that a server shows."""
    found = x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", port)).encode())
    return found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)


@contextmanager
def commanded(*options: str) -> Iterator[dict[str, Any]]:
    """What a running command prints with --json."""
    arguments = [COMMAND, "sandbox", "--port", "0", "--json", *options]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def test_the_command_starts_several_tenants_and_prints_their_keys() -> None:
    with commanded("--tenants", "3", "--users", "2", "--seed", "7") as printed:
        assert [one["tenantId"] for one in printed["tenants"]] == [printed["tenantId"], "tenant-2", "tenant-3"]
        found = [
            requests.get(f"{one['url']}/users", auth=(one["apiSecretKey"], ""), timeout=30).json()["users"]
            for one in printed["tenants"]
        ]
        assert len({user["userId"] for each in found for user in each}) == 6
        assert [requests.get(one["controlUrl"], timeout=30).json()["tenantId"] for one in printed["tenants"]] == [
            one["tenantId"] for one in printed["tenants"]
        ]


@pytest.mark.parametrize(
    ("options", "words"),
    deep_after(
        1,
        [
            (["--tenants", "2", "--record", "calls.har"], "a recording is of one tenant"),
            (["--tenants", "0"], "1<=x<=100"),
            (["--tenants", "two"], "not a valid integer"),
            (["--tenants", "2", "--secret", "tenant-2-server-secret"], "have the same apiSecretKey"),
            (["--tenants", "2", "--tenant-id", "Tenant-2"], "already has a tenant"),
        ],
    ),
)
def test_the_command_refuses_wrong_options_of_tenants(options: list[str], words: str) -> None:
    done = command("sandbox", "--port", "0", *options)
    assert (done.returncode != 0, words in done.stderr) == (True, True), done.stderr
    assert "Traceback" not in done.stderr


def stored_in(project: str, query: str) -> list[tuple[Any, ...]]:
    """Rows of a query of a project's dataset."""
    with duckdb.connect(f"{project}.duckdb", read_only=True) as connection:
        connection.execute(f"set search_path = '{project}_data'")
        return connection.execute(query).fetchall()


def test_two_projects_load_two_tenants_of_one_sandbox_and_a_swapped_key_is_refused(running: RunningSandbox) -> None:
    acme, globex = running.tenant("acme"), running.tenant("globex")
    loaded = {"acme": acme, "globex": globex}
    for name, one in loaded.items():
        sync_from(one, api_secret_key=one.api_secret_key, pipeline_name=name, dataset=f"{name}_data")
    for name, one in loaded.items():
        stored = stored_in(name, "select user_id from users")
        assert {user_id for (user_id,) in stored} == {user["userId"] for user in users(one)}
    with pytest.raises(OtherTenant, match="--accept-new-key"):
        sync_from(globex, api_secret_key=globex.api_secret_key, pipeline_name="acme", dataset="acme_data")
    assert stored_in("acme", "select count(*), count(deleted_at) from users") == [(3, 0)]


def test_the_marker_of_pytest_describes_tenants(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        TENANTS = {"acme": {"fixture": {"users": {"ann": {}}}}, "globex": {"region": "eu"}}

        @pytest.mark.authsignal_sandbox(tenants=TENANTS)
        def test_served(authsignal_sandbox):
            assert authsignal_sandbox.tenant("acme").fixture()["users"].keys() == {"ann"}
            assert authsignal_sandbox.tenant("globex").url.endswith("/eu/v1")

        @pytest.mark.authsignal_sandbox(tenants=2)
        def test_app(authsignal_app):
            assert authsignal_app.state.tenants.get("tenant-2").config.tenant_id == "tenant-2"

        @pytest.mark.authsignal_sandbox(tenants={"acme": {"usres": 1}})
        def test_wrong(authsignal_sandbox):
            pass
    """)
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    done.assert_outcomes(passed=2, errors=1)
    done.stdout.fnmatch_lines(['*unknown field "usres"*'])


def test_the_example_of_the_page_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = [block for block in blocks("python") if "run_in_thread" in block]
    exec(compile(code, "sandbox-tenants.md", "exec"), {})  # noqa: S102
    printed = re.sub(r"\d{4,5}/", "", capsys.readouterr().out).splitlines()
    assert printed == [f"{SandboxConfig.tenant_id} v1 2", "acme eu/v1 5", "globex v1 2", "unauthorized"]


def test_the_fixture_of_the_page_starts_a_sandbox() -> None:
    with run_in_thread(SandboxConfig(fixture=Fixture.from_text(blocks("yaml")[0], "shop.yaml"))) as running:
        assert [one.tenant_id for one in running.tenants()][1:] == ["acme", "globex"]
        assert users(running.tenant("acme"))[0]["email"] == "ann@acme.example"
