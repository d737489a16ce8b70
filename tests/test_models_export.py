"""KPIs as tables instead of views, and as a dbt package."""

from pathlib import Path

import pytest
import yaml

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.models import install, read
from dlt_authsignal.models.export_dbt import export
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import command, sync_from
from tests.loaded import repeat
from tests.test_models import fill, sync_of_four
from tests.tiers import deep_after


@pytest.mark.parametrize("destination", deep_after(1, ["duckdb", "postgres"]))
def test_kpis_can_be_tables_and_views_again(
    empty: RunningSandbox, destination: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if destination == "postgres":
        url = request.getfixturevalue("postgres_database")
        monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", url)
        fill(empty)
        sync_from(empty, destination=destination)
    else:
        repeat(sync_of_four)
    pipeline = attach(destination=destination)
    install(pipeline)
    views = read(pipeline)
    for materialize, kind in ((True, "BASE TABLE"), (True, "BASE TABLE"), (False, "VIEW")):
        install(pipeline, materialize=materialize)
        assert read(pipeline) == views
        with pipeline.sql_client() as client:
            found = client.execute_sql(
                "select table_type from information_schema.tables where table_name = 'kpi_mfa_coverage'"
            )
            assert list(found or ()) == [(kind,)]


def test_the_dbt_package_has_a_model_and_a_definition_for_each_available_kpi(
    empty: RunningSandbox, workdir: Path
) -> None:
    sync_from(empty, tables=["users", "user_authenticators"])
    export(attach(), workdir / "out")
    (workdir / "out" / "models" / "kpi_old.sql").write_text("of an earlier export")
    done = command("models", "export", "dbt", "--out", "out")
    assert done.returncode == 0, done.stderr
    project = yaml.safe_load((workdir / "out" / "dbt_project.yml").read_text())
    assert project["vars"] == {"authsignal_schema": "authsignal_data"}
    schema = yaml.safe_load((workdir / "out" / "models" / "schema.yml").read_text())
    models = {model["name"]: model for model in schema["models"]}
    texts = {file.stem: file.read_text() for file in (workdir / "out" / "models").glob("*.sql")}
    assert texts.keys() == models.keys() >= {"kpi_mfa_coverage", "kpi_enrolment_coverage"}
    assert "kpi_drop_off_rate" not in models
    assert "What share of users has a verified method" in models["kpi_mfa_coverage"]["description"]
    assert all("{{ source('authsignal', 'users" in text for text in texts.values())
    assert {table["name"] for table in schema["sources"][0]["tables"]} >= {"users", "users_history"}


def test_a_dbt_project_of_your_own_is_not_replaced(empty: RunningSandbox, workdir: Path) -> None:
    sync_from(empty, tables=["users", "user_authenticators"])
    mine = {"dbt_project.yml": "name: authsignal", "models/kpi_mine.sql": "select 1", "models/schema.yml": "version: 2"}
    for kept in (list(mine), ["models/kpi_mine.sql"], ["dbt_project.yml"]):
        folder = workdir / f"with_{len(kept)}_{Path(kept[0]).stem}"
        for name in kept:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(mine[name])
        with pytest.raises(ConfigurationError, match=r"files of another dbt project.*Nothing was written.*--out"):
            export(attach(), folder)
        found = {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}
        assert found == {name: mine[name] for name in kept}


def test_a_folder_that_cannot_be_written_is_said(empty: RunningSandbox, workdir: Path) -> None:
    sync_from(empty, tables=["users", "user_authenticators"])
    (workdir / "out").mkdir()
    (workdir / "out" / "models").write_text("a file")
    done = command("models", "export", "dbt", "--out", "out")
    assert done.returncode == 2
    assert "Cannot write the dbt package to out: File exists." in done.stderr
    assert "choose another folder with --out" in done.stderr
