"""Create the pipeline of a command, or attach to the one that loaded a dataset."""

from __future__ import annotations

import tempfile
from typing import Any

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.dlt_patches import adapt_dlt, remove_with
from dlt_authsignal.destination.duckdb_file import database_file
from dlt_authsignal.destination.errors import translate_errors
from dlt_authsignal.destination.load_hints import check_ready
from dlt_authsignal.errors import NoData
from dlt_authsignal.project.names import dataset_name_or, pipeline_name_or
from dlt_authsignal.project.pipelines import look_at_pipeline, open_pipeline


def make_pipeline(
    *,
    destination: str = "duckdb",
    staging: str | None = None,
    dataset: str | None = None,
    pipeline_name: str | None = None,
    progress: Any = None,
    notes: list[str] | None = None,
) -> Pipeline:
    """Return the pipeline that a command loads with.

    Args:
        destination: dlt destination name; dlt resolves its credentials.
        staging: dlt destination to load through, a bucket. For Redshift.
        dataset: Dataset (schema) to load into. Default: `dataset_name` in `.dlt/config.toml`, or `authsignal_data`.
        pipeline_name: Names dlt's state, and the DuckDB file. Default: `pipeline_name` in `.dlt/config.toml`, or
            `authsignal_pipeline`.
        progress: dlt's progress collector.
        notes: Receives a sentence if state of an earlier version was moved into the project.

    Raises:
        ConfigurationError: The destination or the pipeline's name is unknown, or the pipeline belongs to another
            project.
    """
    with translate_errors(destination):
        return open_pipeline(
            pipeline_name_or(pipeline_name),
            destination=destination,
            dataset=dataset_name_or(dataset),
            notes=notes,
            staging=staging,
            progress=progress,
        )


def attach(*, destination: str = "duckdb", dataset: str | None = None, pipeline_name: str | None = None) -> Pipeline:
    """Return the pipeline that loaded a dataset, for reading. Creates no database file and no folder in dlt's state.

    Raises:
        NoData: The DuckDB file does not exist.
        ConfigurationError: The pipeline belongs to another project.
    """
    with translate_errors(destination):
        folder = tempfile.TemporaryDirectory(prefix="authsignal-", ignore_cleanup_errors=True)
        pipeline = look_at_pipeline(
            pipeline_name_or(pipeline_name),
            destination=destination,
            dataset=dataset_name_or(dataset),
            scratch=folder.name,
        )
        remove_with(pipeline, folder)
        adapt_dlt(pipeline)
        check_ready(pipeline)
        file = database_file(pipeline)
        if file and not file.exists():
            raise NoData(pipeline.pipeline_name, str(file))
        if not pipeline.default_schema_name:
            pipeline.sync_destination()  # on a new machine, dlt's schema of the dataset is only in the destination
        return pipeline
