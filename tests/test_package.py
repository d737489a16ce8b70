"""The sdist and the wheel: built, checked by twine and check-wheel-contents, and complete; their bill of materials."""

import json
import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.helpers import ROOT

TOOLS = ROOT / ".venv-package" / "bin" / "python"


def sources() -> set[str]:
    """Files of the package that git has, below `src`."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "src/dlt_authsignal"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return {name.removeprefix("src/") for name in done.stdout.split("\0") if name}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert TOOLS.exists(), "run: make package"
    folder = tmp_path_factory.mktemp("dist")
    command = [str(TOOLS), str(ROOT / "scripts" / "build_package.py"), "--output", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") == 2, done.stdout
    return folder


@pytest.mark.deep
def test_the_wheel_has_every_file_of_the_package_and_no_other(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        names = {name for name in files.namelist() if ".dist-info/" not in name}
        (metadata,) = [name for name in files.namelist() if name.endswith("METADATA")]
        about = Parser().parsestr(files.read(metadata).decode())
    assert names == sources()
    assert about["Name"] == "dlt-authsignal"
    assert about["License-Expression"] == "Apache-2.0"
    assert "Framework :: Pytest" in (about.get_all("Classifier") or [])
    assert [need for need in about.get_all("Requires-Dist") or [] if "dlthub" in need or "zensical" in need] == []


@pytest.mark.deep
def test_the_sdist_has_the_package_its_licence_and_no_tests(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as files:
        names = {name.partition("/")[2] for name in files.getnames()}
    assert {f"src/{name}" for name in sources()} <= names
    assert {"LICENSE", "README.md", "CHANGELOG.md"} <= names
    assert [name for name in names if name.startswith(("tests/", "docs/", ".dlt/"))] == []


@pytest.mark.deep
def test_the_command_of_the_wheel_runs_without_the_repository(dist: Path, tmp_path: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        files.extractall(tmp_path / "installed")  # noqa: S202 - this project's own wheel
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'installed')!r})\n"
        "import dlt_authsignal; print(dlt_authsignal.__file__)\n"
        "from dlt_authsignal.cli.main import main\n"
        "sys.argv = ['dlt-authsignal', 'ai', 'init', '--agent', 'claude']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path / "installed"))
    assert Path(".claude/skills/authsignal-keys/SKILL.md").exists()


@pytest.mark.deep
def test_the_bill_of_materials_has_every_locked_package_with_a_known_licence(tmp_path: Path) -> None:
    assert TOOLS.exists(), "run: make sbom"
    command = [str(TOOLS), str(ROOT / "scripts" / "build_sbom.py"), "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    bill = json.loads((tmp_path / "dlt-authsignal.cdx.json").read_text("utf-8"))
    locked = re.findall(r"^([a-z0-9._-]+)==([^ ;]+)", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE)
    assert {(each["name"], each["version"]) for each in bill["components"]} == set(locked)
    assert all(each["externalReferences"][0]["hashes"] for each in bill["components"])
    assert bill["metadata"]["component"]["name"] == "dlt-authsignal"
    licences = (tmp_path / "licences.md").read_text("utf-8")
    assert "UNKNOWN" not in licences
    named = {line.split("|")[1].strip().lower().replace("_", "-") for line in licences.splitlines()[2:]}
    of_other_systems = re.findall(r"^([a-z0-9._-]+)==[^ ]+ ;", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert {name for name, _ in locked} - named <= set(of_other_systems)
