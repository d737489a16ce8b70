"""The pipeline that loaded a dataset, for reading it."""

from __future__ import annotations

import atexit
import shutil
import tempfile

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.duckdb_file import database_file
from dlt_authsignal.destination.errors import translate_errors
from dlt_authsignal.destination.load_hints import check_ready
from dlt_authsignal.errors import NoData
from dlt_authsignal.project.names import dataset_name_or, pipeline_name_or
from dlt_authsignal.project.pipelines import look_at_pipeline


def _passing_folder() -> str:
    folder = tempfile.mkdtemp(prefix="authsignal-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def attach(*, destination: str = "duckdb", dataset: str | None = None, pipeline_name: str | None = None) -> Pipeline:
    """The pipeline that loaded a dataset, for reading it. Nothing is made: no file, and no folder of dlt's.

    Raises:
        NoData: There is no such DuckDB file.
        ConfigurationError: The pipeline belongs to another project.
    """
    with translate_errors(destination):
        pipeline = look_at_pipeline(
            pipeline_name_or(pipeline_name),
            destination=destination,
            dataset=dataset_name_or(dataset),
            scratch=_passing_folder(),
        )
        check_ready(pipeline)
        file = database_file(pipeline)
        if file and not file.exists():
            raise NoData(pipeline.pipeline_name, str(file))
        if not pipeline.default_schema_name:
            pipeline.sync_destination()  # on a new disk, what dlt knows of the dataset is in the destination only
        return pipeline
