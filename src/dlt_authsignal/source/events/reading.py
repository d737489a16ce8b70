"""Read the files of a spool in batches of bounded size."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import pyarrow as pa

from dlt_authsignal.errors import SpoolFileMissing, SpoolFileUnreadable
from dlt_authsignal.source.events.counts import EventCounts
from dlt_authsignal.source.events.spool_tables import Unreadable, from_parquet
from dlt_authsignal.spool import Spool, SpoolFile

ROWS_PER_BATCH: Final = 50_000
READERS: Final = 8
"""Files that are read at the same time: an object store takes long for each."""

AHEAD: Final = READERS * 4
"""Files that are read while a batch is written."""


@dataclass
class SpoolBatch:
    """The content of some files.

    Attributes:
        tables: Rows by table, one Arrow table for each set of columns.
        files: The files, with the number of their rows.
    """

    tables: dict[str, list[Any]] = field(default_factory=dict)
    files: list[tuple[SpoolFile, int]] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Return the number of rows, copies included."""
        return sum(rows for _, rows in self.files)


def batches(
    spool: Spool, files: Iterable[SpoolFile], counts: EventCounts, *, rows_per_batch: int = ROWS_PER_BATCH
) -> Iterator[SpoolBatch]:
    """Yield the content of files, each file in one batch. A missing file is left out: it was deleted meanwhile.

    Args:
        spool: Where the files are.
        files: The files to read.
        counts: Receives the name of each file, and why a file cannot be used.
        rows_per_batch: A batch is yielded when it has this many rows.
    """
    held: dict[str, list[Any]] = defaultdict(list)
    names: list[tuple[SpoolFile, int]] = []
    count = 0
    for file, rows in _read(spool, files, counts):
        held[file.table].append(rows)
        names.append((file, rows.num_rows))
        count += rows.num_rows
        if count >= rows_per_batch:
            yield SpoolBatch(_joined(held), names)
            held, names, count = defaultdict(list), [], 0
    if names:
        yield SpoolBatch(_joined(held), names)


def _read(spool: Spool, files: Iterable[SpoolFile], counts: EventCounts) -> Iterator[tuple[SpoolFile, Any]]:
    def read(file: SpoolFile) -> Any:
        try:
            return from_parquet(spool.read(file.name), file.table)
        except (SpoolFileMissing, SpoolFileUnreadable, Unreadable) as error:
            return error

    left = iter(files)
    with ThreadPoolExecutor(READERS) as pool:
        waiting = deque((file, pool.submit(read, file)) for file in islice(left, AHEAD))
        try:
            while waiting:
                file, result = waiting.popleft()
                found = result.result()
                waiting.extend((each, pool.submit(read, each)) for each in islice(left, 1))
                counts.seen.add(file.name)
                if isinstance(found, Unreadable | SpoolFileUnreadable):
                    counts.refused[file.name] = str(found)
                elif not isinstance(found, SpoolFileMissing):
                    yield file, found
        finally:
            pool.shutdown(cancel_futures=True)  # the load has enough rows, or failed


def _joined(held: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {name: [pa.concat_tables(each) for each in _by_columns(tables)] for name, tables in held.items()}


def _by_columns(tables: list[Any]) -> Iterable[list[Any]]:
    """Return the tables in groups with equal columns, whose rows can be joined without a look at them."""
    groups: dict[bytes, list[Any]] = {}
    for table in tables:
        groups.setdefault(table.schema.serialize().to_pybytes(), []).append(table)
    return groups.values()
