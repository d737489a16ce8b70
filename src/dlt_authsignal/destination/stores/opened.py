"""Open a pipeline's tables as `TableStore`, whether they are in a database or made of files."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import job_client
from dlt_authsignal.destination.stores.file_store import FileStore
from dlt_authsignal.destination.stores.sql_store import datasets
from dlt_authsignal.destination.stores.store import TableStore, is_made_of_files


@contextmanager
def open_stores(pipeline: Pipeline) -> Iterator[Iterable[tuple[str, TableStore]]]:
    """Open every dataset that holds a pipeline's rows, each with a prefix for its table names in reports.

    A database has two: dlt's staging dataset holds the rows of the last load. The block is one transaction if the
    database has transactions. Use the stores one after the other: the client works in one dataset at a time.
    """
    with job_client(pipeline) as client:
        if is_made_of_files(pipeline):
            yield [("", FileStore(client))]
            return
        with _transaction(client.sql_client):
            yield datasets(client)


def _transaction(client: Any) -> AbstractContextManager[Any]:
    return client.begin_transaction() if client.capabilities.supports_transactions else nullcontext()
