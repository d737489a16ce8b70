"""Keep one row for each event: that of the copy that was received last."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dlt_authsignal.source.rows.arrow_hash import from_text


def latest(rows: Any) -> Any:
    """Return the rows of a table without earlier copies of an event. Of copies received at once, the greatest
    `_row_hash` decides, so that the order of files does not matter."""
    ids = rows["event_id"].combine_chunks().dictionary_encode()
    places = ids.indices.to_numpy()
    if len(ids.dictionary) == len(places):
        return rows
    order = np.lexsort((from_text(rows["_row_hash"]), _moments(rows)))
    last = np.zeros(len(ids.dictionary), np.int64)
    last[places[order]] = order  # of several values for one place, the last one is stored
    return rows.take(pa.array(np.sort(last)))


def without_older(rows: Any, stored: Iterable[Any]) -> Any:
    """Return the rows without copies that were received before the stored ones.

    Args:
        rows: Rows of different events.
        stored: Batches of `event_id`, `_read_at` and `_row_hash` of stored rows.
    """
    ids = rows["event_id"].combine_chunks()
    moments, hashes = _moments(rows), from_text(rows["_row_hash"])
    is_older = np.zeros(rows.num_rows, bool)
    for batch in stored:
        place = pc.index_in(batch.column("event_id").cast(pa.string()), ids)
        known = place.is_valid()
        if not pc.any(known).as_py():
            continue
        kept = _table(batch).filter(known)
        at = place.filter(known).to_numpy(zero_copy_only=False)
        theirs, their_hash = _moments(kept), from_text(kept["_row_hash"])
        is_older[at] |= (theirs > moments[at]) | ((theirs == moments[at]) & (their_hash > hashes[at]))
    return rows.filter(pa.array(~is_older)) if is_older.any() else rows


def _moments(rows: Any) -> Any:
    return pc.cast(rows["_read_at"], pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()


def _table(batch: Any) -> Any:
    return pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
