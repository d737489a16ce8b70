"""The manifest of a shard: the files that the shard wrote, and what the loader has to know. It is written last."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from dlt_authsignal.source.incremental.part import MOST_PARTS, Part

FORMAT: Final = 1


Type = Literal["text", "timestamp", "bool", "bigint", "double", "json"]


class Entry(msgspec.Struct, array_like=True):
    """A file of a shard.

    Attributes:
        name: Name of the file.
        size: Bytes.
        sha256: SHA-256 of its content, in hexadecimal.
    """

    name: str
    size: int
    sha256: str


class Undeclared(msgspec.Struct, kw_only=True):
    """What a shard found about the columns of a table that this version does not know.

    Attributes:
        columns: Field and type of each column, by its name in the destination.
        hashed: Places whose text is hashed.
        words: Words at the other places.
    """

    columns: Mapping[str, tuple[str, Type]]
    hashed: list[str]
    words: dict[str, list[str]]


class Manifest(msgspec.Struct, kw_only=True):
    """The output of one shard.

    Attributes:
        format: Version of this structure.
        round: The round.
        number: Number of the shard, from 1.
        of: Number of shards.
        attempt: The run of the shard.
        started_at: Start of the run.
        ended_at: End of the run.
        newest_load: Newest load of `user_reads` in the dataset when the run began; empty if there was none.
        salt: Salt of `key`.
        key: Fingerprint of the key and its region.
        settings: Fingerprints of the settings that all shards must share.
        stored_as: Fingerprints of what all shards and the loader must share.
        counters: Counters of the run.
        errors: Failed requests by kind.
        positions: Lines or rows of the first unknown ids.
        drift: Schema drift by table.
        undeclared: Undeclared columns by table.
        files: The files.
    """

    format: int
    round: str
    number: int
    of: int
    attempt: str
    started_at: datetime
    ended_at: datetime
    newest_load: str
    salt: str
    key: str
    settings: dict[str, str]
    stored_as: dict[str, str]
    counters: dict[str, int]
    errors: dict[str, int]
    positions: list[int]
    drift: dict[str, dict[str, Any]]
    undeclared: dict[str, Undeclared]
    files: list[Entry]

    @property
    def part(self) -> Part:
        """Return the shard."""
        return Part(self.number, self.of)


class Damaged(Exception):
    """A file is damaged, or was not written by this package. The message says what is wrong."""


class _Version(msgspec.Struct):
    format: int


def encoded(manifest: Manifest) -> bytes:
    """Return a manifest as JSON."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1)


def decoded(data: bytes) -> Manifest:
    """Return a manifest.

    Raises:
        Damaged: It is not a manifest, or one of another version.
    """
    try:
        if msgspec.json.decode(data, type=_Version).format != FORMAT:
            raise Damaged("another version of this package wrote it")
        found = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Damaged("it is not a complete manifest") from None
    if not 1 <= found.number <= found.of <= MOST_PARTS:
        raise Damaged("there is no such shard")
    return found
