"""Keep `created_at` of users in runs that do not read the user list, the only place that returns it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.stores.queries import columns_of

Created = Callable[[], Mapping[str, datetime]]


def carrier(created: Created) -> Callable[[Any], Any]:
    """Return a dlt map step for `users` that fills in `created_at` from earlier runs.

    Args:
        created: Returns the known times by user id; called when the first user without one arrives.
    """
    known: list[Mapping[str, datetime]] = []

    def of(user_id: str) -> datetime | None:
        if not known:
            known.append(created())
        return known[0].get(user_id)

    def carry(rows: Any) -> Any:
        if isinstance(rows, dict):
            return _row(rows, of)
        return _batch(rows, of) if hasattr(rows, "column_names") else rows

    return carry


def _row(row: dict[str, Any], created: Callable[[str], datetime | None]) -> dict[str, Any]:
    if row.get("created_at") is None and (moment := created(row["user_id"])):
        import pyarrow as pa

        from dlt_authsignal.source.rows.column_types import TIME

        row["created_at"] = moment
        (row["_row_hash"],) = _hashes_with(pa.array([row["_row_hash"]]), pa.array([moment], TIME)).to_pylist()
    return row


def _hashes_with(hashes: Any, carried: Any) -> Any:
    """Return the row hashes with these times as `created_at`."""
    from dlt_authsignal.source.rows.arrow_hash import as_text, cells, from_text

    return as_text(from_text(hashes) + cells("created_at", carried))


def _batch(batch: Any, created: Callable[[str], datetime | None]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    from dlt_authsignal.source.rows.column_types import TIME

    has = "created_at" in batch.column_names
    present = batch["created_at"].combine_chunks() if has else pa.nulls(batch.num_rows, TIME)
    if not present.null_count:
        return batch
    gaps = present.is_null().to_pylist()
    pairs = zip(batch["user_id"].to_pylist(), gaps, strict=True)
    carried = pa.array([created(user_id) if gap else None for user_id, gap in pairs], TIME)
    filled = {"created_at": pc.coalesce(present, carried), "_row_hash": _hashes_with(batch["_row_hash"], carried)}
    for name, array in filled.items():
        place = batch.schema.get_field_index(name)
        batch = batch.append_column(name, array) if place < 0 else batch.set_column(place, name, array)
    return batch


def created_at(pipeline: Pipeline) -> dict[str, datetime]:
    """Return when each known user was created. Only the user list has it, not the user's own record."""
    return {row[0]: row[1] for row in columns_of(pipeline, "users", "user_id", "created_at") if row[1] is not None}
