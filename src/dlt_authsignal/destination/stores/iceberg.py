"""Merge, read, delete and scrub rows of an Iceberg table.

Old snapshots, manifests and metadata repeat values of deleted rows.
"""

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, Self

from dlt_authsignal.destination.stores.store import Folder

_PROPERTIES: Final = {
    "write.target-file-size-bytes": str(16 * 1024 * 1024),  # size in memory, as Arrow: a merge holds one file at a time
    "commit.manifest-merge.enabled": "true",  # each load adds a file with a separate manifest
}
"""Properties that the first merge sets on a table, unless it already has them."""


def merge(table: Any, data: Any, schema: Mapping[str, Any], load_table_name: str) -> None:
    """Merge Arrow data into an Iceberg table by its key, in one commit. Replaces dlt's `merge_iceberg_table`.

    Memory holds the data, the rows that share a key column's value with it, and one data file of the table, but never
    the whole table. dlt merges 1,000 rows at a time and searches the table for each row.

    Args:
        table: The table.
        data: Rows to merge; at most one for each key.
        schema: dlt's description of the table.
        load_table_name: The table's name. Not used; dlt passes it.
    """
    from dlt.common.libs.pyiceberg import ensure_iceberg_compatible_arrow_data

    new = ensure_iceberg_compatible_arrow_data(data)
    with table.update_schema() as update:
        update.union_by_name(new.schema)
    key = [name for name, column in schema["columns"].items() if column.get("primary_key")]
    lacking = {name: value for name, value in _PROPERTIES.items() if name not in table.metadata.properties}
    if lacking:  # a separate transaction: pyiceberg copies all metadata at each step of one that sets properties
        with table.transaction() as transaction:
            transaction.set_properties(lacking)
    with table.transaction() as transaction:
        if new.num_rows and table.current_snapshot() is not None:
            new = _with_neighbours(table, transaction, new, key)
        transaction.append(new)


def _with_neighbours(table: Any, transaction: Any, new: Any, key: Sequence[str]) -> Any:
    """Delete rows that share one key column's value with the new rows; return the new rows and those to keep.

    pyiceberg deletes fast by one column and slowly by several, because it builds an expression for each key.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    column = max(key, key=lambda name: pc.count_distinct(new[name]).as_py())
    is_near = _is_one(column, new[column].unique().to_pylist())
    near = table.scan(row_filter=is_near).to_arrow_batch_reader().read_all()  # to_arrow reads many files at a time
    if not near.num_rows:
        return new
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        transaction.delete(is_near)
    if len(key) == 1:
        return new
    own = {field.name: field for field in new.schema}
    near = near.cast(pa.schema([own.get(field.name, field) for field in near.schema]))
    places = pa.array(range(near.num_rows), pa.int64())
    kept = near.select(key).append_column("_place", places).join(new.select(key), list(key), join_type="left anti")
    return pa.concat_tables([near.take(kept["_place"]), new], promote_options="permissive")


@dataclass(frozen=True)
class IcebergFiles:
    """An Iceberg table and its folder."""

    table: Any
    folder: Folder

    @classmethod
    def at(cls, location: str, client: Any, table_id: str, folder: Folder) -> Self:
        """Open the table at a location, in the catalogue of dlt's configuration."""
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
        """Keep one snapshot, whose manifests list only files that it contains."""
        table = self.table
        if table.current_snapshot() is None:
            return
        # a snapshot that deletes lists the deleted files with bounds of their values; the next snapshot does not
        table.append(table.schema().as_arrow().empty_table())
        present = table.current_snapshot().snapshot_id
        past = [snapshot.snapshot_id for snapshot in table.snapshots() if snapshot.snapshot_id != present]
        if past:
            table.maintenance.expire_snapshots().by_ids(past).commit()

    def _needed(self) -> set[str]:
        """Return the names of the files that the current state needs; each name contains a UUID."""
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

    made: Any = In  # the arguments of its __new__ differ from its fields
    return made(column, frozenset(values))
