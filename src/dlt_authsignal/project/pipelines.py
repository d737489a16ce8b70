"""Open a project's pipeline with its state in the project's folder, and refuse pipelines of other projects."""

import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import dlt
from dlt.common.configuration.container import Container
from dlt.common.configuration.exceptions import ConfigurationValueError
from dlt.common.destination import Destination, TDestinationReferenceArg
from dlt.common.pipeline import PipelineContext
from dlt.common.storages import WithLocalFiles
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.project.earlier_state import move_into_project
from dlt_authsignal.project.private_files import keep_private, make_folder, replace_text
from dlt_authsignal.project.working_folder import WorkingFolder, is_same, project_folder, working_folder

_FIRST_RUN: Final = "initial_cwd"
_ADVICE: Final = (
    "DLT_DATA_DIR or pipelines_dir makes both projects keep dlt's state in one folder. Remove that setting, or give"
    " this project's pipeline another name: --pipeline-name NAME, or for all commands"
    ' pipeline_name = "NAME" under [sources.authsignal_source] in .dlt/config.toml.'
)
_INIT: Final = "To keep dlt's state in this project's folder, run: dlt-authsignal init"
_PENDING: Final = ("load/normalized/*", "normalize/extracted/*")


def open_pipeline(
    pipeline_name: str, *, destination: str, dataset: str, notes: list[str] | None = None, **options: Any
) -> Pipeline:
    """Return a project's pipeline for a run. Creates its folder, and moves state of an earlier version into it.

    Args:
        pipeline_name: dlt pipeline name.
        destination: dlt destination name.
        dataset: Dataset (schema) name.
        notes: Receives a sentence on what was moved.
        **options: Further arguments of `dlt.pipeline`.

    Raises:
        ConfigurationError: The pipeline belongs to another project, where nothing was changed.
    """
    where = check_is_usable(pipeline_name, destination)
    _create(where)
    moved = move_into_project(where) if where.in_project else None
    if moved and notes is not None:
        notes.append(moved)
    return _opened(where, destination=destination, dataset_name=dataset, **options)


def look_at_pipeline(pipeline_name: str, *, destination: str, dataset: str, scratch: str) -> Pipeline:
    """Return a project's pipeline for reading.

    Its state is in a scratch folder if it has not run here, or if this account cannot write its folder.

    Raises:
        ConfigurationError: The pipeline belongs to another project, where nothing was changed.
    """
    where = working_folder(pipeline_name)
    check_is_ours(where, destination)
    if os.path.isdir(where.path) and os.access(where.path, os.W_OK | os.X_OK):
        return _opened(where, destination=destination, dataset_name=dataset)
    return try_pipeline(pipeline_name, scratch, destination=destination, dataset=dataset)


def try_pipeline(pipeline_name: str, scratch: str, *, destination: TDestinationReferenceArg, dataset: str) -> Pipeline:
    """Return a pipeline with the project's destination and dataset, and its state in a scratch folder."""
    pipeline = dlt.pipeline(pipeline_name, scratch, destination=destination, dataset_name=dataset)
    _bind(pipeline, project_folder())
    return pipeline


def bring_state(pipeline_name: str) -> str | None:
    """Move state of an earlier version into the project, if there is any; return a sentence on it."""
    where = working_folder(pipeline_name)
    return move_into_project(where) if where.in_project else None


def check_is_usable(pipeline_name: str, destination: str) -> WorkingFolder:
    """Return where a pipeline's state is kept, after checking that a sync can use it. Nothing is written.

    Raises:
        ConfigurationError: The pipeline belongs to another project, or the folder cannot be written.
    """
    where = working_folder(pipeline_name)
    check_is_ours(where, destination)
    place = next(
        path for path in (where.path, *where.path.parents) if os.path.exists(path)
    )  # Path.exists raises without rights
    if reason := _refusal(place):
        raise ConfigurationError(
            f"Cannot write in {place} ({reason}), where dlt would keep the state of pipeline"
            f' "{pipeline_name}" ({where.path}). Nothing was changed. Run the command in a folder that you can write'
            " in, or set the environment variable PIPELINES_DIR to a folder that only this project uses."
        )
    return where


