"""What every kind of table storage offers, and which kind a pipeline has: the one place that asks."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.registry import destination_of_type


class OpenTable(Protocol):
    """A Delta or Iceberg table."""

    def columns(self) -> set[str]: ...

    def rows(self, wanted: Sequence[str], column: str | None, values: Collection[str]) -> Iterator[tuple[Any, ...]]:
        """Those columns of all rows, or of those with one of the values."""

    def delete(self, column: str, values: Collection[str]) -> int:
        """Deletes the rows with one of the values; says how many there were."""

    def scrub(self) -> int:
        """Removes every file that the present state of the table does not need; says how many there were."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A table's folder.

    Attributes:
        files: File system that it is in, of fsspec.
        path: The folder, as that file system calls it.
    """

    files: Any
    path: str

    def below(self, name: str) -> list[str]:
        """Paths of all files in a folder inside of it."""
        place = f"{self.path.rstrip('/')}/{name}"
        return list(self.files.find(place)) if self.files.exists(place) else []

    def remove(self, paths: Collection[str]) -> int:
        """Removes files; says how many."""
        for path in paths:
            self.files.rm_file(path)
        return len(paths)


class TableStore(Protocol):
    """Tables of one dataset, by the names that dlt gives them."""

    def columns(self) -> Mapping[str, Collection[str]]:
        """Columns of each table that is there; of views none."""

    def rows(
        self, table: str, wanted: Sequence[str], column: str | None = None, values: Collection[str] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """Those columns of a table's rows, or of the rows with one of the values in a column."""

    def delete(self, table: str, column: str, values: Collection[str]) -> int:
        """Deletes the rows with one of the values; says how many there were."""

    def scrub(self) -> int:
        """Removes every file that no table's present state needs; says how many. Of a database, none: see
        `pipeline/erase/`."""


def is_made_of_files(pipeline: Pipeline) -> bool:
    """Whether a pipeline's tables are Delta or Iceberg files, and not in a database."""
    destination = pipeline.destination
    return destination is not None and destination_of_type(destination.destination_type).table_format is not None
