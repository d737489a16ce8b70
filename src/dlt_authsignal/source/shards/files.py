"""Rows of a shard as Parquet files, and back. Files are checked as if another program had written them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.tables.bookkeeping import USER_READS
from dlt_authsignal.schema.tables.server import PROVENANCE
from dlt_authsignal.source.incremental.delete_guard import PARTS_COUNTED
from dlt_authsignal.source.incremental.part import Part
from dlt_authsignal.source.incremental.user_rows import ANSWERS
from dlt_authsignal.source.rows.arrow_hash import DIGITS
from dlt_authsignal.source.rows.column_types import ARROW
from dlt_authsignal.source.shards.manifest import Damaged, Undeclared

TABLES: Final = {table.name: table for table in (*ANSWERS, USER_READS)}
"""The tables that shards fill."""

_GUARD: Final = pa.schema([("table", pa.string()), ("part", pa.int8()), ("hash", pa.uint64())])


def as_rows(guards: Iterable[Mapping[str, list[bytes]]]) -> Any:
    """Return the counts of the delete guard as an Arrow table."""
    parts = [
        pa.table(
            {
                "table": pa.repeat(table, len(data) // 8),
                "part": pa.repeat(pa.scalar(place, pa.int8()), len(data) // 8),
                "hash": pa.Array.from_buffers(pa.uint64(), len(data) // 8, [None, pa.py_buffer(data)]),
            }
        )
        for guard in guards
        for table, found in guard.items()
        for place, data in enumerate(found)
    ]
    return pa.concat_tables([_GUARD.empty_table(), *parts])


def as_guard(data: bytes) -> dict[str, list[bytes]]:
    """Return the counts of the delete guard in a file.

    Raises:
        Damaged: They are not what a shard writes.
    """
    rows = _read(data)
    if rows.schema != _GUARD or any(column.null_count for column in rows.columns):
        raise Damaged("its columns are not those of the delete guard")
    found: dict[str, list[bytes]] = {}
    for table in pc.unique(rows["table"]).to_pylist():
        if table not in PARTS_COUNTED:
            raise Damaged("it counts rows of a table that it should not count")
        ours = rows.filter(pc.equal(rows["table"], table))
        found[table] = [
            ours.filter(pc.equal(ours["part"], part))["hash"].to_numpy().tobytes()
            for part in range(PARTS_COUNTED[table])
        ]
    return found


def joined(tables: list[Any]) -> Any:
    """Return the rows of several Arrow tables. Their undeclared columns may differ."""
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables, promote_options="default")


def rows_of(data: bytes, table: Table, undeclared: Undeclared | None, part: Part) -> Any:
    """Return the rows in a file as an Arrow table.

    Args:
        data: Content of the file.
        table: The table of the rows.
        undeclared: What the shard recorded about its undeclared columns.
        part: The shard. Rows of other users are refused.

    Raises:
        Damaged: They are not what a shard writes.
    """
    rows = _read(data)
    declared = {column.name: ARROW[column.type] for column in (*table.columns, *PROVENANCE)}
    said = {name: ARROW.get(kind) for name, (_, kind) in undeclared.columns.items()} if undeclared else {}
    if len(set(rows.column_names)) < rows.num_columns:
        raise Damaged("two of its columns have the same name")
    for field in rows.schema:
        if field.type != declared.get(field.name, said.get(field.name)):
            raise Damaged(f"its column {field.name[:100]} has another type than in the table")
    for name in {*table.key, "user_id", "_read_at"} & declared.keys():
        if name not in rows.column_names or rows[name].null_count:
            raise Damaged(f"some of its rows have no {name}")
    _check_hashes(rows)
    if not all(user_id in part for user_id in pc.unique(rows["user_id"]).to_pylist()):
        raise Damaged("it has users of another shard")
    keys = pa.schema([field.with_nullable(field.name not in table.key) for field in rows.schema])
    return rows.cast(keys).combine_chunks()


def _check_hashes(rows: Any) -> None:
    if "_row_hash" not in rows.column_names:
        return
    hashes = rows["_row_hash"].drop_null()
    if not pc.all(pc.match_substring_regex(hashes, f"^[0-9a-f]{{{DIGITS}}}$"), min_count=0).as_py():
        raise Damaged("its _row_hash is not a hash")


def _read(data: bytes) -> Any:
    try:
        return pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False).replace_schema_metadata(None)
    except (pa.ArrowException, OSError, ValueError):
        raise Damaged("it is not a complete Parquet file") from None
