"""The workflows of GitHub Actions, of this project and in examples: valid, and without what an attacker could use."""

import subprocess
from pathlib import Path

import pytest

from tests.helpers import ROOT

JUDGES = ROOT / ".venv-judges" / "bin"
RELEASE = ROOT / ".github" / "workflows" / "release.yml"
WORKFLOWS = [RELEASE, *sorted((ROOT / "examples").glob("*/github-actions.yml"))]


def checked(*command: str | Path) -> tuple[int, str]:
    done = subprocess.run(list(map(str, command)), cwd=ROOT, timeout=60, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.parent.name)
def test_actionlint_accepts_the_workflow(workflow: Path) -> None:
    assert checked(JUDGES / "actionlint", workflow) == (0, "")


def test_actionlint_finds_a_mistake(workdir: Path) -> None:
    (workdir / "broken.yml").write_text(RELEASE.read_text().replace("github.ref_name", "gihtub.ref_name"))
    code, said = checked(JUDGES / "actionlint", workdir / "broken.yml")
    assert code == 1
    assert 'undefined variable "gihtub"' in said


def test_zizmor_finds_nothing_in_the_release() -> None:
    code, said = checked(JUDGES / "zizmor", "--offline", "--no-progress", RELEASE)
    assert code == 0, said
