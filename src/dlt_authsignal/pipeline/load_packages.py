"""What an interrupted run left on this machine's disk: finished, or dropped if somebody has loaded newer rows since."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from itertools import islice
from typing import Any, Final

from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.storages import FileStorage
from dlt.pipeline.exceptions import PipelineStepFailed
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import sql_client
from dlt_authsignal.destination.stores.queries import committed
from dlt_authsignal.destination.stores.store import is_made_of_files
from dlt_authsignal.errors import RunFailed

MAX_PENDING_RUNS: Final = 10
_HOLD_ROWS: Final = frozenset({"parquet", "csv", "jsonl"})


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
    if _is_late(pipeline) or _is_cleared(pipeline):
        pipeline.abort_packages()
        return Pending.DROPPED
    for runs in range(MAX_PENDING_RUNS):
        if not pipeline.has_pending_data:
            return Pending.FINISHED if runs else Pending.NONE
        with _way_on(pipeline):
            pipeline.run()
    raise RunFailed(
        f'Pipeline "{pipeline.pipeline_name}" still has unfinished loads after {MAX_PENDING_RUNS} tries.'
        f" Look at them with: dlt pipeline {pipeline.pipeline_name} info"
    )


@contextmanager
def _way_on(pipeline: Pipeline) -> Iterator[None]:
    """A load that the destination refuses each time would keep every later sync from reading."""
    try:
        yield
    except PipelineStepFailed as error:
        error.add_note(
            "An earlier sync left this load unfinished, and each sync tries it first. If it cannot be mended, drop it:"
            f" dlt pipeline {pipeline.pipeline_name} abort-packages. The next sync reads its users again."
        )
        raise


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


def _is_cleared(pipeline: Pipeline) -> bool:
    """Whether another load has begun since, and has emptied the staging tables in which part of what is pending stood.

    Going on would merge what is left of it, and note all of it as loaded.
    """
    loaded = {
        job.job_file_info.table_name
        for load_id in pipeline.list_normalized_load_packages()
        for job in pipeline.get_load_package_info(load_id).jobs["completed_jobs"]
        if job.job_file_info.file_format in _HOLD_ROWS and _has_rows(job.file_path)
    }
    if not loaded or is_made_of_files(pipeline):  # which has no staging tables
        return False
    with sql_client(pipeline) as client, client.with_staging_dataset():
        return any(_staged(client, table) != set(pipeline.list_normalized_load_packages()[:1]) for table in loaded)


def _staged(client: Any, table: str) -> set[str]:
    """Ids of the loads whose rows stand in a staging table."""
    column = client.escape_column_name("_dlt_load_id")
    try:
        rows = client.execute_sql(f"SELECT DISTINCT {column} FROM {client.make_qualified_table_name(table)}")
    except DestinationUndefinedEntity:
        return set()
    return {str(load_id) for (load_id,) in rows or ()}


def _has_rows(path: str) -> bool:
    if path.endswith(".parquet"):
        import pyarrow.parquet as pq

        return bool(pq.read_metadata(path).num_rows)
    with FileStorage.open_zipsafe_ro(path, "rb") as file:
        return sum(1 for _ in islice(file, 2)) == 2  # of a CSV, the first line is the header


def _tables(pipeline: Pipeline, load_ids: list[str]) -> set[str]:
    packages = [pipeline.get_load_package_info(load_id) for load_id in load_ids]
    names = {job.job_file_info.table_name for package in packages for jobs in package.jobs.values() for job in jobs}
    return {name for name in names if not name.startswith("_dlt")}


def _newest_load(pipeline: Pipeline, table: str) -> str:
    """The newest completed load that rows of a table came with; blank if there is none."""
    import pyarrow.compute as pc

    found = (pc.max(load_ids).as_py() for (load_ids,) in committed(pipeline, table, "_dlt_load_id"))
    return max((load_id for load_id in found if load_id), default="")


def abort_packages_before(pipeline: Pipeline, moment: datetime | None) -> bool:
    """Drops the pending packages if one was begun before a moment; says whether it did.

    Another machine erased somebody then, whom these may hold.
    """
    if moment is None or not pipeline.has_pending_data:
        return False
    pending = [*pipeline.list_extracted_load_packages(), *pipeline.list_normalized_load_packages()]
    is_older = any(float(load_id) < moment.timestamp() for load_id in pending)
    if is_older:
        pipeline.abort_packages()
    return is_older
