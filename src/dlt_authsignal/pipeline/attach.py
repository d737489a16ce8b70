"""Create the pipeline of a command, or attach to the one that loaded a dataset."""

from __future__ import annotations

import tempfile
from typing import Any, Final

from dlt.destinations.exceptions import DatabaseTerminalException
from dlt.pipeline.exceptions import PipelineStepFailed
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.dlt_patches import adapt_dlt, remove_with
from dlt_authsignal.destination.duckdb_file import database_file
from dlt_authsignal.destination.errors import translate_errors
from dlt_authsignal.destination.load_hints import check_ready
from dlt_authsignal.errors import ConfigurationError, NoData
from dlt_authsignal.pipeline.older_layout import check_layout
from dlt_authsignal.project.names import dataset_name_or, pipeline_name_or
from dlt_authsignal.project.pipelines import look_at_pipeline, open_pipeline, try_pipeline

_DLTS: Final = ("_dlt_loads", "_dlt_version", "_dlt_pipeline_state")


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
        DatasetTooOld: An earlier version made the dataset, with tables that cannot be upgraded.
        NoData: The DuckDB file does not exist.
        ConfigurationError: The pipeline belongs to another project.
    """
    pipeline = attach_any(destination=destination, dataset=dataset, pipeline_name=pipeline_name)
    check_layout(pipeline)
    return pipeline


def attach_any(
    *, destination: str = "duckdb", dataset: str | None = None, pipeline_name: str | None = None
) -> Pipeline:
    """Do the same as `attach`, even if an earlier version made the dataset.

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
            fetch_schema(pipeline)  # on a new machine, dlt's schema of the dataset is only in the destination
        return pipeline


def look_apart(
    *, destination: str = "duckdb", dataset: str | None = None, pipeline_name: str | None = None
) -> Pipeline:
    """Return the pipeline that loads a dataset, with dlt's state in a temporary folder that is removed with it.

    The dataset may be missing. No connection is made yet.

    Raises:
        ConfigurationError: The destination or the pipeline's name is unknown.
    """
    with translate_errors(destination):
        folder = tempfile.TemporaryDirectory(prefix="authsignal-", ignore_cleanup_errors=True)
        pipeline = try_pipeline(
            pipeline_name_or(pipeline_name), folder.name, destination=destination, dataset=dataset_name_or(dataset)
        )
        remove_with(pipeline, folder)
        return pipeline


def fetch_schema(pipeline: Pipeline) -> None:
    """Fetch the schema and the state that other machines stored.

    If dlt's own tables lack columns, this machine's schema stays in use.

    Raises:
        ConfigurationError: They lack columns, and this machine has no schema yet. The message says what to do.
    """
    try:
        pipeline.sync_destination()
    except PipelineStepFailed as error:
        if not isinstance(error.exception, DatabaseTerminalException):
            raise
        if pipeline.default_schema_name:
            return
        dropped = ", ".join(f"{pipeline.dataset_name}.{name}" for name in _DLTS)
        raise ConfigurationError(
            f'dlt\'s own tables in dataset "{pipeline.dataset_name}" cannot be read: a column is missing. Nothing was'
            " changed. Run dlt-authsignal sync on a machine that has synced this dataset: it creates them again. If"
            f" there is none, drop them, and the next sync creates them and reads all users again: DROP TABLE {dropped}"
        ) from None
