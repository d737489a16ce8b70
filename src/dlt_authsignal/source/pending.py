"""What an interrupted run left on this machine's disk: finished, or dropped if somebody has loaded newer rows since."""

from enum import Enum
from typing import Final

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.errors import RunFailed
from dlt_authsignal.source.held import committed

MAX_PENDING_RUNS: Final = 10


class Pending(Enum):
    """What became of it."""

    NONE = "none"
    FINISHED = "finished"
    DROPPED = "dropped"


def finish_pending(pipeline: Pipeline) -> Pending:
    """Loads what an interrupted run left; `run` with new data would do only that, and not read anything.

    What is older than rows that were loaded since, from another machine, would undo them: it is dropped. Its users
    are read again, since reads of a load that was never completed are not believed.
    """
    _finish_abort(pipeline)
    if _is_late(pipeline):
        pipeline.abort_packages()
        return Pending.DROPPED
    for runs in range(MAX_PENDING_RUNS):
        if not pipeline.has_pending_data:
            return Pending.FINISHED if runs else Pending.NONE
        pipeline.run()
    raise RunFailed(
        f'Pipeline "{pipeline.pipeline_name}" still has unfinished loads after {MAX_PENDING_RUNS} tries.'
        f" Look at them with: dlt pipeline {pipeline.pipeline_name} info"
    )


def _finish_abort(pipeline: Pipeline) -> None:
    """Goes on with a drop that was interrupted: else dlt's next load would do that, and drop what it was to load."""
    if pipeline.list_normalized_load_packages() and not pipeline.has_pending_data:
        pipeline.load()


def _is_late(pipeline: Pipeline) -> bool:
    """Whether a load that began after what is pending has been completed in one of the tables that it is for.

    Ids of loads are the times when they began, and one sync into a dataset begins after another has ended.
    """
    pending = sorted([*pipeline.list_extracted_load_packages(), *pipeline.list_normalized_load_packages()])
    if not pending:
        return False
    return any(_newest_load(pipeline, table) > pending[0] for table in _tables(pipeline, pending))


def _tables(pipeline: Pipeline, load_ids: list[str]) -> set[str]:
    packages = [pipeline.get_load_package_info(load_id) for load_id in load_ids]
    names = {job.job_file_info.table_name for package in packages for jobs in package.jobs.values() for job in jobs}
    return {name for name in names if not name.startswith("_dlt")}


def _newest_load(pipeline: Pipeline, table: str) -> str:
    """The newest completed load that rows of a table came with; blank if there is none."""
    import pyarrow.compute as pc

    found = (pc.max(load_ids).as_py() for (load_ids,) in committed(pipeline, table, "_dlt_load_id"))
    return max((load_id for load_id in found if load_id), default="")
