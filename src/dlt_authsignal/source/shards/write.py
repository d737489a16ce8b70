"""Write the rows that a shard reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from dlt_authsignal.source.incremental.part import Part
from dlt_authsignal.source.rows.arrow_builder import Shaper
from dlt_authsignal.source.shards.files import as_rows, joined
from dlt_authsignal.source.shards.folder import ShardFolder
from dlt_authsignal.source.shards.manifest import Entry, Undeclared
from dlt_authsignal.source.shards.names import GUARD
from dlt_authsignal.source.workers.messages import Shaped
from dlt_authsignal.spool.parquet import as_parquet

USERS_PER_FILE: Final = 5_000


@dataclass(kw_only=True)
class ShardWriter:
    """Writes slices into files of up to 5,000 users.

    Attributes:
        folder: The shard folder.
        round: The round.
        part: The shard.
        attempt: The run of the shard.
        entries: The files so far.
        rows: Rows so far, by table.
    """

    folder: ShardFolder
    round: str
    part: Part
    attempt: str
    entries: list[Entry] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    _held: list[Shaped] = field(default_factory=list)
    _files: int = 0

    def add(self, shaped: Shaped) -> None:
        """Add the result of a slice. Write a file if enough users are waiting."""
        self._held.append(shaped)
        if sum(each.users for each in self._held) >= USERS_PER_FILE:
            self.flush()

    def flush(self) -> None:
        """Write the waiting users."""
        held, self._held = self._held, []
        if not held:
            return
        self._files += 1
        for name in dict.fromkeys(name for each in held for name in each.tables):
            rows = joined([each.table(name) for each in held if name in each.tables])
            self.rows[name] = self.rows.get(name, 0) + rows.num_rows
            self._put(name, rows)
        self._put(GUARD, as_rows(each.guard for each in held))

    def _put(self, name: str, rows: Any) -> None:
        file = f"{self._files:06d}.{name}"
        self.entries.append(self.folder.put(self.round, self.part, self.attempt, file, as_parquet(rows)))


def undeclared_of(shapers: Mapping[str, Shaper]) -> dict[str, Undeclared]:
    """Return what a shard found about undeclared columns, by table."""
    return {
        name: Undeclared(
            columns=cast(Any, shaper.undeclared()),
            hashed=list(shaper.places.remembered),
            words={place: sorted(words) for place, words in shaper.places.words.items()},
        )
        for name, shaper in shapers.items()
    }
