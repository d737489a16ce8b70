"""Where dlt keeps a pipeline's state: in the project, unless a setting of dlt's names another place.

dlt's own default is one folder for the whole machine. There, two projects with the same pipeline name share their
state, and dlt keeps the DuckDB file in the folder of the first run.
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
    """Where the state of one pipeline is.

    Attributes:
        pipeline_name: The pipeline.
        parent: Folder that holds the pipeline's folder, its lock and its record of runs; absolute.
        in_project: Whether it moves with the project: its path is relative to the project's folder.
        is_configured: Whether dlt finds it without us.
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
        """Whether the pipeline has loaded, or was about to."""
        return bool(state_in(self.path).get("schema_names"))

    @property
    def started_in(self) -> Path | None:
        """Folder of the pipeline's first run; None if it has none, or goes wherever its project goes."""
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
    """Return what dlt has noted of a pipeline in its folder; empty if it has not started."""
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
    """Whether two paths are of one folder."""
    return one.resolve() == other.resolve()


def _data_dir_is_chosen() -> bool:
    """By DLT_DATA_DIR, or by a workspace of dlt's, which has folders of its own."""
    return known_env.DLT_DATA_DIR in os.environ or type(active()) is not RunContext
