"""`dlt-authsignal sandbox --tls`: HTTPS with a certificate of its own, trusted by the printed instructions alone."""

import asyncio
import os
import re
import shlex
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from cryptography import x509
from requests.exceptions import SSLError
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.http.routes.client.qr_socket import SUBPROTOCOL, TENANT
from tests.helpers import ROOT, SECRET, command, rows
from tests.node_process import node
from tests.sandbox_banner import banner

SHOP = "shop.test"


def printed(shown: str, name: str) -> str:
    """What the banner says after a name."""
    found = re.search(rf"^ +{name} +(.+)$", shown, re.MULTILINE)
    assert found, shown
    return found[1]


def exported(line: str) -> dict[str, str]:
    """The variables of an `export` line, or of those before a command."""
    return dict(word.split("=", 1) for word in shlex.split(line) if "=" in word)


def said(program: list[str], export: str) -> str:
    """What a program prints with the exported variables. A new process: aiohttp reads them when it is imported."""
    env = {**os.environ, **exported(export)}
    return subprocess.run(program, env=env, timeout=60, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def secure() -> Iterator[RunningSandbox]:
    config = SandboxConfig(seed=1, relying_party=SHOP, allowed_hosts=(SHOP,))
    with run_in_thread(config, tls=True) as running:
        yield running


@pytest.fixture
def trusted(secure: RunningSandbox, tmp_path: Path) -> str:
    """The file of the certificate to trust."""
    assert secure.certificate
    secure.certificate.write_authority(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


def test_curl_python_and_node_trust_the_sandbox_by_the_printed_instructions(workdir: Path) -> None:
    with banner("--tls", "--empty") as shown:
        url = shown.split()[3]
        assert url.startswith("https://")
        with pytest.raises(SSLError):
            requests.get(f"{url}/users", timeout=30)
        curl = shlex.split(printed(shown, "try it"))
        assert subprocess.run([*curl, "-sf"], timeout=60, check=False, capture_output=True).returncode == 0
        assert printed(shown, "curl").startswith(" ".join(curl[:3]))
        code = f"""
            import asyncio, aiohttp, requests, urllib.request
            control = "{url.removesuffix("/v1")}/_sandbox/"
            print(requests.get(control, timeout=30).status_code, urllib.request.urlopen(control, timeout=30).status)
            async def get():
                async with aiohttp.ClientSession() as session, session.get(control) as answer:
                    print(answer.status)
            asyncio.run(get())
        """
        code = "\n".join(line[12:] for line in code.splitlines())
        assert said([sys.executable, "-c", code], printed(shown, "Python")) == "200 200\n200"
        script = f"fetch('{url}/users').then((answer) => console.log(answer.status))"
        assert said(["node", "-e", script], printed(shown, "Node")) == "401"
    assert [found.name for found in workdir.iterdir()] == ["authsignal-sandbox-ca.pem"]
    assert "PRIVATE KEY" not in Path("authsignal-sandbox-ca.pem").read_text("ascii")
    assert Path("authsignal-sandbox-ca.pem").stat().st_mode & 0o777 == 0o644


@pytest.mark.deep
def test_the_commands_of_the_page_start_a_sandbox_with_https() -> None:
    page = (ROOT / "docs" / "sandbox.md").read_text("utf-8")
    section = page[page.index("## HTTPS") : page.index("## In tests")]
    commands = re.findall(r"^dlt-authsignal sandbox (.+)$", section, re.MULTILINE)
    assert len(commands) == 2
    for options in commands:
        with banner(*shlex.split(options)) as shown:
            assert shown.startswith("Local Authsignal at https://")
            assert f"{Path.cwd()}/authsignal-sandbox-ca.pem" in printed(shown, "trust")


def test_the_printed_sync_loads_over_https() -> None:
    with banner("--tls", "--users", "3", "--seed", "7") as shown:
        line = printed(shown, "sync it")
        done = command(*shlex.split(line.partition("dlt-authsignal ")[2]), env=exported(line.partition("dlt-auths")[0]))
        assert done.returncode == 0, done.stderr
    assert rows("select count(*) from users", "sandbox.duckdb") == [(3,)]


def test_every_url_of_the_sandbox_is_https(secure: RunningSandbox, trusted: str) -> None:
    def tracked(headers: dict[str, str]) -> dict[str, str]:
        url = f"{secure.url}/users/ann/actions/signIn"
        answer = requests.post(url, json={}, headers=headers, auth=(SECRET, ""), verify=trusted, timeout=30)
        found: dict[str, str] = answer.json()
        return found

    shop = {"Host": f"{SHOP}:{urlsplit(secure.url).port}"}
    local, named = tracked({}), tracked(shop)
    assert local["url"].startswith("https://127.0.0.1:")
    assert named["url"].startswith(f"https://{shop['Host']}/hosted/?token=")
    assert requests.get(local["url"], verify=trusted, timeout=30).status_code == 200
    user = {"Authorization": f"Bearer {local['token']}"}
    enrol = f"{secure.url}/client/user-authenticators/email-magic-link"
    requests.post(enrol, json={"email": "ann@example.com"}, headers=user, verify=trusted, timeout=30)
    message = secure.outbox.last("ann@example.com")
    assert message
    assert str(message.url).startswith("https://")
    assert secure.control_url.startswith("https://")


def test_cookies_are_secure_and_web_sockets_work_over_https(secure: RunningSandbox, trusted: str) -> None:
    tenant = secure.sandbox.config.tenant_id
    path = "client/user-authenticators/passkey/authentication-options/web"
    answer = requests.post(f"{secure.url}/{path}", json={}, auth=(tenant, ""), verify=trusted, timeout=30)
    assert answer.status_code == 200, answer.text
    assert "; Secure" in answer.headers["set-cookie"]
    context = ssl.create_default_context(cafile=trusted)
    protocols = [Subprotocol(SUBPROTOCOL), Subprotocol(f"{TENANT}{tenant}")]
    url = f"wss://127.0.0.1:{urlsplit(secure.url).port}/ws-v1-challenge"

    async def first_message() -> str:
        # Not websockets' blocking client: it reads and writes one TLS connection from two threads, which OpenSSL
        # does not allow, and about one of 400 connections then waits for ever.
        async with connect(url, subprotocols=protocols, ssl=context, proxy=None) as socket:
            await socket.send('{"type": "CREATE_CHALLENGE", "data": {"challengeType": "QR_CODE"}}')
            async with asyncio.timeout(30):
                return str(await socket.recv())

    assert "CHALLENGE_CREATED" in asyncio.run(first_message())


@pytest.mark.usefixtures("node_modules")
def test_a_passkey_of_another_host_name_is_enrolled_in_a_browser(secure: RunningSandbox, trusted: str) -> None:
    assert secure.certificate
    port = urlsplit(secure.url).port
    url = requests.post(
        f"{secure.url}/users/ada/actions/signUp",
        json={"redirectUrl": f"https://{SHOP}:{port}/_sandbox/requests"},
        headers={"Host": f"{SHOP}:{port}"},
        auth=(SECRET, ""),
        verify=trusted,
        timeout=60,
    ).json()["url"]
    arguments = (
        f"--host-resolver-rules=MAP {SHOP} 127.0.0.1",
        f"--ignore-certificate-errors-spki-list={secure.certificate.key_hash}",
    )
    with node("browser.mjs", CHROMIUM_ARGUMENTS="\n".join(arguments)) as browser:
        for step in (
            {"op": "open", "url": url},
            {"op": "authenticator", "transport": "internal"},
            {"op": "chooseMethod", "method": "Passkey"},
            {"op": "click", "button": "Create passkey"},
            {"op": "waitFor", "text": "You are all set"},
        ):
            assert "error" not in (answer := browser.ask(**step)), answer
    assert [found.verification_method for found in secure.sandbox.store.authenticators("ada")] == ["PASSKEY"]


def test_the_certificate_is_for_this_machine_and_the_hosts_that_the_sandbox_answers_for(
    secure: RunningSandbox, trusted: str
) -> None:
    context = ssl.create_default_context(cafile=trusted)
    with (
        socket.create_connection(("127.0.0.1", urlsplit(secure.url).port or 0), 5) as plain,
        context.wrap_socket(plain, server_hostname=SHOP) as wrapped,
    ):
        found = x509.load_der_x509_certificate(wrapped.getpeercert(binary_form=True) or b"")
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", SHOP]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert found.not_valid_after_utc - found.not_valid_before_utc
    with pytest.raises(ssl.SSLCertVerificationError):
        requests_to_another_name(trusted, urlsplit(secure.url).port or 0)


def requests_to_another_name(trusted: str, port: int) -> None:
    context = ssl.create_default_context(cafile=trusted)
    with socket.create_connection(("127.0.0.1", port), 5) as plain:
        context.wrap_socket(plain, server_hostname="other.test")


@pytest.mark.deep
def test_a_file_that_is_not_of_a_sandbox_is_not_overwritten(workdir: Path) -> None:
    (workdir / "notes.txt").write_text("mine")
    done = command("sandbox", "--empty", "--port", "0", "--tls-ca", "notes.txt")
    assert (done.returncode, (workdir / "notes.txt").read_text()) == (2, "mine")
    assert "is not a certificate of a sandbox" in done.stderr
    done = command("sandbox", "--empty", "--port", "0", "--tls-ca", "missing/ca.pem")
    assert done.returncode == 2
    assert "Choose another file with --tls-ca" in done.stderr


def test_a_fault_resets_a_connection_over_https(secure: RunningSandbox, trusted: str) -> None:
    from dlt_authsignal.sandbox import Fault

    secure.faults.add(Fault(route="GET /users", kind="reset", times=1))
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{secure.url}/users", auth=(SECRET, ""), verify=trusted, timeout=30)
    assert requests.get(f"{secure.url}/users", auth=(SECRET, ""), verify=trusted, timeout=30).status_code == 200
