"""The names of a shard folder's files.

`<pipeline>/<round>/<K>-of-<N>.json` is the manifest of a shard, and
`<pipeline>/<round>/<K>-of-<N>/<attempt>/<number>.<table>.parquet` are the files that it lists.
"""

import re
import secrets
from datetime import UTC, datetime
from typing import Final, NamedTuple

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.source.incremental.part import Part

GUARD: Final = "guard"
"""The name of the table in names of files with the counts of the delete guard."""

_WORD: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"
_NAME: Final = re.compile(
    rf"(?P<pipeline>{_WORD})/(?P<round>{_WORD})/(?P<number>\d{{1,3}})-of-(?P<of>\d{{1,3}})"
    r"(?:\.json|/(?P<attempt>\d{8}T\d{6}Z-[0-9a-f]{8})/(?P<file>\d{6})\.(?P<table>[a-z][a-z0-9_]{0,62})\.parquet)"
)


class ShardFile(NamedTuple):
    """What the name of a file says.

    Attributes:
        name: The name.
        round: The round.
        part: The shard.
        attempt: The run of the shard; empty for a manifest.
        number: Number of the file; 0 for a manifest.
        table: Table of the rows; empty for a manifest.
    """

    name: str
    round: str
    part: Part
    attempt: str
    number: int
    table: str


def parsed(name: str) -> ShardFile | None:
    """Return what the name of a file says; None for other files."""
    found = _NAME.fullmatch(name)
    if not found:
        return None
    part = Part(int(found["number"]), int(found["of"]))
    return ShardFile(name, found["round"], part, found["attempt"] or "", int(found["file"] or 0), found["table"] or "")


def checked(name: str) -> str:
    """Return a name after checking that a file of a shard can have it.

    Raises:
        ValueError: No such file can have it, so it might lead out of the folder.
    """
    if not _NAME.fullmatch(name):
        raise ValueError("not the name of a file of a shard")
    return name


def word(setting: str, value: str) -> str:
    """Return a text after checking that a folder can have it as its name, in each store.

    Raises:
        ConfigurationError: No folder can have this name.
    """
    if not re.fullmatch(_WORD, value):
        raise ConfigurationError(
            f'{setting} cannot be "{value}": it becomes the name of a folder. Nothing was read or loaded. Use at'
            " most 100 letters, digits, _, - and ., and begin with a letter or a digit."
        )
    return value


def today() -> str:
    """Return the default name of a round: the day, in UTC."""
    return datetime.now(UTC).date().isoformat()


def new_attempt() -> str:
    """Return a name for one run of a shard: its time and 4 random bytes."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def began(attempt: str) -> datetime:
    """Return the time in the name of an attempt."""
    return datetime.strptime(attempt.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
