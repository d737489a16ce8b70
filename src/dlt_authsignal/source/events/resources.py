"""The dlt resources of events: one for each table, fed by one reading of the spool."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any, Final

import dlt
import pyarrow as pa
import pyarrow.compute as pc
from dlt.extract import DltResource

from dlt_authsignal.destination.duckdb_file import keep_open
from dlt_authsignal.destination.load_hints import active_destination
from dlt_authsignal.destination.running import running_pipeline
from dlt_authsignal.destination.tombstones import Tombstones, tombstones
from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.row_hash import fingerprint
from dlt_authsignal.schema.tables.events import EVENT_FILES, EVENT_TABLES
from dlt_authsignal.source.events.counts import EventCounts
from dlt_authsignal.source.events.latest import latest, without_older
from dlt_authsignal.source.events.pending import pending_files, stored_since
from dlt_authsignal.source.events.placing import Placing
from dlt_authsignal.source.events.reading import ROWS_PER_BATCH, SpoolBatch, batches
from dlt_authsignal.source.events.shaper import API
from dlt_authsignal.source.resources.identity import identity_resource
from dlt_authsignal.source.resources.table_resource import Loading, parent_resource, table_resource
from dlt_authsignal.source.tenant.check import Evidence
from dlt_authsignal.spool import Spool, SpoolFile

ROWS_AT_ONCE: Final = 10_000
"""Rows that become Python objects at the same time, for destinations that take no Arrow tables."""


@dataclass(frozen=True, kw_only=True)
class EventReading:
    """What a load reads.

    Attributes:
        spool: The spool.
        tenant: Name of the tenant, whose folder is read.
        evidence: What the settings say about the tenant.
        files: Files to load, whether or not they are loaded already; None for those that are not.
        most_rows: Stop reading files after this many rows. At least one file is read.
        counts: Counters to fill.
    """

    spool: Spool
    tenant: str
    evidence: Evidence
    files: Sequence[SpoolFile] | None = None
    most_rows: int | None = None
    counts: EventCounts = field(default_factory=EventCounts)


def event_resources(reading: EventReading) -> list[DltResource]:
    """Return the resources of all event tables and of `event_files`. Select the tables, not their parent."""
    parent = parent_resource("event_spool", partial(_read, reading))
    return [
        identity_resource(reading.evidence),
        *(
            table_resource(table, parent, partial(_Events, counts=reading.counts), _events)
            for table in EVENT_TABLES.values()
        ),
        table_resource(EVENT_FILES, parent, partial(Loading, api=API), _files),
        parent,
    ]


def _read(reading: EventReading) -> Iterator[list[SpoolBatch]]:
    pipeline = running_pipeline()
    with keep_open(pipeline):
        found = reading.files
        if found is None:
            found = pending_files(pipeline, reading.spool, reading.tenant)
        files = [file for file in found if file.name not in reading.counts.seen]
    yield []  # creates every table, even without events
    is_upsert = active_destination()[0].strategy == "upsert"  # an upsert would insert every copy of an event
    most = reading.most_rows or ROWS_PER_BATCH
    size = most if is_upsert else min(most, ROWS_PER_BATCH)
    rows = 0
    read = batches(reading.spool, files, reading.counts, rows_per_batch=size)
    for batch in islice(read, 1) if is_upsert else read:
        reading.counts.files += len(batch.files)
        reading.counts.events += batch.rows
        rows += batch.rows
        yield [batch]
        if reading.most_rows and rows >= reading.most_rows:
            break
    reading.counts.left = len([file for file in files if file.name not in reading.counts.seen])


class _Events(Loading):
    """Passes the events of one table to the running extraction."""

    def __init__(self, table: Table, *, counts: EventCounts) -> None:
        drift = counts.drift
        super().__init__(table, api=API, drift=drift)
        self._table = table.name
        self._json = frozenset(column.name for column in table.columns if column.type == "json")
        self._counts = counts
        self._placing = Placing(table, self.stored, self.naming, drift.of(table.name))
        self._erased = tombstones(running_pipeline())

    def events(self, parts: Iterable[Any]) -> Iterator[Any]:
        """Yield the items for dlt from Arrow tables with different columns."""
        rows = pa.concat_tables([self._placing(part) for part in parts], promote_options="default")
        count = rows.num_rows
        rows = latest(rows)
        with keep_open(running_pipeline()):
            rows = without_older(rows, stored_since(running_pipeline(), self._table, rows))
        self._counts.copies += count - rows.num_rows
        kept = without_erased(rows, self._erased)
        self._counts.erased += rows.num_rows - kept.num_rows
        if not kept.num_rows:
            return
        new = self._placing.new_types()
        if self.as_rows:
            yield from self._as_rows(kept, new)
        else:
            yield self.table(_with_load_id(kept), new)

    def _as_rows(self, rows: Any, new: Mapping[str, str]) -> Iterator[Any]:
        import msgspec

        json = self._json | {name for name, kind in {**self.stored, **new}.items() if kind == "json"}
        for start in range(0, rows.num_rows, ROWS_AT_ONCE):
            listed = rows.slice(start, ROWS_AT_ONCE).to_pylist()
            for row in listed:
                row |= {name: msgspec.json.decode(row[name]) for name in json & row.keys() if row[name] is not None}
            yield from self.rows(listed)


def _with_load_id(rows: Any) -> Any:
    """Return the rows with dlt's column. dlt would add it last, and then write each file again, since the destination
    has it before the columns of unknown fields."""
    load_id = str(dlt.current.load_package_state()["load_id"])
    return rows.append_column(pa.field("_dlt_load_id", pa.string(), nullable=False), pa.repeat(load_id, len(rows)))


def without_erased(rows: Any, erased: Tombstones) -> Any:
    """Return the rows of users who were not erased."""
    if not len(erased) or "user_id" not in rows.column_names:
        return rows
    users = rows["user_id"].combine_chunks().dictionary_encode()
    gone = [user for user in users.dictionary.to_pylist() if user in erased]
    return rows.filter(pc.invert(pc.is_in(rows["user_id"], pa.array(gone, pa.string())))) if gone else rows


def _events(loading: Any, found: Sequence[SpoolBatch]) -> Iterator[Any]:
    for batch in found:
        if parts := batch.tables.get(loading._table):
            yield from loading.events(parts)


def _files(loading: Loading, found: Sequence[SpoolBatch]) -> Iterator[Any]:
    now = datetime.now(UTC)
    yield from loading.rows(_file_row(file, rows, now) for batch in found for file, rows in batch.files)


def _file_row(file: SpoolFile, records: int, now: datetime) -> dict[str, Any]:
    row: dict[str, Any] = {
        "file": file.name,
        "table_name": file.table,
        "received_at": file.received_at,
        "records": records,
        "size_bytes": file.size,
    }
    return row | {"loaded_at": now, "_api": API, "_read_at": now, "_row_hash": fingerprint(row)}
