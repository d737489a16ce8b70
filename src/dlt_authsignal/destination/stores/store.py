"""Interface of table storage: databases and tables made of files."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.registry import destination_of_type


class OpenTable(Protocol):
    """A Delta or Iceberg table."""

    def columns(self) -> set[str]: ...

    def rows(self, wanted: Sequence[str], column: str | None, values: Collection[str]) -> Iterator[tuple[Any, ...]]:
        """Yield columns of all rows, or of the rows with one of the values."""

    def delete(self, column: str, values: Collection[str]) -> int:
        """Delete the rows with one of the values and return their number."""

    def scrub(self) -> int:
        """Remove every file that the table's current state does not need, and return their number."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A table's folder.

    Attributes:
        files: fsspec file system of the folder.
        path: Path of the folder in that file system.
    """

    files: Any
    path: str

    def below(self, name: str) -> list[str]:
        """Return the paths of all files in a subfolder."""
        place = f"{self.path.rstrip('/')}/{name}"
        return list(self.files.find(place)) if self.files.exists(place) else []

    def remove(self, paths: Collection[str]) -> int:
        """Remove files and return their number."""
        for path in paths:
            self.files.rm_file(path)
        return len(paths)


class TableStore(Protocol):
    """Tables of one dataset, by dlt's names."""

    def columns(self) -> Mapping[str, Collection[str]]:
        """Return the columns of each table that exists, without views."""

    def columns_of(self, table: str) -> Collection[str] | None:
        """Return the columns of one table; None if it does not exist."""

    def rows(
        self, table: str, wanted: Sequence[str], column: str | None = None, values: Collection[str] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """Yield columns of a table's rows, or of the rows with one of the values in a column."""

    def delete(self, table: str, column: str, values: Collection[str]) -> int:
        """Delete the rows with one of the values and return their number."""

    def scrub(self) -> int:
        """Remove every file that no table's current state needs, and return their number.

        0 for a database: see `pipeline/erase/`.
        """


def is_made_of_files(pipeline: Pipeline) -> bool:
    """Whether a pipeline's tables are Delta or Iceberg files instead of tables in a database."""
    destination = pipeline.destination
    return destination is not None and destination_of_type(destination.destination_type).table_format is not None
