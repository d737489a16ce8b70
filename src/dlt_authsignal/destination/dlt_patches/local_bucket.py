"""Create the folder of a lake on a local disk before dlt does, so that other accounts cannot read its files."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.registry import destination_of_type
from dlt_authsignal.project.private_files import make_folder


def make_private_bucket(pipeline: Pipeline) -> None:
    """Create a missing local `bucket_url` with mode 0700. An existing folder keeps its mode.

    A folder that cannot be created is left to dlt, which reports it.
    """
    if pipeline.destination is None or destination_of_type(pipeline.destination.destination_type).name != "filesystem":
        return
    config: Any = pipeline.destination_client().config
    if getattr(config, "is_local_filesystem", False):
        with suppress(OSError):
            make_folder(Path(config.make_local_path(config.bucket_url)))
