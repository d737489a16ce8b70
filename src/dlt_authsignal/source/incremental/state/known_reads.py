"""The state of reads: when each user was last read, stored in the table `user_reads` of the dataset."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.dlt_patches import adapt_dlt
from dlt_authsignal.destination.stores.queries import (
    alive_columns_of,
    are_there,
    arrow_columns_of,
    columns_of,
    committed,
    row_counts,
    schema_of,
)
from dlt_authsignal.schema.tables.bookkeeping import USER_READS
from dlt_authsignal.schema.tables.server import ACTION_DETAILS, USERS
from dlt_authsignal.source.incremental.state.columns import FIELDS, HASHES, TIMES
from dlt_authsignal.source.incremental.state.disk_column import ColumnFile, DiskColumn, blocks, zeros
from dlt_authsignal.source.incremental.state.keys import LoadedDetails, UserSet, key_of, place_of
from dlt_authsignal.source.incremental.state.last_read import KEPT, LastRead, milliseconds, moment
from dlt_authsignal.source.incremental.state.reported import reported

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_MARKED: Final = ("users", "user_authenticators", "user_devices")
"""Tables of users in which deleted rows are marked."""


class KnownReads:
    """The last read of each user: 26 bytes per user in memory, and 72 in files.

    Users are looked up by a 64-bit hash of the id. Two ids with equal hashes would count as one user. Among a million
    ids, the probability of that is 3 in 100 million.
    """

    def __init__(self) -> None:
        self._keys = array("Q")
        self._listed = array("Q")
        self._privacy = DiskColumn("Q")
        self._known = bytearray()
        self._times = [DiskColumn("q") for _ in FIELDS]
        self.details = LoadedDetails()
        self._named = bytearray()
        self._reported = DiskColumn("q")
        self._ids: Callable[[], Iterable[str]] = tuple

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, user_id: str) -> LastRead | None:
        """Return the state of a user's last read; None for a new user."""
        index = place_of(self._keys, key_of(user_id))
        return None if index is None else self[index]

    def named(self, user_id: str) -> int | None:
        """Return the index of a user of a user id source, and record that a source contains the user; None for a new
        user."""
        index = place_of(self._keys, key_of(user_id))
        if index is not None:
            self._named[index] = True
        return index

    def listed(self, index: int) -> int:
        """Return the fingerprint of a user's last list entry; 0 if never listed."""
        return self._listed[index]

    def blocks(self) -> Iterator[Callable[[str], Any]]:
        """Yield functions that return a field of the `LastRead` of many users as a NumPy array. Together, these are all
        users in the order of the indexes."""
        return (partial(self._column, block) for block in blocks(len(self)))

    def _column(self, block: slice, field: str) -> Any:
        import numpy as np

        if field == "is_known":
            return np.array(self._known[block], np.bool_)
        others = {"privacy": self._privacy, "reported": self._reported}
        return (others[field] if field in others else self._times[FIELDS.index(field)]).copied(block)

    def not_named(self, is_wanted: Callable[[LastRead], bool]) -> Iterator[str]:
        """Yield ids of users who are in no user id source."""
        missing = {index for index in self._not_named() if is_wanted(self[index])}
        if missing:
            for user_id in self._ids():
                if place_of(self._keys, key_of(user_id)) in missing:
                    yield user_id

    def count_not_named(self, is_counted: Callable[[LastRead], bool]) -> int:
        """Return the number of users in no user id source that `is_counted` accepts."""
        return sum(is_counted(self[index]) for index in self._not_named())

    def _not_named(self) -> Iterator[int]:
        import numpy as np

        return map(int, np.flatnonzero(~np.frombuffer(self._named, np.bool_)) if self._named else ())

    def count_read(self, *parts: str) -> int:
        """Return the number of known users with at least one part that was read."""
        import numpy as np

        count = 0
        for column in self.blocks():
            is_read = np.logical_or.reduce([column(part) > 0 for part in parts])
            count += int(np.count_nonzero(column("is_known") & is_read))
        return count

    def __iter__(self) -> Iterator[LastRead]:
        return map(self.__getitem__, range(len(self._keys)))

    def __getitem__(self, index: int) -> LastRead:
        times = (column[index] for column in self._times)
        hashes = (self._listed[index], self._privacy[index])
        values: list[Any] = [*times, *hashes, bool(self._known[index]), self._reported[index]]
        return LastRead(*values)  # see FIELDS

    def oldest(self) -> datetime | None:
        """Return the oldest last-read time of all users; None if no user was read."""
        return moment(_earliest(column("users")[column("is_known")] for column in self.blocks()))

    def has_detail(self, user_id: str, action_code: str, idempotency_key: str) -> bool:
        """Return whether the detail of an action is loaded."""
        return self.details.has(user_id, action_code, idempotency_key)

    def _outnumber(self, pipeline: Pipeline) -> bool:
        """Return whether more users were read than the table contains, which means that rows were removed."""
        return self.count_read("users") > row_counts(pipeline, ["users"])["users"]

    def recall(self, pipeline: Pipeline, *, details: bool = False) -> None:
        """Read the state from the destination, using only rows of completed loads.

        A missing table counts as never read, and so does a table of users with missing rows.

        Args:
            pipeline: Pipeline of the dataset.
            details: Whether to read which actions have a loaded detail.
        """
        if details:
            self.details = LoadedDetails(_sorted_keys(committed(pipeline, ACTION_DETAILS.name, *ACTION_DETAILS.key)))
        with ExitStack() as opened:
            folder = pipeline.working_dir if Path(pipeline.working_dir).is_dir() else None
            files = [opened.enter_context(ColumnFile(kind, folder)) for kind in ("Q", *"q" * len(TIMES))]
            left = self._read(pipeline, files)
        if not self._keys:
            return
        self._ids = partial(_ids, pipeline, left)
        self._named = bytearray(len(self._keys))
        there = are_there(pipeline, KEPT)
        for place, part in enumerate(KEPT, start=FIELDS.index(KEPT[0])):
            if part not in there or (part == "users" and self._outnumber(pipeline)):
                self._times[place] = zeros(len(self._keys))
        self._recall_events(pipeline)

    def _read(self, pipeline: Pipeline, files: list[ColumnFile]) -> list[str]:
        """Read all users, sorted by the hash of the id. Return those with rows of incomplete loads only."""
        import numpy as np

        for batch in committed(pipeline, USER_READS.name, "user_id", "is_known", *HASHES, *TIMES):
            self._add(files, *batch)
        if left := self._unread(_incomplete(pipeline)):
            self._add(files, *_never_completed(left))
        order = np.argsort(np.frombuffer(self._keys, np.uint64))
        for column, kind in ((self._keys, "Q"), (self._listed, "Q"), (self._known, "B")):
            values = np.frombuffer(column, kind)
            values[:] = values[order]
        self._privacy, *self._times = [file.sorted_by(order) for file in files]
        return left

    def _unread(self, user_ids: list[str]) -> list[str]:
        """Return the users who are not among those read so far, which need not be sorted."""
        if not user_ids:
            return []
        keys = set(map(key_of, user_ids)).intersection(self._keys)
        return [user_id for user_id in user_ids if key_of(user_id) not in keys]

    def _add(self, files: list[ColumnFile], ids: Any, known: Any, listed: Any, privacy: Any, *times: Any) -> None:
        """Add users whose columns are Arrow arrays."""
        self._keys.frombytes(_keys(ids).tobytes())
        self._known.extend(_truths(known))
        self._listed.frombytes(_numbers(listed).tobytes())
        for file, values in zip(files, (_numbers(privacy), *map(_since_1970, times)), strict=True):
            file.extend(values)

    def _recall_events(self, pipeline: Pipeline) -> None:
        """Read when events last named each user, as far as that may be later than the user's last read."""
        self._reported = zeros(len(self))
        since = _earliest(column(part) for column in self.blocks() for part in KEPT)
        if not since:
            return
        for user_ids, times in reported(pipeline, _EPOCH + timedelta(milliseconds=since)):
            for user_id, at in zip(user_ids, times.tolist(), strict=True):
                index = place_of(self._keys, key_of(user_id))
                if index is not None and at > self._reported[index]:
                    self._reported[index] = at


