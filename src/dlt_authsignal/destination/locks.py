"""Allow one run at a time: dlt does not lock, and two runs at the same time lose or duplicate rows."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from dlt.pipeline.pipeline import Pipeline
from filelock import FileLock, Timeout

from dlt_authsignal.destination.clients import sql_client
from dlt_authsignal.destination.duckdb_file import database_file
from dlt_authsignal.destination.registry import destination_of_type
from dlt_authsignal.errors import PipelineBusy
from dlt_authsignal.project.private_files import make_folder, mode_for
from dlt_authsignal.project.waiting import opened
from dlt_authsignal.project.writing import cannot_write, check_can_be_written

_TAKE: Final = "SELECT pg_try_advisory_xact_lock(hashtext(%s))"


@contextmanager
def single_run(pipeline: Pipeline) -> Iterator[None]:
    """Lock the pipeline's folder and its target: the DuckDB file, or the dataset if the destination can lock.

    The locks end with the process.

    Raises:
        PipelineBusy: Another run holds one of them.
    """
    with pipeline_lock(pipeline), dataset_lock(pipeline):
        yield


@contextmanager
def pipeline_lock(pipeline: Pipeline) -> Iterator[None]:
    """Lock the pipeline's folder.

    Raises:
        PipelineBusy: Another run holds it.
    """
    folder = Path(pipeline.working_dir)
    make_folder(folder)
    with _held(
        folder.parent / f"{pipeline.pipeline_name}.lock",
        f'Another run of pipeline "{pipeline.pipeline_name}" is running on this machine.'
        " Nothing was changed. Wait for it to end, or pass another --pipeline-name.",
    ):
        yield


@contextmanager
def _file(pipeline: Pipeline) -> Iterator[None]:
    """Lock the DuckDB file: other pipelines may load into it, and DuckDB's own lock lasts for one dlt step only."""
    file = database_file(pipeline)
    if file is None or not file.parent.is_dir():  # DuckDB reports what is wrong with the path
        yield
        return
    check_can_be_written(file, "the tables of the dataset")
    with _held(
        file.with_name(f"{file.name}.lock"),
        f"Another sync into {file.name} is running. Nothing was changed. Wait for it to end, or load into another"
        " file.",
        file,
    ):
        yield


@contextmanager
def _held(lock: Path, busy: str, file: Path | None = None) -> Iterator[None]:
    """Hold a lock file, which other accounts can open only if they can open the database."""
    held = FileLock(lock, timeout=0, mode=mode_for(file or lock))
    try:
        opened(file or lock, held.acquire, lambda error: "another sync" if isinstance(error, Timeout) else None)
    except Timeout:
        raise PipelineBusy(busy) from None
    except OSError as error:
        raise cannot_write(lock, "the lock file that keeps two runs apart", error) from None
    try:
        yield
    finally:
        held.release()


@contextmanager
def dataset_lock(pipeline: Pipeline) -> Iterator[None]:
    """Lock what the pipeline loads into: the DuckDB file, or the dataset if the destination can lock.

    Raises:
        PipelineBusy: Another run holds the lock. In a database, the run may be on any machine.
    """
    with _file(pipeline), _dataset(pipeline):
        yield


@contextmanager
def _dataset(pipeline: Pipeline) -> Iterator[None]:
    if not destination_of_type(pipeline.destination.destination_type).lock:
        yield
        return
    with sql_client(pipeline) as client:
        # a transaction lock, not a session lock: it holds behind a connection pooler too
        client.native_connection.autocommit = False
        taken = client.execute_sql(_TAKE, f"dlt_authsignal.{client.dataset_name}")
        if not (taken and taken[0][0]):
            raise PipelineBusy(
                f'Another sync into dataset "{client.dataset_name}" is running, on this machine or another.'
                " Nothing was changed. Wait for it to end, or pass another --dataset."
            )
        try:
            yield
        finally:
            with suppress(Exception):  # a broken connection has already released it
                client.native_connection.rollback()  # the server notices a closed connection only some time later
