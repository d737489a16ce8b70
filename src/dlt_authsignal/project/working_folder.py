"""Find where dlt keeps a pipeline's state: in the project, unless a dlt setting names another place.

dlt's default is one folder for the whole machine. There, two projects with the same pipeline name share their state,
and dlt keeps the DuckDB file in the folder of the first run.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dlt.common import known_env
from dlt.common.configuration import configspec
from dlt.common.configuration.resolve import resolve_configuration
from dlt.common.configuration.specs import BaseConfiguration
from dlt.common.pipeline import get_dlt_pipelines_dir
from dlt.common.runtime.run_context import RunContext, active

IN_PROJECT: Final = ".dlt/.var/pipelines"
"""Relative, so that a project keeps its state when it is moved or copied. git ignores it."""


@configspec
class _Setting(BaseConfiguration):
    pipelines_dir: str | None = None


@dataclass(frozen=True, kw_only=True)
class WorkingFolder:
    """Location of one pipeline's state.

    Attributes:
        pipeline_name: Name of the pipeline.
        parent: Absolute path of the folder with the pipeline's folder, its lock and its record of runs.
        in_project: Whether the state moves with the project: its path is relative to the project's folder.
        is_configured: Whether plain dlt finds it too.
    """

    pipeline_name: str
    parent: Path
    in_project: bool
    is_configured: bool

    @property
    def path(self) -> Path:
        return self.parent / self.pipeline_name

    @property
    def has_run(self) -> bool:
        """Whether the pipeline has loaded, or has started to."""
        return bool(state_in(self.path).get("schema_names"))

    @property
    def started_in(self) -> Path | None:
        """Folder of the pipeline's first run; None if it has not run, or if its state moves with the project."""
        return started_in(self.path)


def working_folder(pipeline_name: str) -> WorkingFolder:
    """Return where the state of a pipeline is kept, as dlt resolves it in the current folder; nothing is created."""
    setting = resolve_configuration(_Setting(), sections=("pipelines", pipeline_name)).pipelines_dir
    if setting is None and _data_dir_is_chosen():
        setting = get_dlt_pipelines_dir()
    chosen = setting or IN_PROJECT
    return WorkingFolder(
        pipeline_name=pipeline_name,
        parent=Path(chosen).absolute(),
        in_project=not os.path.isabs(chosen),
        is_configured=setting is not None,
    )


def project_folder() -> Path:
    """Return the current project's folder: the one where dlt puts local files."""
    return Path(active().local_dir).absolute()


def state_in(folder: Path) -> dict[str, Any]:
    """Return dlt's state file of a pipeline; empty if it has not run."""
    try:
        found = json.loads((folder / "state.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def started_in(folder: Path) -> Path | None:
    """Return the folder of the first run of the pipeline whose state is there."""
    noted = state_in(folder).get("_local", {}).get("initial_cwd")
    return Path(noted) if noted and os.path.isabs(noted) else None


def is_same(one: Path, other: Path) -> bool:
    """Whether two paths point to the same folder."""
    return one.resolve() == other.resolve()


def _data_dir_is_chosen() -> bool:
    """Whether DLT_DATA_DIR is set, or dlt runs in a workspace, which has its own folders."""
    return known_env.DLT_DATA_DIR in os.environ or type(active()) is not RunContext