def _ids(pipeline: Pipeline, left: list[str]) -> Iterator[str]:
    read = (user_id for (batch,) in committed(pipeline, USER_READS.name, "user_id") for user_id in batch.to_pylist())
    return chain(read, left)


def _incomplete(pipeline: Pipeline) -> list[str]:
    """Return users with rows of incomplete loads. Without other rows, they may be deleted and must be looked up."""
    found = {
        user_id
        for table in (USER_READS.name, *_MARKED)
        for (batch,) in committed(pipeline, table, "user_id", is_completed=False)
        for user_id in batch.to_pylist()
    }
    return sorted(found)


def _never_completed(user_ids: list[str]) -> tuple[Any, ...]:
    """Return state rows for these users that make them due and allow them to be missing from the user list."""
    import pyarrow as pa

    long_ago, now = datetime.fromtimestamp(1, UTC), datetime.now(UTC)
    times = {"first_seen_at": now, "user_authenticators_read_at": long_ago}
    rows = len(user_ids)
    return (
        pa.array(user_ids, pa.string()),
        pa.repeat(True, rows),
        *(pa.nulls(rows, pa.string()) for _ in HASHES),
        *(pa.array([times.get(name)] * rows, pa.timestamp("us", "UTC")) for name in TIMES),
    )


def oldest_read(pipeline: Pipeline) -> datetime | None:
    """Return the oldest last-read time of any known user."""
    import pyarrow.compute as pc

    if USER_READS.name not in schema_of(pipeline).tables:
        return None
    found = [
        pc.min(batch["users_read_at"].filter(batch["is_known"])).as_py()
        for batch in arrow_columns_of(pipeline, USER_READS.name, "users_read_at", "is_known")
    ]
    oldest = min(filter(None, found), default=None)
    return oldest if oldest is None or oldest.tzinfo else oldest.replace(tzinfo=UTC)


