"""An Iceberg table without its past: snapshots, manifests and metadata repeat values of rows that are gone."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Self

from dlt_authsignal.destination.stores.store import Folder


@dataclass(frozen=True)
class IcebergFiles:
    """An Iceberg table, and the folder it is in."""

    table: Any
    folder: Folder

    @classmethod
    def at(cls, location: str, client: Any, table_id: str, folder: Folder) -> Self:
        """The table at a location, in the catalogue that dlt is configured for."""
        from dlt.common.libs.pyiceberg import evolve_table

        table = evolve_table(
            catalog=client.get_open_table_catalog("iceberg"),
            fs_client=client.fs_client,
            config=client.config,
            table_id=table_id,
            table_location=location,
        )
        return cls(table, folder)

    def columns(self) -> set[str]:
        return {field.name for field in self.table.schema().fields}

    def rows(self, wanted: Sequence[str], column: str | None, values: Collection[str]) -> Iterator[tuple[Any, ...]]:
        only = _is_one(column, values) if column else "true"
        found = self.table.scan(row_filter=only, selected_fields=tuple(wanted)).to_arrow()
        yield from zip(*(found.column(name).to_pylist() for name in wanted), strict=True)

    def delete(self, column: str, values: Collection[str]) -> int:
        count = sum(1 for _ in self.rows([column], column, values))
        if count:
            self.table.delete(_is_one(column, values))
        return count

    def scrub(self) -> int:
        self._forget_past()
        needed = self._needed()
        files = [*self.folder.below("data"), *self.folder.below("metadata")]
        return self.folder.remove([path for path in files if PurePosixPath(path).name not in needed])

    def _forget_past(self) -> None:
        """Leaves one snapshot, whose manifests list no file that it does not have."""
        table = self.table
        if table.current_snapshot() is None:
            return
        # a snapshot that deletes lists what it deleted, bounds of its values included; the one after it does not
        table.append(table.schema().as_arrow().empty_table())
        present = table.current_snapshot().snapshot_id
        past = [snapshot.snapshot_id for snapshot in table.snapshots() if snapshot.snapshot_id != present]
        if past:
            table.maintenance.expire_snapshots().by_ids(past).commit()

    def _needed(self) -> set[str]:
        """Names of the files of the present state; each has a UUID in it."""
        table = self.table
        paths = [table.metadata_location]
        if snapshot := table.current_snapshot():
            manifests = snapshot.manifests(table.io)
            paths += [snapshot.manifest_list, *(manifest.manifest_path for manifest in manifests)]
            paths += [
                entry.data_file.file_path for manifest in manifests for entry in manifest.fetch_manifest_entry(table.io)
            ]
        return {PurePosixPath(path).name for path in paths}


def _is_one(column: str, values: Collection[str]) -> Any:
    from pyiceberg.expressions import In

    made: Any = In  # its own __new__ takes other arguments than its fields are
    return made(column, frozenset(values))
