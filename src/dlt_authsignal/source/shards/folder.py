"""The shard folder: a folder, or a prefix in an object store, in which shards leave files for the loader."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from dlt_authsignal.errors import ShardsUnusable, SpoolFileMissing, SpoolUnavailable
from dlt_authsignal.source.incremental.part import Part
from dlt_authsignal.source.shards.manifest import Damaged, Entry, Manifest, decoded, encoded
from dlt_authsignal.source.shards.names import ShardFile, began, checked, parsed, word
from dlt_authsignal.spool import open_spool

KEPT: Final = timedelta(days=7)
"""How long files are kept that no load removes, such as those of a killed shard."""


class ShardFolder:
    """The files of one pipeline's shards.

    Args:
        url: The folder, or the URL of an object store.
        pipeline: Name of the pipeline, which is the same on all machines.
    """

    def __init__(self, url: str, pipeline: str) -> None:
        self._pipeline = word("The name of the pipeline", pipeline)
        self._spool = open_spool(url, checked, "shard_folder")

    @property
    def url(self) -> str:
        """The folder's path, or the store's URL."""
        return self._spool.url

    def prepare(self) -> None:
        """Create missing folders, and check that files can be written."""
        with self._reported():
            self._spool.prepare()

    def put(self, round_: str, part: Part, attempt: str, file: str, data: bytes) -> Entry:
        """Store a file of an attempt, and return its entry in the manifest."""
        name = f"{self._shard(round_, part)}/{attempt}/{file}.parquet"
        with self._reported():
            self._spool.put(name, data)
        return Entry(name, len(data), sha256(data).hexdigest())

    def publish(self, manifest: Manifest) -> None:
        """Write the manifest of a shard. If it replaces an earlier one, remove the files of the earlier one."""
        shard = self._shard(manifest.round, manifest.part)
        earlier = {file.attempt for file in self.files(manifest.round) if file.part == manifest.part and file.attempt}
        current = self._manifest(f"{shard}.json") if earlier else None
        with self._reported():
            self._spool.replace(checked(f"{shard}.json"), encoded(manifest))
        if current is not None and current.attempt != manifest.attempt:
            self.remove_attempt(manifest.round, manifest.part, current.attempt)

    def files(self, round_: str = "") -> Iterator[ShardFile]:
        """Yield the files of a round, or of all rounds, in no particular order."""
        with self._reported():
            names = list(self._spool.below(f"{self._pipeline}/{round_}" if round_ else self._pipeline))
        yield from filter(None, map(parsed, names))

    def rounds(self) -> list[str]:
        """Return the names of the rounds with at least one manifest."""
        return sorted({file.round for file in self.files() if not file.attempt})

    def manifests(self, round_: str) -> list[Manifest]:
        """Return the manifests of a round, sorted by shard.

        Raises:
            ShardsUnusable: A manifest is damaged, or does not match its name.
        """
        found = []
        for file in sorted(file for file in self.files(round_) if not file.attempt):
            manifest = self._manifest(file.name)
            if manifest is None:
                raise ShardsUnusable(f"The manifest of shard {file.part} of round {round_} in {self.url} is damaged.")
            if (manifest.round, manifest.part) != (file.round, file.part) or not self._is_whole(file, manifest):
                raise ShardsUnusable(
                    f"The manifest of shard {file.part} of round {round_} in {self.url} belongs to another shard."
                )
            found.append(manifest)
        return sorted(found, key=lambda each: (each.of, each.number))

    def read(self, entry: Entry) -> bytes:
        """Return the content of a file.

        Raises:
            ShardsUnusable: The file is missing, or differs from what the shard wrote.
        """
        with self._reported():
            data = self._spool.read(entry.name)
        if len(data) != entry.size or sha256(data).hexdigest() != entry.sha256:
            raise ShardsUnusable(f"File {entry.name} in {self.url} differs from what its shard wrote.")
        return data

    def read_any(self, file: ShardFile) -> bytes:
        """Return the content of a file, whatever its manifest says.

        Raises:
            ShardsUnusable: The file is missing, or cannot be read.
        """
        with self._reported():
            return self._spool.read(file.name)

    def remove_attempt(self, round_: str, part: Part, attempt: str) -> None:
        """Remove the files of one run of a shard, its manifest first."""
        shard = self._shard(round_, part)
        manifest = self._manifest(f"{shard}.json")
        with self._reported():
            if manifest is not None and manifest.attempt == attempt:
                self._spool.delete(f"{shard}.json")
            for file in self.files(round_):
                if (file.part, file.attempt) == (part, attempt):
                    self._spool.delete(file.name)
            self._spool.tidy(f"{shard}/{attempt}")

    def remove_loaded(self, manifests: Sequence[Manifest]) -> None:
        """Remove the loaded shards, and what no load can use any more: shards of other rounds that began before this
        load, and files of runs that were killed.

        Manifests are removed last: without them, a load that was interrupted here could not see what it had loaded.
        """
        newest_load = max(manifest.newest_load for manifest in manifests)
        oldest = datetime.now(UTC) - KEPT
        files = list(self.files())
        unusable = {
            (file.round, file.part): manifest.attempt
            for file in files
            if not file.attempt and (manifest := self._manifest(file.name)) and manifest.newest_load <= newest_load
        }
        doomed = []
        for file in files:
            attempt = unusable.get((file.round, file.part), "")
            is_killed = bool(file.attempt) and began(file.attempt) < oldest
            if is_killed or (attempt and file.attempt <= attempt):
                doomed.append(file)
        with self._reported():
            for file in sorted(doomed, key=lambda each: not each.attempt):
                self._spool.delete(file.name)
            for name in {file.round for file in doomed}:
                self._spool.tidy(f"{self._pipeline}/{name}")

    def _shard(self, round_: str, part: Part) -> str:
        return f"{self._pipeline}/{round_}/{part.number}-of-{part.of}"

    def _manifest(self, name: str) -> Manifest | None:
        """Return a manifest; None if there is none, or it is damaged."""
        try:
            with self._reported():
                return decoded(self._spool.read(name))
        except Damaged:
            return None
        except ShardsUnusable as error:
            if error.is_missing:
                return None
            raise

    def _is_whole(self, file: ShardFile, manifest: Manifest) -> bool:
        """Return whether all entries of a manifest are files of its attempt."""
        each = [parsed(entry.name) for entry in manifest.files]
        return all(
            one is not None and (one.round, one.part, one.attempt) == (file.round, file.part, manifest.attempt)
            for one in each
        ) and all(entry.name.startswith(f"{self._pipeline}/") for entry in manifest.files)

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Raise errors of the store as `ShardsUnusable`."""
        try:
            yield
        except SpoolUnavailable as error:
            failure = ShardsUnusable(
                f"The shard folder {error.url} {error.what}: {error.why}.",
                is_missing=isinstance(error, SpoolFileMissing),
            )
        else:
            return
        raise failure
