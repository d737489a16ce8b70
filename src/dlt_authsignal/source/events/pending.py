"""Which files of the spool the destination does not have yet."""

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.stores.queries import arrow_columns_of, committed
from dlt_authsignal.schema.event_tables import EVENT_FILES
from dlt_authsignal.spool import Spool, SpoolFile


def loaded_files(pipeline: Pipeline) -> Any:
    """Return the names of the files whose load was completed, as an Arrow array.

    Progress is a set of names: a file that appears late is loaded when it is seen.
    """
    found = [pa.chunked_array([names]).cast(pa.string()) for (names,) in committed(pipeline, EVENT_FILES.name, "file")]
    chunks = [chunk for each in found for chunk in each.chunks]
    return pa.chunked_array(chunks, pa.string()).combine_chunks() if chunks else pa.array([], pa.string())


def pending_files(pipeline: Pipeline, spool: Spool, tenant: str) -> list[SpoolFile]:
    """Return the files of a tenant that the destination does not have yet."""
    return not_in(spool.files(tenant), loaded_files(pipeline))


def not_in(files: Iterable[SpoolFile], loaded: Any) -> list[SpoolFile]:
    """Return the files whose names are not loaded yet."""
    listed = list(files)
    is_loaded = pc.is_in(pa.array([file.name for file in listed], pa.string()), value_set=loaded)
    return [file for file, there in zip(listed, is_loaded.to_pylist(), strict=True) if not there]


def stored_since(pipeline: Pipeline, table: str, rows: Any) -> Iterator[Any]:
    """Yield `event_id`, `_read_at` and `_row_hash` of the stored rows that were received at the same time as the
    earliest of these rows, or later. In normal operation there are none."""
    first = pc.min(rows["_read_at"]).as_py()
    if first is None:
        return
    said = f"{first:%Y-%m-%d %H:%M:%S.%f}+00:00"
    yield from arrow_columns_of(pipeline, table, "event_id", "_read_at", "_row_hash", where=f"_read_at >= '{said}'")
