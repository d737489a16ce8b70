"""Azure Blob Storage as Azurite has it, Microsoft's own emulator."""

import base64
import hashlib
import hmac
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

from tests.ports import free_port
from tests.warehouses import wait_for

FOLDER = Path(__file__).parent / "node" / "azurite"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Published with Azurite: it opens every emulator and nothing else."""
VERSION = "2021-08-06"


@contextmanager
def azurite(data: Path) -> Iterator[dict[str, str]]:
    """Variables of the environment for a store that runs as long as the block lasts."""
    port = free_port()
    program = FOLDER / "node_modules" / ".bin" / "azurite-blob"
    options = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(data), "--silent"]
    server = subprocess.Popen(
        [program, *options, "--disableTelemetry", "--skipApiVersionCheck"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port, server)
        yield {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": KEY,
            "AZURE_ENDPOINT": f"http://127.0.0.1:{port}/{ACCOUNT}",
        }
    finally:
        server.terminate()
        server.wait(10)


def install_azurite() -> None:
    """Install it as its lock file says."""
    if not (FOLDER / "node_modules").exists():
        tool = shutil.which("npm") or "npm"
        command = [tool, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=FOLDER, check=True, timeout=240, stdout=subprocess.DEVNULL)


def make_container(variables: dict[str, str], name: str) -> None:
    date = formatdate(usegmt=True)
    resource = f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    signed = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{VERSION}\n{resource}"
    digest = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
    request = urllib.request.Request(
        f"{variables['AZURE_ENDPOINT']}/{name}?restype=container",
        method="PUT",
        headers={
            "x-ms-date": date,
            "x-ms-version": VERSION,
            "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}",
            "Content-Length": "0",
        },
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.status == 201
