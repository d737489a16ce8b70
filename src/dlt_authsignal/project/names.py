"""Return the names of a project's pipeline and dataset."""

from typing import Final

from dlt.common.configuration import with_config

PIPELINE_NAME: Final = "authsignal_pipeline"
DATASET_NAME: Final = "authsignal_data"


def pipeline_name_or(given: str | None) -> str:
    """Return the given name, else `pipeline_name` of `[sources.authsignal_source]`, else the default."""
    return given or _configured()[0]


def dataset_name_or(given: str | None) -> str:
    """Return the given name, else `dataset_name` of `[sources.authsignal_source]`, else the default."""
    return given or _configured()[1]


@with_config(sections=("sources", "authsignal_source"))
def _configured(pipeline_name: str = PIPELINE_NAME, dataset_name: str = DATASET_NAME) -> tuple[str, str]:
    return pipeline_name, dataset_name
