"""Shared fixtures: a real sandbox on a free port, and a folder of its own for every pipeline."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")

from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from tests.loaded import loaded as loaded

SECRET = "sandbox-server-secret"
NODE = Path(__file__).parent / "node"


@pytest.fixture
def empty() -> Iterator[RunningSandbox]:
    """An Authsignal tenant without users."""
    with run_in_thread(SandboxConfig(seed=1)) as running:
        yield running


@pytest.fixture
def seeded() -> Iterator[RunningSandbox]:
    """A tenant of 40 people."""
    with run_in_thread(SandboxConfig(users=40, days=45, seed=7)) as running:
        yield running


@pytest.fixture(autouse=True)
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test works in a folder of its own, with dlt's state inside it and no credentials around."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    for name in list(os.environ):
        if name.startswith("SOURCES__") or name in ("TOKEN", "TENANT_ID", "API_SECRET_KEY"):
            monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Folder of Authsignal's JavaScript SDKs, installed as the lock file says; one test process at a time."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.fail("Authsignal's JavaScript SDKs judge the sandbox: these tests need Node 20 or newer, with npm.")
    lock, done = NODE / "package-lock.json", NODE / "node_modules" / ".package-lock.json"
    with FileLock(NODE / ".install.lock", timeout=120):
        if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
            npm("ci", "--ignore-scripts", "--no-audit", "--no-fund")
            done.touch()
    return NODE / "node_modules"


def npm(*arguments: str) -> None:
    """Runs npm beside the tests' package.json; what went wrong fails the test."""
    tool = shutil.which("npm") or "npm"
    done = subprocess.run([tool, *arguments], cwd=NODE, capture_output=True, text=True, timeout=50, check=False)
    if done.returncode:
        pytest.fail(f"npm {' '.join(arguments)} in tests/node failed:\n{done.stderr[-2000:]}")
