"""What a destination needs and does not have is said before anything is read."""

from pathlib import Path

import pytest

from dlt_authsignal.destination.errors import translate_errors
from dlt_authsignal.destination.registry import DESTINATIONS, OBJECT_STORES
from dlt_authsignal.errors import ConfigurationError, ExtraMissing, RunFailed
from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import at, python, sync_from


@pytest.fixture
def lake(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(workdir / "lake"))
    return workdir / "lake"


@pytest.mark.parametrize("name", ["snowflake", "bigquery", "databricks"])
def test_a_missing_extra_is_reported_with_its_install_command(empty: RunningSandbox, name: str) -> None:
    with pytest.raises(ExtraMissing, match=rf"pip install '\S+\[{name}\]'"):
        sync_from(empty, destination=name)
    assert empty.sandbox.log.by_route == {}


@pytest.mark.parametrize(("bucket", "extra"), [("gs://bucket/folder", "gcs"), ("az://container/folder", "azure")])
def test_a_bucket_whose_extra_is_missing_is_reported_before_anything_is_read(
    empty: RunningSandbox, monkeypatch: pytest.MonkeyPatch, bucket: str, extra: str
) -> None:
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", bucket)
    with pytest.raises(ExtraMissing, match=rf"pip install '\S+\[{extra}\]'"):
        sync_from(empty, destination="filesystem")
    assert empty.sandbox.log.by_route == {}


def test_every_mentioned_extra_exists() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    extras = {destination.extra for destination in DESTINATIONS.values()} | {"iceberg"}
    extras |= {extra for _, extra in OBJECT_STORES.values()}
    assert extras - {None} <= set(project["optional-dependencies"])


def test_plain_files_are_refused_because_syncs_would_add_duplicates(
    empty: RunningSandbox, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__FILESYSTEM__TABLE_FORMAT", "parquet")
    with pytest.raises(ConfigurationError, match="syncs would add duplicates"):
        sync_from(empty, destination="filesystem")
    assert not lake.exists()


def test_a_missing_file_that_is_not_the_database_is_not_reported_as_the_database() -> None:
    with pytest.raises(RunFailed, match="No such file or directory: 'extracted'"), translate_errors("duckdb"):
        raise FileNotFoundError(2, "No such file or directory", "extracted")


@pytest.mark.deep
def test_a_dataset_keeps_its_first_table_format(
    empty: RunningSandbox, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_from(empty, destination="filesystem")
    monkeypatch.setenv("DESTINATION__FILESYSTEM__TABLE_FORMAT", "iceberg")
    with pytest.raises(ConfigurationError, match="holds tables of format delta"):
        sync_from(empty, destination="filesystem")


SOURCE_FIRST = """
import dlt
from dlt_authsignal import authsignal_source

source = authsignal_source()
dlt.pipeline("late", destination="filesystem", dataset_name="authsignal_data").run(source)
"""


def test_a_source_created_before_its_pipeline_is_refused_for_files(empty: RunningSandbox, lake: Path) -> None:
    done = python("-c", SOURCE_FIRST, env=at(empty))
    assert "Create the pipeline first" in done.stderr
    assert not list(lake.rglob("*.parquet"))


def test_a_named_destination_is_treated_by_its_type(
    empty: RunningSandbox, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__OUR_LAKE__DESTINATION_TYPE", "filesystem")
    monkeypatch.setenv("DESTINATION__OUR_LAKE__BUCKET_URL", str(workdir / "ours"))
    sync_from(empty, destination="our_lake", tables=["tenant_authenticators"])
    assert list(workdir.glob("ours/authsignal_data/tenant_authenticators/_delta_log/*.json"))
