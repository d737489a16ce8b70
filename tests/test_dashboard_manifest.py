"""The manifest of examples/dashboard: its command starts a dashboard that its probe finds ready.

tests/schedulers checks the file by the schemas of Kubernetes.
"""

import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import requests
import yaml

from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import COMMAND, ROOT, sync_from
from tests.ports import free_port

SECONDS = 60
MANIFEST = ROOT / "examples" / "dashboard" / "kubernetes.yaml"


def container(port: int) -> Any:
    """The container of the manifest, with a free port in place of its own."""
    manifest = yaml.safe_load(MANIFEST.read_text("utf-8").replace("8765", str(port)))
    (found,) = manifest["spec"]["template"]["spec"]["containers"]
    return found


def reader_of(url: str) -> str:
    """The URL of a role that may read the dataset, and change nothing."""
    database = url.rpartition("/")[2]
    role = f"reader_of_{database}"
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(f"create role {role} login")
        cursor.execute(f"grant usage on schema authsignal_data to {role}")
        cursor.execute(f"grant select on all tables in schema authsignal_data to {role}")
    return url.replace("loader:loader", f"{role}:x")


def is_ready(probe: list[str]) -> bool:
    assert probe[0] == "python"
    return subprocess.run([sys.executable, *probe[1:]], check=False, capture_output=True, timeout=60).returncode == 0


def has_figures(port: int) -> bool:
    try:
        return bool(requests.get(f"http://127.0.0.1:{port}/healthz", timeout=30).json()["status"] == "ok")
    except requests.ConnectionError:
        return False


@pytest.mark.deep
def test_the_command_of_the_manifest_shows_a_dataset_of_another_machine_with_the_rights_of_a_reader(
    seeded: RunningSandbox, postgres_database: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres_database)
    sync_from(seeded, destination="postgres")
    pod = container(port := free_port())
    (folder := workdir / "pod").mkdir()
    env = {**os.environ, "DESTINATION__POSTGRES__CREDENTIALS": reader_of(postgres_database)}
    env |= {each["name"]: each["value"].replace(pod["workingDir"], str(folder)) for each in pod["env"]}
    program, *arguments = pod["command"]
    assert program == "dlt-authsignal"
    probe = pod["readinessProbe"]["exec"]["command"]
    with (workdir / "said.txt").open("wb") as said:
        process = subprocess.Popen([COMMAND, *arguments], cwd=folder, env=env, stdout=said, stderr=said)
    try:
        deadline = time.monotonic() + SECONDS
        while not has_figures(port) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert has_figures(port), (workdir / "said.txt").read_text("utf-8")
        assert is_ready(probe)
    finally:
        process.terminate()
        assert process.wait(60) == 0
