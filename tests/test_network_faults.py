"""Faults between this machine and Authsignal: each message says which setting or variable to change."""

import asyncio
import inspect
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from yarl import URL

from dlt_authsignal.api.server_endpoints import GET_TENANT_AUTHENTICATORS
from dlt_authsignal.errors import ConfigurationError, HttpError, UnexpectedAnswer, Unreachable
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.http import tls as trust
from dlt_authsignal.source.http.client import connect
from dlt_authsignal.source.http.connection_faults import Fault, explained
from dlt_authsignal.source.http.proxy import proxy_for
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from tests.tls import AUTHORITY, answering, certificate, raw, served, tunnel

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
ELSEWHERE = "authsignal.test"
"""A host that is not this machine, so that a proxy is used for it."""


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (*PROXIES, *trust.FILES, "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    trust._handshake.cache_clear()
    yield
    trust._handshake.cache_clear()


def asked(address: str, timeout: float = 5.0) -> tuple[Any, RunMetrics]:
    """The JSON of one request, and the counters of the run."""
    metrics = RunMetrics()
    limits = RequestLimits(rate=None, attempts=2, backoff=0.01, timeout=timeout)

    async def ask() -> Any:
        async with connect(URL(address), {"server": "Basic x"}, RateLimiter(pace=limits), metrics) as api:
            return await api.get(GET_TENANT_AUTHENTICATORS, list)

    return asyncio.run(ask()), metrics


def refused(address: str, timeout: float = 5.0) -> str:
    with pytest.raises(HttpError) as raised:
        asked(address, timeout)
    assert "Nothing was loaded" in str(raised.value) or not isinstance(raised.value, Unreachable)
    if isinstance(raised.value, Unreachable):  # aiohttp's exceptions contain URLs and headers
        assert raised.value.__cause__ is None
        assert raised.value.__context__ is None
    return str(raised.value)


# Certificates


def test_an_untrusted_certificate_is_reported_with_its_issuer_and_the_variables_that_add_one(workdir: Path) -> None:
    _, chain = certificate(workdir)
    with served(answering(b"[]"), chain) as port:
        said = refused(f"https://localhost:{port}/v1")
    assert f"its certificate is not trusted (issued by {AUTHORITY})" in said
    assert "SSL_CERT_FILE or REQUESTS_CA_BUNDLE" in said


@pytest.mark.parametrize("variable", trust.FILES)
def test_certificates_of_the_environment_are_trusted(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    trusted, chain = certificate(workdir)
    monkeypatch.setenv(variable, str(trusted))
    with served(answering(b"[]"), chain) as port:
        assert asked(f"https://localhost:{port}/v1")[0] == []


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_certificate_file_that_cannot_be_used_is_reported_with_its_variable(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    if content:
        Path("mine.pem").write_bytes(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "mine.pem")
    with pytest.raises(ConfigurationError, match=r"REQUESTS_CA_BUNDLE .*mine\.pem"):
        asked("https://localhost:1/v1")


@pytest.mark.parametrize(
    ("about", "reason"),
    [({"days": -1}, "its certificate has expired"), ({"host": "other.example"}, "is for a host name other than")],
)
def test_an_unsuitable_certificate_is_reported_with_its_fault(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, about: dict[str, Any], reason: str
) -> None:
    trusted, chain = certificate(workdir, **about)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with served(answering(b"[]"), chain) as port:
        assert reason in refused(f"https://localhost:{port}/v1")


def test_a_fault_of_a_certificate_is_not_retried(workdir: Path) -> None:
    _, chain = certificate(workdir)
    with served(answering(b"[]"), chain) as port, pytest.raises(Unreachable) as raised:
        asked(f"https://localhost:{port}/v1")
    assert (raised.value.retryable, raised.value.kind) == (False, "TLS")


# TLS and plain HTTP


def test_https_to_a_plain_port_is_reported() -> None:
    with served(answering(b"[]")) as port:
        assert "base_url begins with http://" in refused(f"https://localhost:{port}/v1")


def test_http_to_a_port_with_tls_is_reported(workdir: Path) -> None:
    _, chain = certificate(workdir)
    with served(answering(b"[]"), chain) as port:
        assert "Write https:// in base_url." in refused(f"http://localhost:{port}/v1")


@pytest.mark.parametrize(
    "page",
    [
        b"<center>The plain HTTP request was sent to HTTPS port</center>",
        b"Instead use the HTTPS scheme: speaking plain HTTP to an SSL-enabled server port.",
        b"Client sent an HTTP request to an HTTPS server.\n",
    ],
)
def test_the_page_of_a_web_server_on_http_to_a_port_with_tls_is_understood(page: bytes) -> None:
    with served(answering(page, "400 Bad Request", "text/html")) as port:
        assert "write https:// in base_url" in refused(f"http://localhost:{port}/v1")


# Proxies


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY", "https_proxy"])
def test_a_request_goes_through_the_proxy_of_the_environment(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    trusted, chain = certificate(workdir, host=ELSEWHERE)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with served(answering(b"[]"), chain) as server, served(tunnel(server)) as proxy:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy}")
        assert asked(f"https://{ELSEWHERE}/v1")[0] == []


def test_a_proxy_without_a_scheme_is_an_http_proxy_as_in_curl(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trusted, chain = certificate(workdir, host=ELSEWHERE)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with served(answering(b"[]"), chain) as server, served(tunnel(server, login="dXNlcjpwQHNz")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"user:p%40ss@127.0.0.1:{proxy}")
        assert asked(f"https://{ELSEWHERE}/v1")[0] == []


@pytest.mark.parametrize(("login", "said"), [("", "requires a user name"), ("u:CANARY@", "refused the user name")])
def test_a_proxy_that_wants_a_login_is_reported_without_the_password(
    monkeypatch: pytest.MonkeyPatch, login: str, said: str
) -> None:
    with served(tunnel(1, login="another")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{login}127.0.0.1:{proxy}")
        message = refused(f"https://{ELSEWHERE}/v1")
    assert said in message
    assert "Set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT" in message
    assert "CANARY" not in message


def test_a_proxy_that_refuses_the_host_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(answering(b"", "403 Forbidden")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy}")
        assert "the proxy did not open the connection (403). " in refused(f"https://{ELSEWHERE}/v1")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "no-such-proxy.invalid:8080"])
def test_a_proxy_that_does_not_answer_is_reported_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"http://u:CANARY@{address}")
    said = refused(f"https://{ELSEWHERE}/v1")
    assert f"through the proxy {address} (ALL_PROXY): the proxy" in said
    assert "Correct ALL_PROXY" in said
    assert "CANARY" not in said


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("socks5://u:CANARY@127.0.0.1:1080", "ALL_PROXY names a SOCKS proxy, which is not supported"),
        ("socks5h://127.0.0.1:1080", "SOCKS"),
        ("ftp://127.0.0.1:21", 'scheme "ftp"'),
        ("http://", "is not the URL of a proxy"),
        ("http://u:CANARY@host:port", "is not the URL of a proxy"),
    ],
)
def test_a_proxy_that_is_not_supported_is_reported_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    with pytest.raises(ConfigurationError, match=message) as raised:
        asked(f"https://{ELSEWHERE}/v1")
    assert "CANARY" not in str(raised.value)


