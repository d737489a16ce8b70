"""The pipeline that is running."""

from typing import cast

from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext
from dlt.pipeline.pipeline import Pipeline


def running_pipeline() -> Pipeline:
    """Return the pipeline that is active in this process, or dlt's default one.

    `dlt.current.pipeline()` returns the same, but first resolves every setting of a new pipeline.
    """
    return cast(Pipeline, Container()[PipelineContext].pipeline())
