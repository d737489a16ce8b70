"""The manifest of examples/ray: its fields, its command, which pod has the keys. tests/schedulers checks the pods."""

import json
import shlex
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import jsonschema
import pytest
import yaml

from dlt_authsignal.cli.commands.load.sync import sync
from tests.helpers import ROOT

MANIFEST = ROOT / "examples" / "ray" / "kuberay-job.yaml"
SCHEMA = ROOT / "tests" / "schedulers" / "rayjob.schema.json"


def manifest() -> Any:
    return yaml.safe_load(MANIFEST.read_text())


def check(found: Any) -> None:
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(found)


def test_the_manifest_has_only_fields_that_kuberay_has() -> None:
    check(manifest())


def _no_replicas(spec: Any) -> None:
    del spec["rayClusterSpec"]["workerGroupSpecs"][0]["maxReplicas"]


def _a_number(spec: Any) -> None:
    spec["rayClusterSpec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0


def _unknown(spec: Any) -> None:
    spec["concurrencyPolicy"] = "Forbid"


@pytest.mark.parametrize("spoil", [_no_replicas, _a_number, _unknown])
def test_the_schema_refuses_what_kuberay_would_refuse(spoil: Callable[[Any], None]) -> None:
    found = manifest()
    spoil(found["spec"])
    with pytest.raises(jsonschema.ValidationError):
        check(found)


def test_the_command_of_the_manifest_is_one_that_exists() -> None:
    words = shlex.split(manifest()["spec"]["entrypoint"])
    assert words[:2] == ["dlt-authsignal", "sync"]
    context = sync.make_context("sync", words[2:])
    assert (context.params["engine"], context.params["ray_address"]) == ("ray", "auto")
    cluster = manifest()["spec"]["rayClusterSpec"]
    (readers,) = cluster["workerGroupSpecs"]
    (container,) = readers["template"]["spec"]["containers"]
    assert readers["replicas"] * int(container["resources"]["limits"]["cpu"]) >= context.params["workers"]
    assert cluster["rayVersion"] == version("ray")


def test_only_the_pod_of_the_sync_gets_the_keys() -> None:
    cluster = manifest()["spec"]["rayClusterSpec"]
    assert "secretRef" in json.dumps(cluster["headGroupSpec"])
    assert "secret" not in json.dumps(cluster["workerGroupSpecs"]).lower()