@pytest.mark.parametrize(("excluded", "is_used"), [(ELSEWHERE, False), (".test", False), ("*", False), ("x", True)])
def test_no_proxy_excludes_hosts(monkeypatch: pytest.MonkeyPatch, excluded: str, is_used: bool) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", excluded if excluded == "*" else f"localhost, {excluded}")
    assert (proxy_for(URL(f"https://{ELSEWHERE}/v1")) is not None) is is_used
    assert proxy_for(URL("https://localhost/v1")) is None


# No connection


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:1/v1", "connection refused. Nothing was loaded. Nothing listens there. Correct base_url"),
        ("http://no-such-host.invalid/v1", "its host name is unknown (DNS)"),
    ],
)
def test_a_connection_that_cannot_be_made_is_reported(address: str, reason: str) -> None:
    assert reason in refused(address)


def test_a_server_that_does_not_respond_in_time_is_reported_with_the_setting() -> None:
    stop = threading.Event()

    def wait(_connection: socket.socket) -> None:
        stop.wait(2)

    with served(wait) as port:
        assert "no response in time. Nothing was loaded. Raise timeout" in refused(f"http://localhost:{port}/v1", 0.2)
        stop.set()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "the connection was closed before a response came"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "its response is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n[", "the response ended early"),
    ],
)
def test_a_connection_that_breaks_is_reported(sent: bytes, reason: str) -> None:
    with served(raw(sent)) as port:
        assert reason in refused(f"http://localhost:{port}/v1")


def test_a_reset_connection_is_reported() -> None:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    with served(reset) as port:
        assert "the connection was closed before a response came" in refused(f"http://localhost:{port}/v1")


# Something else answers


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "401 Unauthorized", "404 Not Found", "511 Network"])
def test_a_page_in_place_of_authsignals_json_is_reported_as_a_login_page_or_proxy(status: str) -> None:
    with served(answering(b"<html>Welcome to the hotel</html>", status, "text/html")) as port:
        said = refused(f"http://localhost:{port}/v1")
    if status.startswith("511"):
        assert "answered 511" in said
    else:
        assert "login page may answer in its place" in said
    assert "hotel" not in said


def test_a_page_is_not_blamed_on_the_key() -> None:
    with served(answering(b"<html></html>", "401 Unauthorized", "text/html")) as port:
        assert "api_secret_key" not in refused(f"http://localhost:{port}/v1")


def test_json_of_another_program_is_reported() -> None:
    with served(answering(b'{"hello": 1}')) as port, pytest.raises(UnexpectedAnswer, match="base_url"):
        asked(f"http://localhost:{port}/v1")


# Every exception of aiohttp


def every_error() -> list[type[BaseException]]:
    found = [each for _, each in inspect.getmembers(aiohttp, inspect.isclass) if issubclass(each, aiohttp.ClientError)]
    return [*found, TimeoutError, ConnectionResetError, BrokenPipeError, OSError]


def made(kind: type[BaseException]) -> BaseException:
    """An exception of this class, with the attributes that aiohttp sets."""
    error = kind.__new__(kind)
    key = SimpleNamespace(host="h", port=1, ssl=True, is_ssl=True)
    for name, value in {"_conn_key": key, "_os_error": OSError(111, "x"), "status": 502, "message": "CANARY"}.items():
        error.__dict__[name] = value
    error.__dict__["_certificate_error"] = OSError("CANARY")
    return error


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_each_exception_of_aiohttp_has_a_reason_and_advice(kind: type[BaseException]) -> None:
    found = explained(made(kind), URL("https://localhost:1/v1"))
    assert isinstance(found, Fault)
    assert found.reason
    assert found.advice.endswith(".")
    assert "CANARY" not in found.reason + found.advice
    assert kind.__name__ not in found.reason
