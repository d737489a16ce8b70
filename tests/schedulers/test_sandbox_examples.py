"""The files of examples/sandbox, checked by hadolint and by the schemas of compose files and workflows."""

import subprocess

import pytest

from tests.helpers import ROOT

EXAMPLES = ROOT / "examples" / "sandbox"
JUDGES = ROOT / ".venv-judges" / "bin"


def test_hadolint_accepts_the_containerfile() -> None:
    done = subprocess.run(
        [JUDGES / "hadolint", EXAMPLES / "Containerfile"], timeout=30, check=False, capture_output=True
    )
    assert (done.returncode, done.stdout) == (0, b"")


@pytest.mark.parametrize(
    ("schema", "file"), [("vendor.compose-spec", "compose.yaml"), ("vendor.github-workflows", "github-actions.yml")]
)
def test_files_of_pipelines_fit_their_schemas(schema: str, file: str) -> None:
    arguments = [str(JUDGES / "check-jsonschema"), "--builtin-schema", schema, str(EXAMPLES / file)]
    done = subprocess.run(arguments, timeout=30, check=False, capture_output=True)
    assert done.returncode == 0, done.stdout
