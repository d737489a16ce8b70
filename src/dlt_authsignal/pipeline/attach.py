"""The pipeline that loaded a dataset, for reading it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import dlt
from dlt.common.pipeline import get_dlt_pipelines_dir
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.dlt_patches import adapt_dlt, remove_with
from dlt_authsignal.destination.duckdb_file import database_file
from dlt_authsignal.destination.errors import translate_errors
from dlt_authsignal.destination.load_hints import check_ready
from dlt_authsignal.errors import NoData

PIPELINE_NAME: Final = "authsignal_pipeline"


DATASET_NAME: Final = "authsignal_data"


def is_begun(pipeline_name: str) -> bool:
    """Whether dlt keeps a folder for the pipeline on this machine."""
    return Path(get_dlt_pipelines_dir(), pipeline_name).is_dir()


def begun_elsewhere(pipeline_name: str = PIPELINE_NAME) -> Path | None:
    """The other folder in which a pipeline was begun, and where it keeps its DuckDB file; None if it is this one."""
    if not is_begun(pipeline_name):
        return None
    begun_in = Path(dlt.attach(pipeline_name).get_local_state_val("initial_cwd"))
    return None if begun_in == Path.cwd() else begun_in


def attach(*, destination: str = "duckdb", dataset: str = DATASET_NAME, pipeline_name: str = PIPELINE_NAME) -> Pipeline:
    """The pipeline that loaded a dataset, for reading it. Nothing is made: no file, and no folder of dlt's.

    Raises:
        NoData: There is no such DuckDB file.
    """
    with translate_errors(destination):
        folder = (
            None
            if is_begun(pipeline_name)
            else tempfile.TemporaryDirectory(prefix="authsignal-", ignore_cleanup_errors=True)
        )
        pipeline = dlt.pipeline(
            pipeline_name,
            pipelines_dir=folder.name if folder else get_dlt_pipelines_dir(),
            destination=destination,
            dataset_name=dataset,
        )
        if folder:
            remove_with(pipeline, folder)
        adapt_dlt(pipeline)
        check_ready(pipeline)
        file = database_file(pipeline)
        if file and not file.exists():
            raise NoData(pipeline_name, str(file))
        if not pipeline.default_schema_name:
            pipeline.sync_destination()  # on a new disk, what dlt knows of the dataset is in the destination only
        return pipeline