def known_reads(pipeline: Pipeline, *, details: bool = False) -> KnownReads:
    """Return when each user of a pipeline's dataset was last read, for `authsignal_source(reads=…)`.

    First finish pending loads of earlier runs: `pipeline.run()` while `pipeline.has_pending_data`.
    """
    adapt_dlt(pipeline)
    if not pipeline.default_schema_name:
        pipeline.sync_destination()
    reads = KnownReads()
    reads.recall(pipeline, details=details)
    return reads


def _earliest(columns: Iterable[Any]) -> int:
    """Return the earliest of times that are 0 for never; 0 if there is none."""
    return min((int(times[times > 0].min()) for times in columns if (times > 0).any()), default=0)


def _keys(*names: Any) -> Any:
    """Return the 64-bit hash of each key, whose parts are in these Arrow arrays of equal length."""
    import numpy as np

    return np.fromiter(map(key_of, *(part.to_pylist() for part in names)), np.uint64, len(names[0]))


def _sorted_keys(batches: Iterable[tuple[Any, ...]]) -> bytes:
    import numpy as np

    keys = array("Q")
    for batch in batches:
        keys.frombytes(_keys(*batch).tobytes())
    np.frombuffer(keys, np.uint64).sort()
    return keys.tobytes()


def _truths(column: Any) -> Any:
    """Return 1 or 0 for each value of a column of truth values, 0 for null."""
    import pyarrow as pa

    return column.cast(pa.bool_()).fill_null(False).cast(pa.uint8()).to_numpy(zero_copy_only=False)


def _numbers(hashes: Any) -> Any:
    """Return the number of each hexadecimal text of a column, of up to 16 digits; 0 for null and for an empty text.

    Without this, one text that was cleared or shortened by hand would shift all others.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from dlt_authsignal.source.rows.arrow_hash import DIGITS, from_text

    return from_text(pc.ascii_lpad(hashes.cast(pa.string()).fill_null(""), DIGITS, "0"))


def _since_1970(column: Any) -> Any:
    """Return the milliseconds since 1970 of a column of times, 0 for null."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("ms", column.type.tz), safe=False).cast(pa.int64()).fill_null(0).to_numpy(False)
    import numpy as np

    return np.array([milliseconds(value) if value else 0 for value in column.to_pylist()], np.int64)


def known_ids(pipeline: Pipeline) -> Iterator[str]:
    """Yield the ids that earlier runs read or were due to read, and those in events; some occur several times."""
    read = (row[0] for table in ("users", "user_reads") for row in columns_of(pipeline, table, "user_id"))
    return chain(read, (user_id for user_ids, _ in reported(pipeline, _EPOCH) for user_id in user_ids))


_DATA: Final = ("email", "email_domain", "phone_number", "phone_number_country", "username", "display_name")


def with_data(pipeline: Pipeline) -> UserSet:
    """Return the stored users who had attributes or were enrolled. If Authsignal returns nothing for one of them, the
    user was deleted; a user without any data looks the same before and after."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def ids() -> Iterator[str]:
        for batch in alive_columns_of(pipeline, USERS.name, "user_id", "is_enrolled", *_DATA):
            has_data = pc.fill_null(batch.column("is_enrolled").cast(pa.bool_()), False)
            for name in _DATA:
                has_data = pc.or_(has_data, pc.is_valid(batch.column(name)))
            yield from batch.column("user_id").filter(has_data).to_pylist()

    return UserSet(ids())
