"""Read, delete and scrub rows of a Delta table: its log repeats smallest and largest values of removed files."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Self

from dlt_authsignal.destination.stores.store import Folder
from dlt_authsignal.schema.sql_text import literal


@dataclass(frozen=True)
class DeltaFiles:
    """A Delta table and its folder."""

    table: Any
    folder: Folder

    @classmethod
    def at(cls, location: str, config: Any, folder: Folder) -> Self:
        """Open the table at a location, with dlt's configuration."""
        from deltalake import DeltaTable
        from dlt.common.libs.deltalake import deltalake_storage_options

        options = deltalake_storage_options(config.credentials, config.deltalake_storage_options)
        return cls(DeltaTable(location, storage_options=options), folder)

    def columns(self) -> set[str]:
        return {field.name for field in self.table.schema().fields}

    def rows(self, wanted: Sequence[str], column: str | None, values: Collection[str]) -> Iterator[tuple[Any, ...]]:
        import pyarrow as pa
        import pyarrow.compute as pc

        names = list(dict.fromkeys([*wanted, *([column] if column else [])]))
        for batch in self.table.to_pyarrow_dataset().to_batches(columns=names):
            # not with the dataset's own filter, which cannot compare text with the statistics in the log
            found = (
                batch.filter(pc.is_in(batch.column(column), pa.array(list(values), pa.string()))) if column else batch
            )
            yield from zip(*(found.column(name).to_pylist() for name in wanted), strict=True)

    def delete(self, column: str, values: Collection[str]) -> int:
        count = sum(1 for _ in self.rows([column], column, values))
        if count:
            self.table.delete(f"{column} IN ({', '.join(map(literal, values))})")
        return count

    def scrub(self) -> int:
        self._forget_past()
        present, needed = self.table.version(), {PurePosixPath(uri).name for uri in self.table.file_uris()}
        log = self.folder.below("_delta_log")
        old = [path for path in log if (version := _version(path)) is not None and version < present]
        files = set(self.folder.below("")) - set(log)
        return self.folder.remove([*old, *(path for path in files if PurePosixPath(path).name not in needed)])

    def _forget_past(self) -> None:
        """Write an empty version and a checkpoint: a version that deletes rows contains its condition."""
        from deltalake import write_deltalake

        nothing = self.table.to_pyarrow_dataset().schema.empty_table()
        write_deltalake(self.table, nothing, mode="append")
        self.table.update_incremental()
        self.table.create_checkpoint()


def _version(path: str) -> int | None:
    """Return the version that a log file belongs to; None for `_last_checkpoint`."""
    number = PurePosixPath(path).name.partition(".")[0]
    return int(number) if number.isdigit() else None
