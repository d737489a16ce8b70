"""Vaults to read from: a real OpenBao, and AWS Secrets Manager as moto has it. Each a process on a free port."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.ports import free_port

START_SECONDS = 30


BAO = str(Path(sys.executable).with_name("bao"))


@contextmanager
def openbao(token: str) -> Iterator[str]:
    """The URL of a vault that is empty and open to the token."""
    port = free_port()
    url, flags = f"http://127.0.0.1:{port}", [f"-dev-listen-address=127.0.0.1:{port}", "-dev-no-store-token"]
    with _serving([BAO, "server", "-dev", *flags], f"{url}/v1/sys/health", BAO_DEV_ROOT_TOKEN_ID=token):
        yield url


@contextmanager
def aws() -> Iterator[str]:
    """The endpoint of an empty AWS account."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with _serving([sys.executable, "-m", "moto.server", "-p", str(port)], f"{url}/moto-api/"):
        yield url


@contextmanager
def _serving(arguments: list[str], health: str, **env: str) -> Iterator[None]:
    with Path("vault.log").open("wb") as log:
        process = subprocess.Popen(arguments, env={**os.environ, **env}, stdout=log, stderr=log)
        try:
            _wait(process, health)
            yield
        finally:
            process.terminate()
            process.wait(10)


def _wait(process: subprocess.Popen[bytes], health: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urlopen(health, timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"{process.args!r} did not start: {Path('vault.log').read_text('utf-8', 'replace')[-2000:]}")
