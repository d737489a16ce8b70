"""Users named by events, and when."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.stores.latest import latest_by

TABLES_WITH_USERS: Final = ("action_log", "authenticator_events")

_EARLIEST: Final = datetime(1971, 1, 1, tzinfo=UTC)

OVERLAP: Final = 10_000
"""Milliseconds by which the receiver's clock may be behind that of the machine that reads users.

A read that started up to this long after an event is repeated once.
"""

LATEST_LOAD: Final = 15 * 60 * 1000
"""An event counts as received when it was loaded, at most this long after its receive time.

So an event is found even if the receiver's clock is minutes behind, and a replay of old events makes no user due.
"""


def reported(pipeline: Pipeline, since: datetime) -> Iterator[tuple[list[str], Any]]:
    """Yield user ids with the time until which a read may have missed an event of the user, in milliseconds since 1970.

    Args:
        pipeline: Pipeline of the dataset. Without tables of events, nothing is returned.
        since: Oldest read to compare with.
    """
    after = max(since, _EARLIEST) - timedelta(milliseconds=LATEST_LOAD)
    for table in TABLES_WITH_USERS:
        for batch in latest_by(pipeline, table, "user_id", ("_read_at", "_dlt_load_id"), after):
            yield batch["user_id"].to_pylist(), counted_as(batch["_read_at"], batch["_dlt_load_id"])


def counted_as(received: Any, load_ids: Any) -> Any:
    """Return the times that the events count as received; a load id is the time of its load in seconds."""
    import numpy as np
    import pyarrow as pa

    at = received.cast(pa.timestamp("ms", received.type.tz), safe=False).cast(pa.int64()).to_numpy()
    loaded = np.array([float(one) * 1000 for one in load_ids.to_pylist()], np.float64).astype(np.int64)
    return at + np.clip(loaded - at, OVERLAP, LATEST_LOAD)
