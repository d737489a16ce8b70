"""Which files of the spool the destination does not have yet."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.stores.queries import arrow_columns_of, committed
from dlt_authsignal.schema.tables.events import EVENT_FILES
from dlt_authsignal.spool import Spool, SpoolFile


def loaded_files(pipeline: Pipeline, since: datetime | None = None) -> Any:
    """Return the names of the files whose load was completed, as an Arrow array.

    Progress is a set of names: a file that appears late is loaded when it is seen.

    Args:
        pipeline: Pipeline whose dataset is queried.
        since: Leave out files that were received before this time. Tables made of files return them too.
    """
    where = f"received_at >= '{_literal(since)}'" if since else ""
    rows = committed(pipeline, EVENT_FILES.name, "file", where=where)
    found = [pa.chunked_array([names]).cast(pa.string()) for (names,) in rows]
    chunks = [chunk for each in found for chunk in each.chunks]
    return pa.chunked_array(chunks, pa.string()).combine_chunks() if chunks else pa.array([], pa.string())


def pending_files(
    pipeline: Pipeline, spool: Spool, tenant: str, days: Collection[str] | None = None
) -> list[SpoolFile]:
    """Return the files of a tenant that the destination does not have yet.

    Args:
        pipeline: Pipeline whose dataset is queried.
        spool: Where the files are.
        tenant: Name of the tenant.
        days: Only files in the folders of these days.
    """
    return not_loaded(pipeline, list(spool.files(tenant, days=days)))


def not_loaded(pipeline: Pipeline, listed: Sequence[SpoolFile]) -> list[SpoolFile]:
    """Return the files whose names are not loaded yet."""
    if not listed:
        return []
    first = min(listed, key=lambda file: file.name.rpartition("/")[2])
    loaded = loaded_files(pipeline, first.received_at)
    is_loaded = pc.is_in(pa.array([file.name for file in listed], pa.string()), value_set=loaded)
    return [file for file, there in zip(listed, is_loaded.to_pylist(), strict=True) if not there]


def stored_since(pipeline: Pipeline, table: str, rows: Any) -> Iterator[Any]:
    """Yield `event_id`, `_read_at` and `_row_hash` of the stored rows that were received at the same time as the
    earliest of these rows, or later. In normal operation there are none."""
    first = pc.min(rows["_read_at"]).as_py()
    if first is None:
        return
    where = f"_read_at >= '{_literal(first)}'"
    yield from arrow_columns_of(pipeline, table, "event_id", "_read_at", "_row_hash", where=where)


def _literal(moment: datetime) -> str:
    return f"{moment.replace(tzinfo=None).isoformat(sep=' ', timespec='microseconds')}+00:00"
