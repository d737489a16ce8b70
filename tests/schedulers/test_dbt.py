"""The exported dbt package, built by dbt itself. `make test-schedulers` installs dbt."""

import json
from pathlib import Path

import duckdb
import pytest

from dlt_authsignal.models import all_models, install
from dlt_authsignal.models.export_dbt import export
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import sync_from
from tests.schedulers.test_schedulers import ROOT, run

pytestmark = pytest.mark.timeout(300)

PROFILE = {
    "kpis": {
        "target": "dev",
        "outputs": {"dev": {"type": "duckdb", "path": "authsignal_pipeline.duckdb", "schema": "from_dbt"}},
    }
}


def test_dbt_builds_the_same_kpis_as_the_views(seeded: RunningSandbox, workdir: Path) -> None:
    sync_from(seeded)
    install(attach())
    written = export(attach(), workdir / "package")
    (workdir / "profiles.yml").write_text(json.dumps(PROFILE))
    dbt = ROOT / ".venv-dbt" / "bin" / "dbt"
    at = ("--project-dir", "package", "--profiles-dir", ".", "--profile", "kpis")
    said = run(dbt, "build", *at, DBT_SEND_ANONYMOUS_USAGE_STATS="false")
    assert "ERROR=0" in said
    with duckdb.connect("authsignal_pipeline.duckdb", read_only=True) as connection:
        for name in written:
            rows = [
                sorted(map(str, connection.execute(f"select * from {schema}.{name}").fetchall()))
                for schema in ("from_dbt", "authsignal_data")
            ]
            assert rows[0] == rows[1], name
    assert len(written) == len([model for model in all_models() if model.view in written]) > 12