def check_can_be_erased(pipeline_name: str, destination: str) -> None:
    """Check that this account can remove rows from a pipeline's state, if it has run on this machine.

    Raises:
        ConfigurationError: The folder cannot be written. Nothing was changed.
    """
    try:
        os.stat(working_folder(pipeline_name).path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError:  # without the right to look, it may exist
        pass
    check_is_usable(pipeline_name, destination)


def check_is_ours(where: WorkingFolder, destination: TDestinationReferenceArg) -> None:
    """Refuse a pipeline that another project started in a folder that both share.

    Raises:
        ConfigurationError: It keeps its database in that project.
    """
    first_run = None if where.in_project else where.started_in
    if first_run is None or is_same(first_run, project_folder()):
        return
    there, here = _places(where, destination, (first_run, project_folder()))
    if there != here and not _is_left(where, first_run, here):
        raise ConfigurationError(
            f'Pipeline "{where.pipeline_name}" belongs to another project: it first ran in {first_run} and loads'
            f" into a database there. Nothing was changed. {_ADVICE if where.is_configured else _INIT}"
        )


def check_active_pipeline() -> None:
    """Bind a script's active pipeline to the project's folder, or refuse it.

    Raises:
        ConfigurationError: It belongs to another project.
    """
    context = Container()[PipelineContext]
    active = context.pipeline() if context.is_active() else None
    if isinstance(active, Pipeline) and active.destination is not None:
        check_pipeline(active)


def check_pipeline(pipeline: Pipeline) -> None:
    """Bind a pipeline that dlt opened to the project's folder, or refuse it.

    Raises:
        ConfigurationError: It belongs to another project.
    """
    where = working_folder(pipeline.pipeline_name)
    parent = Path(pipeline.pipelines_dir).absolute()
    in_project = where.in_project and is_same(parent, where.parent)
    found = replace(where, parent=parent, in_project=in_project)
    check_is_ours(found, pipeline.destination)
    if not found.has_run:  # dlt has created the folder with the permissions that the umask gives
        keep_private(found.path)
    _record_folder(pipeline, found)


def _opened(where: WorkingFolder, **options: Any) -> Pipeline:
    is_new = not where.has_run
    pipeline: Pipeline = dlt.pipeline(where.pipeline_name, str(where.parent), **options)
    if is_new:
        keep_private(where.path)
    _record_folder(pipeline, where)
    return pipeline


def _record_folder(pipeline: Pipeline, where: WorkingFolder) -> None:
    """Record the project's folder in the pipeline's state: relative if the state moves with the project."""
    here = project_folder()
    noted = pipeline.get_local_state_val(_FIRST_RUN)
    if where.in_project:
        wanted = "." if here == Path.cwd() else str(here)
    else:
        gone = not Path(noted).is_dir()
        wanted = str(here) if gone else noted
    if wanted != noted:
        pipeline.set_local_state_val(_FIRST_RUN, wanted)
        setattr(pipeline, _FIRST_RUN, wanted)  # dlt writes back the value that it read when it opened the pipeline
    _bind(pipeline, here / wanted)


def _bind(pipeline: Pipeline, folder: Path) -> None:
    """Set an absolute path for the destination's local files, so that a change of directory does not move them."""
    for used in (pipeline.destination, pipeline.staging):
        if used is not None and "local_dir" in used.config_params:
            used.config_params["local_dir"] = str(folder)


def _places(where: WorkingFolder, destination: TDestinationReferenceArg, folders: Iterable[Path]) -> list[str | None]:
    """Return where a destination keeps its data, for a pipeline that was started in each folder."""
    factory = Destination.from_reference(destination)
    if factory is None or not issubclass(factory.spec, WithLocalFiles):
        return [None for _ in folders]  # a server: its location does not depend on the folder
    kept = dict(factory.config_params)
    context = {"pipeline_name": where.pipeline_name, "pipeline_working_dir": str(where.path)}
    places: list[str | None] = []
    try:
        for folder in folders:
            factory.config_params.update(context, local_dir=str(folder))
            unbound: Any = factory.spec()
            with suppress(AttributeError):
                unbound._bind_dataset_name("any")
            try:
                places.append(factory.configuration(unbound).data_location())
            except ConfigurationValueError:  # in memory, for instance
                places.append(None)
    finally:
        factory.config_params.clear()
        factory.config_params.update(kept)
    return places


def _is_left(where: WorkingFolder, first_run: Path, database: str | None) -> bool:
    """Whether the project that started the pipeline no longer exists, and was moved here or left nothing to load."""
    if first_run.is_dir():
        return False
    pending = any(path for pattern in _PENDING for path in where.path.glob(pattern))
    return not pending or (database is not None and Path(database).exists())


def _create(where: WorkingFolder) -> None:
    make_folder(where.parent)
    ignored = where.parent / ".gitignore"
    if where.in_project and not ignored.exists():
        replace_text(ignored, "*\n")


def _refusal(folder: Path) -> str | None:
    """Return why no file can be written in a folder; None if one can."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or type(error).__name__
