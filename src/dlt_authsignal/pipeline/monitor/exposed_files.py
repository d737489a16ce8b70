"""Find files with keys or personal data that other accounts of this machine can read."""

import os
import shlex
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from dlt.common.runtime.run_context import active

from dlt_authsignal.destination.duckdb_file import database_file
from dlt_authsignal.destination.registry import destination_of_type
from dlt_authsignal.project.pipelines import try_pipeline
from dlt_authsignal.project.private_files import readable_by_others
from dlt_authsignal.project.working_folder import working_folder

MOST: Final = 1000
"""Files beside a database that are looked at."""


def exposed_files(destination: str, pipeline_name: str) -> list[Path]:
    """Return the files and folders of a project that other accounts can read: keys, database, its copies, dlt's state.

    Nothing is created or changed.

    Args:
        destination: dlt destination name.
        pipeline_name: Name of the pipeline.
    """
    where = working_folder(pipeline_name)
    found = [
        Path(active().settings_dir) / "secrets.toml",
        where.path,
        where.path.with_name(f"{pipeline_name}.runs.jsonl"),
    ]
    return list(dict.fromkeys(readable_by_others(*found, *_data(destination, pipeline_name))))


def _data(destination: str, pipeline_name: str) -> Iterator[Path]:
    """Yield the DuckDB file and its copies, or the folder of a lake on a local disk."""
    with tempfile.TemporaryDirectory() as folder:
        pipeline = try_pipeline(pipeline_name, folder, destination=destination, dataset="any")
        if file := database_file(pipeline):
            yield file
            beside = islice(file.parent.glob(f"*{file.name}*"), MOST)
            yield from (path for path in beside if path.suffix != ".lock")  # it is empty
        elif destination_of_type(pipeline.destination.destination_type).name == "filesystem":
            config: Any = pipeline.destination_client().config
            if config.is_local_filesystem:
                yield Path(config.make_local_path(config.bucket_url))


def closing_command(paths: Iterable[Path]) -> str:
    """Return the command that takes these files from other accounts."""
    return f"chmod go= {' '.join(shlex.quote(_shown(path)) for path in paths)}"


def _shown(path: Path) -> str:
    """Return a path relative to the current folder, if it is inside it."""
    try:
        return os.fspath(path.relative_to(Path.cwd()))
    except (ValueError, OSError):  # elsewhere, or the current folder was deleted
        return os.fspath(path)
