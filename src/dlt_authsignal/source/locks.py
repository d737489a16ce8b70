"""One run at a time: dlt has no lock of its own, and two runs at once lose or double rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dlt.pipeline.pipeline import Pipeline
from filelock import FileLock, Timeout

from dlt_authsignal.errors import PipelineBusy
from dlt_authsignal.source.destinations import destination_of_type

_TAKE: Final = "SELECT pg_try_advisory_xact_lock(hashtext(%s))"


@contextmanager
def only_run(pipeline: Pipeline) -> Iterator[None]:
    """Holds the pipeline's folder and, where the destination can lock, the dataset; both end with the process.

    Raises:
        PipelineBusy: Another run holds one of them.
    """
    with only_here(pipeline), only_there(pipeline):
        yield


@contextmanager
def only_here(pipeline: Pipeline) -> Iterator[None]:
    """Holds the pipeline's folder.

    Raises:
        PipelineBusy: Another run holds it.
    """
    folder = Path(pipeline.working_dir)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.parent / f"{pipeline.pipeline_name}.lock")
    try:
        with lock.acquire(timeout=0):
            yield
    except Timeout:
        raise PipelineBusy(
            f'Another run of pipeline "{pipeline.pipeline_name}" is running on this machine.'
            " Wait for it to end, or give this one another --pipeline-name."
        ) from None


@contextmanager
def only_there(pipeline: Pipeline) -> Iterator[None]:
    """Holds the dataset, where the destination can lock.

    Raises:
        PipelineBusy: Another run holds it, on any machine.
    """
    if not destination_of_type(pipeline.destination.destination_type).lock:
        yield
        return
    with pipeline.sql_client() as client:
        # a lock of the transaction, not of the session, so that it holds behind a pooler too; closing ends both
        client.native_connection.autocommit = False
        taken = client.execute_sql(_TAKE, f"dlt_authsignal.{client.dataset_name}")
        if not (taken and taken[0][0]):
            raise PipelineBusy(
                f'Another sync into dataset "{client.dataset_name}" is running, on this machine or another.'
                " Wait for it to end, or give this one another --dataset."
            )
        yield
