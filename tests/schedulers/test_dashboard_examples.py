"""The manifest of examples/dashboard, checked by the schemas of Kubernetes. test_dashboard_manifest.py runs it."""

import pytest

from tests.helpers import ROOT
from tests.schedulers.test_schedulers import run

pytestmark = pytest.mark.timeout(120)


def test_the_manifest_is_valid_for_kubernetes() -> None:
    judge = ROOT / ".venv-judges" / "bin" / "kubernetes-validate"
    said = run(judge, "--strict", ROOT / "examples" / "dashboard" / "kubernetes.yaml")
    assert "passed for resource deployment/authsignal-dashboard" in said
