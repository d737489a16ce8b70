"""Shared fixtures: a real sandbox on a free port, and a folder of its own for every pipeline."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")

from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread

SECRET = "sandbox-server-secret"


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
