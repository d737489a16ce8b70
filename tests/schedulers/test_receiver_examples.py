"""The examples of examples/receiver: checked by what they are for, and a delivery through each proxy."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from getpass import getuser
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from tests.helpers import ROOT
from tests.ports import free_port
from tests.receivers import PATH, action, batch_of, receiving, signed
from tests.schedulers.test_schedulers import run
from tests.tls import certificate

EXAMPLES = ROOT / "examples" / "receiver"
JUDGES = ROOT / ".venv-judges" / "bin"
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"

Proxy = Callable[[int, Path], AbstractContextManager[tuple[int, Path]]]
"""Runs a proxy before the receiver on a port, with its files in a folder. Gives its port, and what to trust."""

pytestmark = pytest.mark.timeout(120)


@contextmanager
def nginx(receiver_port: int, folder: Path) -> Iterator[tuple[int, Path]]:
    """nginx with the example, on a free port and with another certificate."""
    trusted, chain = certificate(folder)
    port = free_port()
    example = replaced(
        (EXAMPLES / "nginx.conf").read_text(),
        {
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "127.0.0.1:8480": f"127.0.0.1:{receiver_port}",
            "/etc/ssl/certs/hooks.example.com.pem": str(chain),
            "/etc/ssl/private/hooks.example.com.key": str(chain),
        },
    )
    scratch = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = folder / "nginx.conf"
    main.write_text(
        f"user {getuser()};\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n{scratch}{example}}}\n"
    )
    run(NGINX, "-t", "-e", "stderr", "-c", main)
    with running([NGINX, "-e", "stderr", "-c", str(main), "-g", "daemon off;"], port):
        yield port, trusted


@contextmanager
def caddy(receiver_port: int, folder: Path) -> Iterator[tuple[int, Path]]:
    """Caddy with the example, on a free port and with another certificate."""
    trusted, chain = certificate(folder)
    port = free_port()
    text = replaced(
        (EXAMPLES / "Caddyfile").read_text(),
        {
            "\tservers {": "\tadmin off\n\tauto_https disable_redirects\n\tservers {",
            "hooks.example.com {": f"https://localhost:{port} {{\n\ttls {chain} {chain}",
            "127.0.0.1:8480": f"127.0.0.1:{receiver_port}",
        },
    )
    (folder / "Caddyfile").write_text(text)
    caddyfile = ["--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    home = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    run(JUDGES / "caddy", "validate", *caddyfile, **home)
    with running([str(JUDGES / "caddy"), "run", *caddyfile], port, **home):
        yield port, trusted


def replaced(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@contextmanager
def running(command: list[str], port: int, **env: str) -> Iterator[None]:
    """A server, once it listens."""
    process = subprocess.Popen(command, env={**os.environ, **env}, stdout=sys.stderr, stderr=sys.stderr)
    try:
        deadline = time.monotonic() + 30
        while not is_open(port):
            assert process.poll() is None, "the proxy did not start"
            assert time.monotonic() < deadline, "the proxy does not listen"
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(20)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def status_of(port: int, trusted: Path, body: bytes, path: str = PATH, method: str = "POST") -> int:
    connection = HTTPSConnection("localhost", port, timeout=30, context=ssl.create_default_context(cafile=str(trusted)))
    try:
        connection.request(method, path, body, signed(body))
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("proxy", [nginx, caddy], ids=["nginx", "caddy"])
def test_the_proxy_passes_on_deliveries_only(proxy: Proxy, workdir: Path) -> None:
    with receiving() as receiver, proxy(receiver.port, workdir) as (port, trusted):
        large = batch_of(*(action(actionCode="x" * 2000) for _ in range(1000)))
        assert len(large) > 2_000_000
        assert status_of(port, trusted, large) == 200
        assert len(receiver.rows()) == 1000
        assert status_of(port, trusted, large, "/webhooks/unknown") == 404
        assert status_of(port, trusted, b"", "/metrics", "GET") == 404
        assert status_of(port, trusted, b"", "/healthz", "GET") == 404
        assert status_of(port, trusted, b"", PATH, "GET") in (403, 404)
        assert too_large(port, trusted) == 413
        assert len(receiver.files()) == 1


def too_large(port: int, trusted: Path) -> int:
    """The answer to a body that is declared too large and never sent."""
    connection = HTTPSConnection("localhost", port, timeout=30, context=ssl.create_default_context(cafile=str(trusted)))
    try:
        connection.putrequest("POST", PATH)
        connection.putheader("Content-Length", str(9 * 1024 * 1024))
        connection.endheaders(b"x" * 1000)
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_manifests_are_valid_for_kubernetes() -> None:
    said = run(JUDGES / "kubernetes-validate", "--strict", EXAMPLES / "kubernetes.yaml")
    for kind in ("deployment", "service", "ingress"):
        assert f"passed for resource {kind}/authsignal-receiver" in said


def test_the_unit_is_valid_for_systemd(workdir: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.fail("systemd-analyze checks the unit: apt-get install systemd.")
    unit = (EXAMPLES / "authsignal-receiver.service").read_text()
    unit = unit.replace("/srv/authsignal/.venv/bin/dlt-authsignal", "/bin/true").replace("User=authsignal", "User=root")
    (workdir / "authsignal-receiver.service").write_text(unit)
    said = run(analyze, "verify", "--man=no", workdir / "authsignal-receiver.service")
    assert "authsignal-receiver" not in said, said
