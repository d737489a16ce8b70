"""The dataset of the dashboard, read without keeping a sync waiting."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dlt_authsignal.dashboard.content.data.cubes import Progress, no_progress
from dlt_authsignal.dashboard.content.figures import Figures, open_figures
from dlt_authsignal.errors import RunFailed
from dlt_authsignal.project.database_copies import folder_for_copy

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

_TRIES: Final = 5


@dataclass(frozen=True)
class Place:
    """Where the dataset is.

    Attributes:
        pipeline_name: Name of the pipeline that loaded it.
        destination: dlt destination.
        dataset: Name of the dataset.
    """

    pipeline_name: str
    destination: str
    dataset: str


class DuckDBFile:
    """A DuckDB file. It is copied and the copy is read: DuckDB lets no other process write to a file that is open.

    Args:
        file: The file.
        place: Where the dataset is.
    """

    pause = 1.0

    def __init__(self, file: Path, place: Place) -> None:
        self._file, self._place = file, place

    def state(self) -> object:
        """Return size and time of the file and of its log of changes; None without the file."""
        return _state(self._file)

    def figures(self, progress: Progress = no_progress) -> Figures:
        """Read the figures from a copy, which is deleted then."""
        from dlt.destinations import duckdb

        with folder_for_copy(self._file) as folder:
            copy = folder / self._file.name
            _copy(self._file, copy)
            with _opened(self._place, duckdb(str(copy))) as pipeline:
                return open_figures(pipeline, progress)


class Database:
    """A dataset in a database that many can read, or in files.

    Args:
        place: Where the dataset is.
    """

    pause = 20.0

    def __init__(self, place: Place) -> None:
        self._place = place

    def state(self) -> object:
        """Return what dlt recorded of its loads."""
        with _opened(self._place, self._place.destination) as pipeline:
            return loads_of(pipeline)

    def figures(self, progress: Progress = no_progress) -> Figures:
        """Read the figures."""
        with _opened(self._place, self._place.destination) as pipeline:
            return open_figures(pipeline, progress)


def data_of(pipeline: "Pipeline", destination: str) -> DuckDBFile | Database:
    """Return the dataset of a pipeline."""
    from dlt_authsignal.destination.duckdb_file import database_file

    place = Place(pipeline.pipeline_name, destination, pipeline.dataset_name)
    file = database_file(pipeline)
    return DuckDBFile(file, place) if file else Database(place)


def loads_of(pipeline: "Pipeline") -> object:
    """Return the loads that dlt recorded as completed; None if it recorded none."""
    from dlt.common.destination.exceptions import DestinationUndefinedEntity

    from dlt_authsignal.destination.clients import sql_client
    from dlt_authsignal.destination.stores.queries import completed_loads
    from dlt_authsignal.destination.stores.store import is_made_of_files

    if not pipeline.default_schema_name:
        return None
    if is_made_of_files(pipeline):
        return tuple(sorted(completed_loads(pipeline)))
    table = pipeline.default_schema.loads_table_name
    with sql_client(pipeline) as client, suppress(DestinationUndefinedEntity):
        name = client.make_qualified_table_name(table)
        found = client.execute_sql(f"SELECT count(*), max(inserted_at) FROM {name} WHERE status = 0") or ()
        return tuple(map(str, next(iter(found), ())))
    return None


@contextmanager
def _opened(place: Place, destination: Any) -> "Iterator[Pipeline]":
    """Open the dataset with dlt's state in another folder: a sync may use the project's at the same time."""
    from dlt_authsignal.destination.dlt_patches import adapt_dlt
    from dlt_authsignal.destination.load_hints import check_ready
    from dlt_authsignal.pipeline.attach import fetch_schema
    from dlt_authsignal.project.pipelines import try_pipeline

    with tempfile.TemporaryDirectory(prefix="authsignal-", ignore_cleanup_errors=True) as folder:
        pipeline = try_pipeline(place.pipeline_name, folder, destination=destination, dataset=place.dataset)
        adapt_dlt(pipeline)
        check_ready(pipeline)
        fetch_schema(pipeline)
        yield pipeline


def _copy(file: Path, copy: Path) -> None:
    """Copy a DuckDB file with its log of changes.

    Raises:
        RunFailed: It changed during each try.
    """
    for _ in range(_TRIES):
        before = _state(file)
        try:
            for path in (file, _log_of(file)):
                target = copy if path == file else _log_of(copy)
                target.unlink(missing_ok=True)
                if path == file or path.exists():
                    shutil.copyfile(path, target)
        except FileNotFoundError:  # the log was written into the file and removed
            continue
        if before is not None and _state(file) == before:
            return
    raise RunFailed(
        f"{file.name} keeps changing, so the dashboard cannot read it now. It still shows the earlier figures, and"
        " tries again."
    )


def _state(file: Path) -> object:
    found = []
    for path in (file, _log_of(file)):
        with suppress(OSError):
            stat = path.stat()
            found.append((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found) or None


def _log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.wal")
