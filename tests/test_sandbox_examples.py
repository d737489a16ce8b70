"""The container, compose file and GitHub Action of examples/sandbox: their commands start a sandbox that answers.

tests/schedulers checks the files by hadolint and by the schemas of compose files and workflows.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.helpers import COMMAND, ROOT, SECRET
from tests.ports import free_port

EXAMPLES = ROOT / "examples" / "sandbox"
NAME = "authsignal-sandbox"


def instruction(name: str) -> list[str]:
    """The JSON form of an instruction of the Containerfile."""
    text = (EXAMPLES / "Containerfile").read_text("utf-8").replace("\\\n", "")
    found = re.search(rf"^{name} .*?(\[.*\])$", text, re.MULTILINE)
    assert found
    words: list[str] = json.loads(found[1])
    return words


def compose() -> Any:
    return yaml.safe_load((EXAMPLES / "compose.yaml").read_text("utf-8"))["services"]


@contextmanager
def started(options: list[str]) -> Iterator[str]:
    """The port of a sandbox that the container's entry point starts, with another port than in a container."""
    program, *fixed = instruction("ENTRYPOINT")
    assert program == "/opt/sandbox/bin/dlt-authsignal"
    arguments = [COMMAND, *fixed, *options, "--port", "0", "--json"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
        try:
            assert running.stdout
            yield json.loads(running.stdout.readline())["url"].removesuffix("/v1").rpartition(":")[2]
        finally:
            running.send_signal(signal.SIGINT)


def python(code: str, port: str, **environment: str) -> str:
    """What Python prints that the container would run, at another port."""
    env = {**os.environ, **environment}
    arguments = [sys.executable, "-c", code.replace(":4443", f":{port}")]
    return subprocess.run(arguments, env=env, timeout=60, check=True, capture_output=True, text=True).stdout


def test_the_container_starts_a_sandbox_that_its_health_check_finds() -> None:
    with started(instruction("CMD")) as port:
        *_, code = instruction("HEALTHCHECK")
        assert python(code, port) == ""
        headers = {"Host": f"{NAME}:4443"}
        url = f"http://127.0.0.1:{port}/v1/users/ann/actions/signIn"
        tracked = requests.post(url, json={}, headers=headers, auth=(SECRET, ""), timeout=30).json()
    assert tracked["url"].startswith("http://localhost:4443/hosted/")


def test_the_container_starts_several_tenants() -> None:
    with started([*instruction("CMD"), "--tenants", "2"]) as port:
        url, headers = f"http://127.0.0.1:{port}/_sandbox/tenants", {"Host": f"{NAME}:4443"}
        second = requests.get(url, headers=headers, timeout=30).json()["tenants"][1]
        assert second["url"] == f"http://{NAME}:4443/v1"
        users = f"http://127.0.0.1:{port}/v1/users"
        found = requests.get(users, headers=headers, auth=(second["apiSecretKey"], ""), timeout=30).json()["users"]
    assert len(found) == 50


def test_the_tests_of_the_compose_file_reach_the_sandbox_by_its_name() -> None:
    services = compose()
    sandbox, tests = services[NAME], services["tests"]
    assert sandbox["command"] == instruction("CMD")
    assert sandbox["healthcheck"]["test"][1:] == instruction("HEALTHCHECK")
    assert tests["environment"]["AUTHSIGNAL_URL"] == f"http://{NAME}:4443/v1"
    with started(sandbox["command"]) as port:
        here = {"AUTHSIGNAL_URL": f"http://127.0.0.1:{port}/v1", "AUTHSIGNAL_SECRET": SECRET}
        assert len(json.loads(python(tests["command"][-1], port, **here))["users"]) == 2


def test_the_container_runs_without_root_and_the_sandbox_is_reachable_from_this_machine_only() -> None:
    assert re.search(r"^USER 10001:10001$", (EXAMPLES / "Containerfile").read_text("utf-8"), re.MULTILINE)
    sandbox = compose()[NAME]
    assert all(port.startswith("127.0.0.1:") for port in sandbox["ports"])
    assert (sandbox["read_only"], sandbox["cap_drop"]) == (True, ["ALL"])


def test_the_container_is_built_from_files_that_exist() -> None:
    text = (EXAMPLES / "Containerfile").read_text("utf-8")
    copied = [name for line in re.findall(r"^COPY (?!--)(.+)$", text, re.MULTILINE) for name in line.split()[:-1]]
    sent = {
        line[1:] for line in (EXAMPLES / "Containerfile.dockerignore").read_text("utf-8").splitlines() if line[0] == "!"
    }
    assert copied
    assert set(copied) == sent
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_the_steps_of_the_github_action_start_a_sandbox_and_keep_a_recording(workdir: Path) -> None:
    job = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text("utf-8"))["jobs"]["test"]
    steps = {step["name"]: step["run"] for step in job["steps"] if "name" in step and "run" in step}
    start = steps["Start the sandbox"]
    assert shlex.split(start)[1:3] == ["dlt-authsignal", "sandbox"]
    port = str(free_port())
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, **{name: text.replace("4443", port) for name, text in job["env"].items()}, "PATH": path}
    start = start.replace("sandbox --seed", f"sandbox --port {port} --seed").replace(":4443", f":{port}")
    running = f"{start}\nserver=$!\ntrap 'kill -INT $server; wait $server' EXIT\n{steps['Run the tests']}"
    done = subprocess.run(
        ["/bin/bash", "-e", "-c", running], env=env, timeout=30, check=True, capture_output=True, text=True
    )
    assert len(json.loads(done.stdout)["users"]) == 2
    assert '"method":"GET"' in (workdir / "calls.jsonl").read_text("utf-8")
