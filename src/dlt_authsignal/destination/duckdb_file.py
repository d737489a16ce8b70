"""A DuckDB file that is kept open for as long as there is something to ask it."""

from collections.abc import Iterator
from contextlib import contextmanager

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.errors import database_file


@contextmanager
def kept_open(pipeline: Pipeline) -> Iterator[None]:
    """Keeps the file open: dlt opens and closes it for every question, which takes longer than most answers.

    No other program can read it meanwhile: not for as long as Authsignal is being read.
    """
    file = database_file(pipeline)
    if file is None or not file.exists():  # to open it would be to make it
        yield
        return
    with pipeline.sql_client():
        yield
