"""Find a pipeline's DuckDB file, and keep it open while it is queried."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import sql_client
from dlt_authsignal.destination.registry import destination_of_type
from dlt_authsignal.errors import RunFailed


@contextmanager
def keep_open(pipeline: Pipeline) -> Iterator[None]:
    """Keep the file open: dlt opens and closes it for every query, which takes longer than most queries.

    No other program can read the file meanwhile. Do not use this while Authsignal is being read.
    """
    file = database_file(pipeline)
    if file is None or not file.exists():  # opening it would create it
        yield
        return
    with sql_client(pipeline):
        is_first = pipeline not in _OPENED
        _OPENED.setdefault(pipeline, file.stat().st_ino)
        try:
            yield
        finally:
            if is_first:
                del _OPENED[pipeline]


_OPENED: Final[WeakKeyDictionary[Pipeline, int]] = WeakKeyDictionary()


def check_still_there(pipeline: Pipeline) -> None:
    """Check that the open file was not removed or replaced: rows can still be written to it, and are lost.

    Raises:
        RunFailed: It was.
    """
    file = database_file(pipeline)
    if file is None or pipeline not in _OPENED:
        return
    if not file.exists() or file.stat().st_ino != _OPENED[pipeline]:
        raise RunFailed(
            f"{file} was removed or replaced by another program while it was open. The rows of this run are lost."
            " Run the same command again: it reads everything that is missing."
        )


_FILES: Final[WeakKeyDictionary[Pipeline, Path | None]] = WeakKeyDictionary()


def database_file(pipeline: Pipeline) -> Path | None:
    """Return the DuckDB file that a pipeline loads into, even if it does not exist; None for other destinations.

    It is the file itself, also if the configured name is a symbolic link, so that its lock and its copies are found by
    every project that uses it.
    """
    if pipeline not in _FILES:  # dlt resolves all settings again on each call
        _FILES[pipeline] = _database_file(pipeline)
    return _FILES[pipeline]


def _database_file(pipeline: Pipeline) -> Path | None:
    if destination_of_type(pipeline.destination.destination_type).name != "duckdb":
        return None
    name = str(pipeline.sql_client().credentials.database)  # not opened: that would create the file
    return None if name.startswith(":") else Path(name).resolve()
