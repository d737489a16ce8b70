"""Move pipeline state of an earlier version from dlt's machine-wide folder into the project that started it."""

import shutil
from pathlib import Path

from dlt.common.pipeline import get_dlt_pipelines_dir
from filelock import FileLock, Timeout

from dlt_authsignal.errors import PipelineBusy
from dlt_authsignal.project.private_files import FILE, keep_private
from dlt_authsignal.project.working_folder import IN_PROJECT, WorkingFolder, is_same, project_folder, started_in


def move_into_project(where: WorkingFolder) -> str | None:
    """Move a pipeline's state out of the machine-wide folder, if this project created it there.

    Pending load packages and the record of runs are moved too. State of other projects is not changed.

    Returns:
        What was moved, in one sentence; None if there was nothing to move.

    Raises:
        PipelineBusy: A run is using it.
    """
    earlier = Path(get_dlt_pipelines_dir()).absolute() / where.pipeline_name
    first_run = started_in(earlier)
    if where.has_run or first_run is None or not is_same(first_run, project_folder()) or earlier == where.path:
        return None
    lock = FileLock(earlier.parent / f"{where.pipeline_name}.lock", mode=FILE)
    try:
        with lock.acquire(timeout=0):
            _move(earlier, where.path)
    except Timeout:
        raise PipelineBusy(
            f'Another run of pipeline "{where.pipeline_name}", of an earlier version, is running on this machine.'
            " Nothing was changed. Wait for it to end."
        ) from None
    Path(lock.lock_file).unlink(missing_ok=True)
    return f'Moved dlt\'s state of "{where.pipeline_name}" from {earlier.parent} into this folder ({IN_PROJECT}).'


def _move(earlier: Path, path: Path) -> None:
    """Move the folder. If killed meanwhile, the earlier folder is still complete, and the next run moves it."""
    copy = path.with_name(f"{path.name}.moving")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.rmtree(path, ignore_errors=True)  # it has never run: dlt would remove it too
    shutil.copytree(earlier, copy)
    runs = earlier.with_name(f"{earlier.name}.runs.jsonl")
    if runs.exists():
        shutil.copy2(runs, path.with_name(runs.name))
        keep_private(path.with_name(runs.name))
    keep_private(copy)
    copy.rename(path)
    shutil.rmtree(earlier)
    runs.unlink(missing_ok=True)
