"""Read the rows in a spool file, and refuse a file that is not one."""

import json
from functools import lru_cache
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dlt_authsignal.schema.tables.events import EVENT_TABLES
from dlt_authsignal.schema.tables.server import PROVENANCE
from dlt_authsignal.source.rows.arrow_hash import DIGITS
from dlt_authsignal.source.rows.column_types import ARROW

JSON_COLUMNS: Final = b"dlt_authsignal.json"
"""Metadata of a file: its undeclared columns whose text is JSON. Parquet and Arrow know them as text."""

_NEEDED: Final = ("event_id", "_read_at", "_row_hash")


class Unreadable(Exception):
    """A file of the spool is damaged, or was not written by this package."""


def with_json_columns(table: Any, names: list[str]) -> Any:
    """Return the table with the names of its undeclared JSON columns in its metadata."""
    return table.replace_schema_metadata({JSON_COLUMNS: json.dumps(names).encode()}) if names else table


def json_columns(table: Any) -> frozenset[str]:
    """Return the names of a table's undeclared JSON columns.

    Raises:
        Unreadable: The metadata is not valid.
    """
    said = (table.schema.metadata or {}).get(JSON_COLUMNS, b"[]")
    try:
        return frozenset(map(str, json.loads(said)))
    except (ValueError, TypeError):
        raise Unreadable("its metadata is not valid") from None


def from_parquet(data: bytes, name: str) -> Any:
    """Return the rows of a spool file.

    Args:
        data: Content of the file.
        name: Table of the rows.

    Raises:
        Unreadable: The file is damaged, or lacks what each row of the table has.
    """
    if name not in EVENT_TABLES:
        raise Unreadable(f"this version has no table {name}")
    try:
        table = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError):
        raise Unreadable("it is not a complete Parquet file") from None
    _check(table, name)
    return table


def _check(table: Any, name: str) -> None:
    fault = _fault(name, table.schema.serialize().to_pybytes())
    if fault is None and (empty := [needed for needed in _NEEDED if table[needed].null_count]):
        fault = f"not all of its rows have {empty[0]}"
    if fault is None and not pc.all(pc.equal(pc.binary_length(table["_row_hash"]), DIGITS)).as_py():
        fault = "its _row_hash is not a hash"
    if fault is not None:
        raise Unreadable(fault)


@lru_cache(maxsize=1_000)
def _fault(name: str, serialized: bytes) -> str | None:
    """Return what is wrong with the columns of a file; None if nothing is. Most files have the same columns."""
    schema = pa.ipc.read_schema(pa.py_buffer(serialized))
    declared = {column.name: ARROW[column.type] for column in (*EVENT_TABLES[name].columns, *PROVENANCE)}
    if lacking := [needed for needed in _NEEDED if needed not in schema.names]:
        return f"it has no column {lacking[0]}"
    if len(set(schema.names)) < len(schema.names):
        return "two of its columns have the same name"
    for field in schema:
        wanted = declared.get(field.name)
        if wanted is not None and field.type != wanted:
            return f"its column {field.name} is {field.type}, not {wanted}"
    return None
