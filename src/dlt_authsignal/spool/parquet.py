"""Rows as a Parquet file."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pyarrow as pa

_OPTIONS: Final[dict[str, Any]] = {"use_dictionary": False, "write_statistics": False, "store_schema": False}
"""The fastest options. A file has at most some hundred rows, most of whose texts differ."""

_FEW_ROWS: Final = 50
_SMALL: Final[dict[str, Any]] = {"compression": "snappy"}
_LARGE: Final[dict[str, Any]] = {"compression": "zstd", "compression_level": 1}
"""zstd makes half the bytes, but takes a millisecond to begin."""


def as_parquet(table: "pa.Table") -> bytes:
    """Return a table as the content of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **_OPTIONS, **(_SMALL if table.num_rows < _FEW_ROWS else _LARGE))
    content: bytes = sink.getvalue().to_pybytes()
    return content
