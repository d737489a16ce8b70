"""Delete old files of the spool, after their load was completed."""

from datetime import UTC, datetime, timedelta

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.source.events.pending import not_loaded
from dlt_authsignal.spool import Spool
from dlt_authsignal.spool.names import start_of


def delete_old(
    pipeline: Pipeline, spool: Spool, tenant: str, retention: timedelta | None, now: datetime | None = None
) -> int:
    """Delete the loaded files that were received longer ago than the retention; return their number.

    Deliveries that are kept as they came are deleted too: what was made of them is loaded.
    """
    if retention is None:
        return 0
    before = start_of(tenant, (now or datetime.now(UTC)) - retention)
    old = list(spool.files(tenant, before=before))
    waiting = {file.name for file in not_loaded(pipeline, old)}
    stems = {_stem(name) for name in waiting}
    deleted = [file for file in old if file.name not in waiting]
    raw = [file for file in spool.raw_files(tenant, before=f"raw/{before}") if _stem(file.name) not in stems]
    for file in (*deleted, *raw):
        spool.delete(file.name)
    return len(deleted) + len(raw)


def _stem(name: str) -> str:
    """Return the part of a name that all files of one delivery have: without its table and ending."""
    return name.removeprefix("raw/").rsplit(".", 2)[0]
