"""Write the setting to `.dlt/config.toml` with which plain dlt finds a pipeline's state in its project."""

import os
from pathlib import Path
from typing import Final

import dlt
import tomlkit
from dlt.common.runtime.run_context import active
from tomlkit.exceptions import TOMLKitError

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.project.private_files import make_folder, replace_text
from dlt_authsignal.project.text_files import read_text, with_line_ends_of
from dlt_authsignal.project.working_folder import IN_PROJECT, WorkingFolder

SETTING: Final = "pipelines_dir"


def remember(where: WorkingFolder) -> str | None:
    """Write to `.dlt/config.toml` where a pipeline's state is, unless dlt already finds it.

    Returns:
        One sentence on what was written, or what to write by hand if that failed; None if there was nothing to do.
    """
    if where.is_configured:
        return None
    dlt.config[f"pipelines.{where.pipeline_name}.{SETTING}"] = IN_PROJECT  # for the rest of this process
    path = Path(active().settings_dir) / "config.toml"
    lines = f'[pipelines.{where.pipeline_name}] {SETTING} = "{IN_PROJECT}"'
    try:
        _add(path, where.pipeline_name)
    except (OSError, TOMLKitError, ConfigurationError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not valid TOML"
        return f"Could not write {path} ({reason}). For scripts and queries with dlt, add to it: {lines}"
    shown = os.path.relpath(path)
    return f'Wrote {shown}: dlt keeps the state of "{where.pipeline_name}" in this folder ({IN_PROJECT}).'


def _add(path: Path, pipeline_name: str) -> None:
    document = tomlkit.parse(read_text(path)) if path.exists() else tomlkit.document()
    pipelines = document.setdefault("pipelines", tomlkit.table(is_super_table=True))
    pipelines.setdefault(pipeline_name, tomlkit.table()).setdefault(SETTING, IN_PROJECT)
    make_folder(path.parent)
    replace_text(path, with_line_ends_of(path, tomlkit.dumps(document)))
