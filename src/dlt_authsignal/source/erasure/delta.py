"""A Delta table without its past: its log repeats the least and greatest values of files that are gone."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Self

from dlt_authsignal.source.erasure.lakes import Folder


@dataclass(frozen=True)
class DeltaFiles:
    """A Delta table, and the folder it is in."""

    table: Any
    folder: Folder

    @classmethod
    def at(cls, location: str, config: Any, folder: Folder) -> Self:
        """The table at a location, reached as dlt's configuration says."""
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
            # not by the dataset's own filter, which cannot compare text with the statistics that the log keeps of it
            found = (
                batch.filter(pc.is_in(batch.column(column), pa.array(list(values), pa.string()))) if column else batch
            )
            yield from zip(*(found.column(name).to_pylist() for name in wanted), strict=True)

    def delete(self, column: str, values: Collection[str]) -> int:
        count = sum(1 for _ in self.rows([column], column, values))
        if count:
            self.table.delete(f"{column} IN ({', '.join(map(_literal, values))})")
        return count

    def scrub(self) -> int:
        removed = self.table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
        self.table.update_incremental()
        self.table.create_checkpoint()  # all that there is, so that the log before it is not needed
        present = self.table.version()
        old = [
            path
            for path in self.folder.below("_delta_log")
            if (version := _version(path)) is not None and version < present
        ]
        return len(removed) + self.folder.remove(old)


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _version(path: str) -> int | None:
    """Which version a file of the log is about; None for `_last_checkpoint`."""
    number = PurePosixPath(path).name.partition(".")[0]
    return int(number) if number.isdigit() else None
