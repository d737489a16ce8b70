"""Find and open tables made of files in the dataset's folder."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from dlt_authsignal.destination.registry import TableFormat
from dlt_authsignal.destination.stores.store import Folder, OpenTable

_MARKS: Final[dict[TableFormat, str]] = {"delta": "_delta_log", "iceberg": "metadata"}
"""Folder inside a table's folder that identifies the table format."""


class FileStore:
    """The tables in a dataset's folder.

    Args:
        client: dlt's filesystem client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._tables: dict[str, OpenTable] = {}

    def columns(self) -> dict[str, set[str]]:
        self._tables = {name: table for name in self._names() if (table := self.open(name))}
        return {name: table.columns() for name, table in self._tables.items()}

    def columns_of(self, table: str) -> set[str] | None:
        opened = self._tables.get(table) or self.open(table)
        return opened.columns() if opened else None

    def rows(
        self, table: str, wanted: Sequence[str], column: str | None = None, values: Collection[str] = ()
    ) -> Iterator[tuple[Any, ...]]:
        opened = self._tables.get(table) or self.open(table)
        return opened.rows(wanted, column, values) if opened else iter(())

    def delete(self, table: str, column: str, values: Collection[str]) -> int:
        opened = self._tables.get(table) or self.open(table)
        return opened.delete(column, values) if opened else 0

    def scrub(self) -> int:
        """Remove every file that no table's current state needs, and return their number."""
        return sum(table.scrub() for name in self._names() if (table := self.open(name)))

    def _names(self) -> list[str]:
        files, folder = self._client.fs_client, self._client.dataset_path
        files.invalidate_cache()
        found = files.ls(folder, detail=False) if files.exists(folder) else []
        names = (path.rstrip("/").rpartition("/")[2] for path in found)
        return sorted(name for name in names if not self._client.is_dlt_table(name))

    def open(self, name: str) -> OpenTable | None:
        """Open a table by name; None if it does not exist."""
        folder = Folder(files=self._client.fs_client, path=self._client.get_table_dir(name))
        for table_format, mark in _MARKS.items():
            if folder.files.exists(f"{folder.path.rstrip('/')}/{mark}"):
                return self._open(table_format, name, folder)
        return None

    def _open(self, table_format: TableFormat, name: str, folder: Folder) -> OpenTable:
        client = self._client
        location = client.get_open_table_location(table_format, name)
        if table_format == "delta":
            from dlt_authsignal.destination.stores.delta import DeltaFiles

            return DeltaFiles.at(location, client.config, folder)
        from dlt_authsignal.destination.stores.iceberg import IcebergFiles

        return IcebergFiles.at(location, client, f"{client.dataset_name}.{name}", folder)
