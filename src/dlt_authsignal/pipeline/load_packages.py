"""Finish the load of an interrupted run on this machine, or drop it if newer rows were loaded since."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.storages import FileStorage
from dlt.pipeline.exceptions import PipelineStepFailed
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import sql_client
from dlt_authsignal.destination.dlt_patches import merges_directly
from dlt_authsignal.destination.registry import destination_of_type
from dlt_authsignal.destination.stores.queries import committed, schema_of
from dlt_authsignal.destination.stores.store import is_made_of_files
from dlt_authsignal.errors import RunFailed

MAX_PENDING_RUNS: Final = 10
_HEADER_LINES: Final = {"jsonl": 0, "csv": 1, "insert_values": 2}
"""Number of lines before the first row, by file format."""
_HOLD_ROWS: Final = frozenset({"parquet", *_HEADER_LINES})


class Pending(Enum):
    """Result for the unfinished load."""

    NONE = "none"
    FINISHED = "finished"
    DROPPED = "dropped"


def finish_pending(pipeline: Pipeline) -> Pending:
    """Load what an interrupted run left: dlt's `run` with new data would load only that and read nothing.

    A load older than rows that another machine has loaded since would overwrite them, so it is dropped. Its users are
    read again, because reads of a load that was not completed do not count.
    """
    remove_remnants(pipeline)
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
        f" No new data was read. Look at the loads: dlt pipeline {pipeline.pipeline_name} info"
    )


@contextmanager
def _way_on(pipeline: Pipeline) -> Iterator[None]:
    """Add to a failure how to drop the load: one that is always refused would block every later sync."""
    try:
        yield
    except PipelineStepFailed as error:
        error.add_note(
            "An earlier sync left this load unfinished, and each sync tries it first. If you cannot fix the cause, drop"
            f" the load: dlt pipeline {pipeline.pipeline_name} abort-packages. The next sync reads its users again."
        )
        raise


def remove_remnants(pipeline: Pipeline) -> None:
    """Delete the rest of extracted packages whose deletion was interrupted: dlt fails on them in each later run.

    dlt deletes an extracted package when the normalized one is complete, or when it is aborted. It deletes one file
    after the other.
    """
    packages = pipeline._get_normalize_storage().extracted_packages
    normalized = set(pipeline.list_normalized_load_packages())
    for load_id in pipeline.list_extracted_load_packages():
        folder = Path(packages.storage.make_full_path(load_id))
        is_whole = all((folder / name).exists() for name in (packages.NEW_JOBS_FOLDER, packages.SCHEMA_FILE_NAME))
        if load_id in normalized or not is_whole:
            packages.delete_package(load_id)


def _finish_abort(pipeline: Pipeline) -> None:
    """Finish an interrupted drop: otherwise dlt's next load finishes it, and drops the new data too."""
    if pipeline.list_normalized_load_packages() and not pipeline.has_pending_data:
        pipeline.load()


def _is_late(pipeline: Pipeline) -> bool:
    """Whether a load that started after the pending one was completed in one of its tables, or has begun to change one
    directly: rows of the older load would replace its rows, which count as read when it is continued.

    Load ids are start times, and syncs into one dataset do not overlap.
    """
    pending = sorted([*pipeline.list_extracted_load_packages(), *pipeline.list_normalized_load_packages()])
    if not pending:
        return False
    return any(newest_load(pipeline, table) > pending[0] for table in _tables(pipeline, pending))


def _is_cleared(pipeline: Pipeline) -> bool:
    """Whether a part of the pending load is no longer where it was put: another load has started since and emptied the
    staging tables.

    Continuing would merge the remaining part and record the whole load as completed.
    """
    load_ids = pipeline.list_normalized_load_packages()
    loaded = {
        job.job_file_info.table_name
        for load_id in load_ids
        for job in pipeline.get_load_package_info(load_id).jobs["completed_jobs"]
        if _is_ours(job.job_file_info) and has_rows(job.file_path, job.job_file_info.file_format)
    }
    if not loaded or is_made_of_files(pipeline):  # tables made of files have no staging tables
        return False
    direct = {table for table in loaded if _is_merged_directly(pipeline, table)}
    with sql_client(pipeline) as client:
        if not all(_holds(client, table, load_ids[0]) for table in direct):
            return True
        with client.with_staging_dataset():
            return any(_staged(client, table) != set(load_ids[:1]) for table in loaded - direct)


def _is_merged_directly(pipeline: Pipeline, table: str) -> bool:
    is_duckdb = destination_of_type(pipeline.destination.destination_type).name == "duckdb"
    return is_duckdb and merges_directly(schema_of(pipeline).get_table(table))


def _holds(client: Any, table: str, load_id: str) -> bool:
    """Return whether a table has rows of a load."""
    column, name = client.escape_column_name("_dlt_load_id"), client.make_qualified_table_name(table)
    try:
        return bool(client.execute_sql(f"SELECT 1 FROM {name} WHERE {column} = %s LIMIT 1", load_id))
    except DestinationUndefinedEntity:
        return False


def _is_ours(job: Any) -> bool:
    return job.file_format in _HOLD_ROWS and not job.table_name.startswith("_dlt")


def _staged(client: Any, table: str) -> set[str]:
    """Return the ids of the loads whose rows a staging table contains."""
    column = client.escape_column_name("_dlt_load_id")
    try:
        rows = client.execute_sql(f"SELECT DISTINCT {column} FROM {client.make_qualified_table_name(table)}")
    except DestinationUndefinedEntity:
        return set()
    return {str(load_id) for (load_id,) in rows or ()}


def has_rows(path: str, file_format: str) -> bool:
    """Whether a file of a load package has rows: dlt also writes files without rows, to create their tables."""
    if file_format == "parquet":
        import pyarrow.parquet as pq

        return bool(pq.read_metadata(path).num_rows)
    header = _HEADER_LINES[file_format]
    with FileStorage.open_zipsafe_ro(path, "rb") as file:
        return any(islice(file, header, header + 1))


def _tables(pipeline: Pipeline, load_ids: list[str]) -> set[str]:
    packages = [pipeline.get_load_package_info(load_id) for load_id in load_ids]
    names = {job.job_file_info.table_name for package in packages for jobs in package.jobs.values() for job in jobs}
    return {name for name in names if not name.startswith("_dlt")}


def newest_load(pipeline: Pipeline, table: str) -> str:
    """Return the newest load with rows in a table, of completed ones and of those that merged directly; blank if there
    is none."""
    import pyarrow.compute as pc

    if not pipeline.default_schema_name or table not in schema_of(pipeline).tables:  # nothing was loaded into it yet
        return ""
    states = (True, False) if _is_merged_directly(pipeline, table) else (True,)
    batches = (committed(pipeline, table, "_dlt_load_id", is_completed=state) for state in states)
    found = (pc.max(load_ids).as_py() for (load_ids,) in chain.from_iterable(batches))
    return max((load_id for load_id in found if load_id), default="")


def abort_packages_before(pipeline: Pipeline, moment: datetime | None) -> bool:
    """Drop the pending packages if one was started before a moment, and return whether that was done.

    Another machine erased a user at that moment, and the packages may contain the user.
    """
    remove_remnants(pipeline)
    if moment is None or not pipeline.has_pending_data:
        return False
    pending = [*pipeline.list_extracted_load_packages(), *pipeline.list_normalized_load_packages()]
    is_older = any(float(load_id) < moment.timestamp() for load_id in pending)
    if is_older:
        pipeline.abort_packages()
    return is_older
