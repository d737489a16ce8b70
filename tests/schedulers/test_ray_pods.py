"""The pods of examples/ray, checked by the schemas of Kubernetes. test_ray_example.py of tests/ checks the rest."""

import json
from pathlib import Path

import pytest
import yaml

from tests.helpers import ROOT
from tests.schedulers.test_schedulers import run
from tests.test_ray_example import MANIFEST

pytestmark = pytest.mark.timeout(120)


def test_the_pods_of_the_ray_job_are_valid_for_kubernetes(workdir: Path) -> None:
    cluster = yaml.safe_load(MANIFEST.read_text())["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ray"}, **group["template"]}
        (workdir / "pod.json").write_text(json.dumps(pod))
        judge = ROOT / ".venv-judges" / "bin" / "kubernetes-validate"
        assert "passed for resource pod/ray" in run(judge, "--strict", workdir / "pod.json")
