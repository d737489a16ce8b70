"""A round of shards: its rows, and checks that it is complete and that its shards belong together."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from dlt_authsignal.errors import ShardsMissing, ShardsUnusable
from dlt_authsignal.source.incremental.delete_guard import Held, Limit, Shown
from dlt_authsignal.source.incremental.part import Part
from dlt_authsignal.source.rows.arrow_hash import cells
from dlt_authsignal.source.shards.agreement import ShardAgreement
from dlt_authsignal.source.shards.files import TABLES, as_guard, rows_of
from dlt_authsignal.source.shards.folder import ShardFolder
from dlt_authsignal.source.shards.manifest import Damaged, Manifest, Undeclared
from dlt_authsignal.source.shards.names import GUARD, parsed
from dlt_authsignal.source.workers.messages import Shaped
from dlt_authsignal.source.workers.shaping import as_stream

_NOTHING: Final = Undeclared(columns={}, hashed=[], words={})
_AGAIN: Final = "Run all shards again with --round NAME and a new name, then load that round."


@dataclass(kw_only=True)
class Round:
    """The shards of one round that are loaded together.

    Attributes:
        folder: The shard folder.
        name: Name of the round.
        manifests: The shards, without those that were loaded before.
        missing: The missing shards.
    """

    folder: ShardFolder
    name: str
    manifests: Sequence[Manifest]
    missing: Sequence[Part]

    def leave_out(self, loaded: Collection[str]) -> None:
        """Leave out shards that were loaded before, by a load that was interrupted before it removed their files."""
        left = [manifest for manifest in self.manifests if manifest.attempt not in loaded]
        self.missing = self.missing if left else ()
        self.manifests = left

    def check_complete(self, *, accept_missing: bool) -> None:
        """Check that no shard is missing.

        Raises:
            ShardsMissing: A shard is missing, and that is not accepted.
        """
        if self.missing and not accept_missing:
            raise ShardsMissing(self.name, [str(part) for part in self.missing], self.folder.url)

    @property
    def attempts(self) -> list[str]:
        """Return the runs of shards that are loaded."""
        return [manifest.attempt for manifest in self.manifests]

    def slices(
        self, agreements: Mapping[str, ShardAgreement], allowed: Limit, held: Held, is_erased: Callable[[str], bool]
    ) -> Iterator[Shaped]:
        """Yield the rows, after checking that they do not mark too many rows as deleted.

        If shards are missing, nothing is marked: users with a row that would be marked are left out. The next round
        reads them.

        Args:
            agreements: Decisions about undeclared columns, by table.
            allowed: Limit of deletes.
            held: Returns rows of the destination.
            is_erased: Returns whether the user with a stored id was erased.

        Raises:
            TooManyDeletes: More rows would be marked as deleted than allowed.
            ShardsUnusable: A file is damaged.
        """
        shown = Shown()
        for manifest in self.manifests:
            for _, entries in _by_number(manifest):
                shown.add(self._parsed(manifest, entries, GUARD, as_guard) or {})
            for name, agreement in agreements.items():
                agreement.learn(manifest.undeclared.get(name, _NOTHING))
        spared = None
        if self.missing:
            spared = shown.users_with_deletes(held)
        else:
            shown.check(allowed, held)
        number = 0
        for manifest in self.manifests:
            for _, entries in _by_number(manifest):
                yield self._slice(number, manifest, entries, agreements, spared, is_erased)
                number += 1

    def _slice(
        self,
        number: int,
        manifest: Manifest,
        entries: Mapping[str, Any],
        agreements: Mapping[str, ShardAgreement],
        spared: Any,
        is_erased: Callable[[str], bool],
    ) -> Shaped:
        tables = {}
        for name, agreement in agreements.items():
            found = manifest.undeclared.get(name, _NOTHING)

            def parse(
                data: bytes, name: str = name, found: Undeclared = found, agreement: ShardAgreement = agreement
            ) -> Any:
                rows = _without(rows_of(data, TABLES[name], found, manifest.part), spared, is_erased)
                return agreement.same(rows, found) if rows.num_rows else rows

            rows = self._parsed(manifest, entries, name, parse)
            if rows is not None and rows.num_rows:
                tables[name] = as_stream(rows)
        return Shaped(number=number, users=0, unknown=0, positions=[], tables=tables, guard={}, drift={})

    def _parsed(self, manifest: Manifest, entries: Mapping[str, Any], table: str, parse: Callable[[bytes], Any]) -> Any:
        """Return the content of the file of one table; None if there is none."""
        if table not in entries:
            return None
        try:
            return parse(self.folder.read(entries[table]))
        except (Damaged, msgspec.MsgspecError, pa.ArrowException, UnicodeDecodeError) as error:
            why = str(error) if isinstance(error, Damaged) else "it is damaged"
        raise ShardsUnusable(f"File {entries[table].name} of shard {manifest.part} cannot be used: {why}.")


def chosen_round(folder: ShardFolder, wanted: str | None) -> str:
    """Return the round to load: the wanted one, or the only one.

    Raises:
        ShardsUnusable: There is none, or there are several.
    """
    if wanted is not None:
        return wanted
    rounds = folder.rounds()
    if len(rounds) == 1:
        return rounds[0]
    if rounds:
        raise ShardsUnusable(
            f"There are several rounds in {folder.url}: {', '.join(rounds[:10])}.", "Choose one with --round."
        )
    raise ShardsUnusable(
        f"There is no round with a complete shard in {folder.url}.",
        "Run the shards (--shard 1/4, 2/4, …) with the same --shard-folder and --pipeline-name first.",
    )


def opened_round(folder: ShardFolder, name: str) -> Round:
    """Return a round, after checking that its shards were read with the same settings.

    Raises:
        ShardsUnusable: Its shards do not belong together.
    """
    manifests = folder.manifests(name)
    if not manifests:
        raise ShardsUnusable(
            f"There is no round {name} with a complete shard in {folder.url}.",
            f"Run the shards (--shard 1/4, 2/4, …) with --round {name} first.",
        )
    first = manifests[0]
    counts = sorted({manifest.of for manifest in manifests})
    if len(counts) > 1:
        raise ShardsUnusable(
            f"Round {name} in {folder.url} has shards of different counts: {', '.join(f'K/{of}' for of in counts)}.",
            _AGAIN,
        )
    for manifest in manifests[1:]:
        differing = _differing(first.settings | first.stored_as, manifest.settings | manifest.stored_as)
        if differing:
            raise ShardsUnusable(
                f"Shards {first.part} and {manifest.part} of round {name} were read with different settings:"
                f" {', '.join(differing)}.",
                _AGAIN,
            )
    there = {manifest.number for manifest in manifests}
    missing = [Part(number, first.of) for number in range(1, first.of + 1) if number not in there]
    return Round(folder=folder, name=name, manifests=manifests, missing=missing)


def check_fits(round_: Round, stored_as: Mapping[str, str], newest_load: str) -> None:
    """Check that the shards were read with the loader's settings, and that nothing was loaded since they began.

    Raises:
        ShardsUnusable: They do not fit.
    """
    for manifest in round_.manifests:
        if differing := _differing(manifest.stored_as, stored_as):
            raise ShardsUnusable(
                f"Shard {manifest.part} of round {round_.name} was read with settings that differ from those of this"
                f" load: {', '.join(differing)}.",
                "Load with the settings of the shards, or run all shards again under a new --round.",
            )
        if newest_load > manifest.newest_load:
            raise ShardsUnusable(
                f"Shard {manifest.part} of round {round_.name} began before the newest load of the dataset. Its rows"
                " may be older than the stored ones.",
                _AGAIN,
            )


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _by_number(manifest: Manifest) -> list[tuple[int, dict[str, Any]]]:
    """Return the files of a shard by number, and by table."""
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    for entry in manifest.files:
        file = parsed(entry.name)
        if file is not None:
            found[file.number][file.table] = entry
    return sorted(found.items())


def _without(rows: Any, spared: Any, is_erased: Callable[[str], bool]) -> Any:
    """Return the rows without those of erased users and of users with rows that must not be marked as deleted."""
    import numpy as np

    user_ids = rows["user_id"].combine_chunks()
    gone = pa.array([user_id for user_id in pc.unique(user_ids).to_pylist() if is_erased(user_id)], pa.string())
    is_kept = pc.invert(pc.is_in(user_ids, gone))
    if spared is not None and len(spared):
        is_kept = pc.and_(is_kept, pa.array(~np.isin(cells("user_id", user_ids), spared)))
    return rows.filter(is_kept)
