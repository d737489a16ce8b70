"""The sandbox answers for its own hosts only, and sends webhooks to this machine only."""

import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp.resolver import ThreadedResolver
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.core.hosts import host_of
from tests.helpers import COMMAND, MANAGEMENT_SECRET, SECRET, ask, command
from tests.tiers import deep_after, deep_except

EVERY_INTERFACE = "0.0.0.0"  # noqa: S104 - the test is about it
DEFAULT_KEY = f"Authorization: {basic_auth(SECRET)}"


def raw(running: RunningSandbox, *lines: str, at: str | None = None) -> tuple[int, str]:
    """Status and text of the response to a request that is written byte for byte."""
    parts = urlsplit(running.url)
    with socket.create_connection((at or parts.hostname or "", parts.port or 0), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(received.split()[1]), received.partition(b"\r\n\r\n")[2].decode()


def get(running: RunningSandbox, host: str, path: str = "/_sandbox/") -> tuple[int, str]:
    return raw(running, f"GET {path} HTTP/1.1", f"Host: {host}")


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    """One tenant for all: no request of another host may change it."""
    with run_in_thread(SandboxConfig(seed=1, users=3, allowed_hosts=("Sandbox.Test.", "10.1.2.3"))) as sandbox:
        yield sandbox


OWN = [
    "localhost",
    "[::1]:4443",
    "127.0.0.1:4443",
    "LOCALHOST:9999",
    "localhost.",
    "localhost:",
    "app.localhost",
    "127.8.9.1",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "sandbox.test",
    "SANDBOX.test.:80",
    "10.1.2.3:4443",
]


@pytest.mark.parametrize("host", deep_after(2, OWN))
def test_requests_for_this_machine_and_for_allowed_hosts_are_answered(running: RunningSandbox, host: str) -> None:
    assert get(running, host)[0] == 200


OTHERS = [
    "evil.example",
    "evil.example:4443",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "notlocalhost",
    "localhost-evil",
    "sandbox.test.evil.example",
    "10.1.2.4",
    "192.168.0.1:4443",
    "0.0.0.0:4443",
    "[::]",
    "[fe80::1]",
    "[::ffff:10.0.0.1]",
    "2130706433",
    "0x7f.0.0.1",
]


@pytest.mark.parametrize("host", deep_after(3, OTHERS))
@pytest.mark.parametrize("path", ["/_sandbox/", "/v1/users", "/openapi.json", "/"])
def test_requests_for_another_host_are_refused_on_every_route(running: RunningSandbox, host: str, path: str) -> None:
    status, text = raw(running, f"GET {path} HTTP/1.1", f"Host: {host}", DEFAULT_KEY)
    answer = json.loads(text)
    assert (status, answer["errorCode"]) == (403, "unknown_host")
    assert f"--allow-host {host_of(host)} " in answer["errorDescription"]


def test_a_page_whose_name_was_given_the_address_of_the_sandbox_cannot_control_it(running: RunningSandbox) -> None:
    own = ["Host: evil.example", "Origin: http://evil.example", "Content-Length: 0"]
    assert raw(running, "POST /_sandbox/reset HTTP/1.1", *own)[0] == 403
    assert running.sandbox.store.counts()["users"] == 3
    assert running.requests()["last"][-1]["status"] == 403


INVALID = [
    [],
    ["Host:"],
    ["Host: localhost", "Host: evil.example"],
    ["Host: localhost:port"],
    ["Host: localhost:99999"],
    ["Host: ::1"],
    ["Host: [::1"],
    ["Host: user@localhost"],
    ["Host: localhost/x"],
    ["Host: local host"],
    ["Host: locälhost"],
    ["Host: *"],
    ["Host: ."],
    ["Host: " + "a" * 300],
]


@pytest.mark.parametrize("lines", deep_after(3, INVALID))
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_missing_or_malformed_host_is_refused(running: RunningSandbox, lines: list[str], version: str) -> None:
    assert raw(running, f"GET /_sandbox/ HTTP/{version}", *lines)[0] == 400


def test_a_request_target_that_is_a_whole_url_decides_instead_of_the_host_header(running: RunningSandbox) -> None:
    """RFC 9112, section 3.2.2."""
    assert raw(running, "GET http://evil.example/_sandbox/ HTTP/1.1", "Host: localhost")[0] == 403
    assert raw(running, "GET http://localhost:4443/_sandbox/ HTTP/1.1", "Host: evil.example")[0] == 200
    assert (
        raw(running, "GET http://localhost/v1/users?limit=1 HTTP/1.1", "Host: x", DEFAULT_KEY)[1].count("userId") == 1
    )


@pytest.mark.parametrize("header", ["X-Forwarded-Host", "X-Host", "Forwarded", "X-Original-Host"])
def test_headers_of_proxies_do_not_replace_the_host(running: RunningSandbox, header: str) -> None:
    value = "host=localhost" if header == "Forwarded" else "localhost"
    assert raw(running, "GET /_sandbox/ HTTP/1.1", "Host: evil.example", f"{header}: {value}")[0] == 403
    evil = value.replace("localhost", "evil.example")
    assert raw(running, "GET /_sandbox/ HTTP/1.1", "Host: localhost", f"{header}: {evil}")[0] == 200


def test_on_every_interface_the_address_that_was_connected_to_is_answered() -> None:
    with run_in_thread(SandboxConfig(), host=EVERY_INTERFACE) as running:
        assert running.url.startswith("http://127.0.0.1:")
        assert get(running, EVERY_INTERFACE)[0] == get(running, "127.0.0.1")[0] == 200
        assert get(running, "192.0.2.1")[0] == get(running, "evil.example")[0] == 403


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("host", ["::1", "::"])
def test_the_sandbox_listens_on_ipv6(host: str) -> None:
    with run_in_thread(SandboxConfig(), host=host) as running:
        assert ask(running, "GET", "/users")[0] == 200
        assert raw(running, "GET /_sandbox/ HTTP/1.1", "Host: [::1]", at="::1")[0] == 200
        assert raw(running, "GET /_sandbox/ HTTP/1.1", "Host: [fe80::2]", at="::1")[0] == 403


@pytest.mark.parametrize("option", ["--allow-host", "--allow-webhooks-to"])
@pytest.mark.parametrize("value", deep_after(1, ["http://a.example", "a.example:80", "*", "", "a b", "a/b"]))
def test_the_command_refuses_an_invalid_host(option: str, value: str) -> None:
    done = command("sandbox", option, value)
    assert done.returncode == 2
    said = f'"{value}" is not a host name or an IP address' if value else "it is empty"
    assert option in done.stderr
    assert said in done.stderr


@pytest.mark.parametrize(
    ("host", "is_reachable"),
    deep_except(
        [(EVERY_INTERFACE, True), ("127.0.0.1", False)],
        [(EVERY_INTERFACE, True), ("::", True), ("127.0.0.1", False), ("localhost", False)],
    ),
)
def test_the_command_warns_if_other_machines_can_reach_the_sandbox(host: str, is_reachable: bool) -> None:
    if host == "::" and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    arguments = [COMMAND, "sandbox", "--empty", "--json", "--port", "0", "--host", host]
    started = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert started.stdout
    try:
        url = json.loads(started.stdout.readline())["url"]
        assert re.match(r"http://127\.0\.0\.1:\d+/v1$", url)
    finally:
        started.send_signal(signal.SIGINT)
        _, errors = started.communicate(timeout=60)
    assert (f"Warning: with --host {host}, other machines can reach this sandbox." in errors) is is_reachable


# Webhooks

ELSEWHERE = [
    "http://example.com/hook",
    "https://10.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fe80::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://localhost@example.com/",
    "http://localhost.example.com/",
    "http://0.0.0.0:8000/",
    "http://2130706433/",
    "http://127.1/",
]


@pytest.mark.parametrize("url", deep_after(2, ELSEWHERE))
def test_a_webhook_url_on_another_host_is_refused_and_changes_nothing(empty: RunningSandbox, url: str) -> None:
    before = ask(empty, "GET", "/_sandbox/webhooks")[1]
    for change in (
        {"log_events_url": url},
        {"authenticator_events_url": url},
        {"provider_urls": {"SMS": url}},
        {"verification_urls": {"signIn": url}},
    ):
        status, answer, _ = ask(empty, "POST", "/_sandbox/webhooks", change)
        assert (status, "--allow-webhooks-to" in answer["error"]) == (400, True)
    assert ask(empty, "GET", "/_sandbox/webhooks")[1] == before
    tenant = empty.sandbox.tenant
    sms = next(key for key, value in tenant.methods.items() if value["verificationMethod"] == "SMS")
    for path, field in (
        ("action-configurations/signIn", "verificationWebhookUrl"),
        (f"authenticator-configurations/{sms}", "webhookUrl"),
    ):
        status, answer, _ = ask(empty, "PATCH", f"/management/{path}", {field: url}, auth=basic_auth(MANAGEMENT_SECRET))
        assert (status, "--allow-webhooks-to" in answer["errorDescription"]) == (400, True)
    assert empty.sandbox.tenant == tenant


@pytest.mark.parametrize("url", ["http://receiver.test:8000/", "https://RECEIVER.test./x", "http://10.0.0.9/"])
def test_a_webhook_url_on_an_allowed_host_is_accepted(url: str) -> None:
    with run_in_thread(SandboxConfig(allowed_webhook_hosts=("Receiver.test", "10.0.0.9"))) as running:
        assert ask(running, "POST", "/_sandbox/webhooks", {"log_events_url": url})[0] == 200


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["fe80::1", "192.0.2.1"]])
def test_a_local_name_that_leads_to_another_machine_gets_no_webhook(
    empty: RunningSandbox, monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    """The name service of the machine is the only thing that is replaced here."""

    async def resolved(_self: Any, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
        return [
            {"hostname": host, "host": address, "port": port, "family": family, "proto": 0, "flags": 0}
            for address in addresses
        ]

    monkeypatch.setattr(ThreadedResolver, "resolve", resolved)
    empty.sandbox.webhooks.configure(provider_urls={"SMS": "http://receiver.localhost:1/"})
    body = {"verificationMethod": "SMS", "action": "signIn", "phoneNumber": "+64211234567"}
    assert ask(empty, "POST", "/challenge", body)[0] == 400
    delivery = empty.sandbox.webhooks.deliveries[-1]
    assert (delivery.status, delivery.failure) == (None, "AnotherHost")


def opened(running: RunningSandbox, host: str) -> ClientConnection:
    """A WebSocket to the sandbox whose request is for another host."""
    parts = urlsplit(running.url)
    protocols = ["authsignal-ws", f"x.authsignal.tenant.{running.sandbox.config.tenant_id}"]
    return connect(
        f"ws://{host}/ws-v1-challenge",
        sock=socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30),
        subprotocols=[Subprotocol(name) for name in protocols],
        open_timeout=30,
    )


def test_a_web_socket_for_another_host_is_refused(running: RunningSandbox) -> None:
    with pytest.raises(InvalidStatus) as refusal, opened(running, "evil.example"):
        pass
    assert refusal.value.response.status_code == 403
    with opened(running, "localhost") as browser:
        assert browser.subprotocol == "authsignal-ws"
