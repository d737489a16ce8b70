"""A DuckDB file that is kept open for as long as there is something to ask it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.registry import destination_of_type


@contextmanager
def keep_open(pipeline: Pipeline) -> Iterator[None]:
    """Keeps the file open: dlt opens and closes it for every question, which takes longer than most answers.

    No other program can read it meanwhile: not for as long as Authsignal is being read.
    """
    file = database_file(pipeline)
    if file is None or not file.exists():  # to open it would be to make it
        yield
        return
    with pipeline.sql_client():
        yield


_FILES: Final[WeakKeyDictionary[Pipeline, Path | None]] = WeakKeyDictionary()


def database_file(pipeline: Pipeline) -> Path | None:
    """The DuckDB file that a pipeline loads into, whether or not it is there; None for any other destination."""
    if pipeline not in _FILES:  # to ask dlt means that all settings are looked up again
        _FILES[pipeline] = _database_file(pipeline)
    return _FILES[pipeline]


def _database_file(pipeline: Pipeline) -> Path | None:
    if destination_of_type(pipeline.destination.destination_type).name != "duckdb":
        return None
    name = str(pipeline.sql_client().credentials.database)  # not opened: that would make the file
    return None if name.startswith(":") else Path(name)


def file_elsewhere(pipeline: Pipeline) -> Path | None:
    """The folder of the pipeline's DuckDB file, if dlt put it where a pipeline of that name was begun, and not here."""
    begun_in = Path(pipeline.get_local_state_val("initial_cwd"))
    is_default = database_file(pipeline) == begun_in / f"{pipeline.pipeline_name}.duckdb"
    return begun_in if is_default and begun_in != Path.cwd() else None
