"""Import archives of events into the spool: JSON lines, each an envelope or the body of a delivery."""

import codecs
import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.source.events.envelopes import NotAnEnvelope, envelopes_of
from dlt_authsignal.source.events.shaper import EventShaper
from dlt_authsignal.spool import Spool, file_name
from dlt_authsignal.spool.parquet import as_parquet

EVENTS_PER_FILE: Final = 500
LONGEST_LINE: Final = 64 * 1024 * 1024
"""Bytes of a line. A delivery has at most 8 MiB."""

_GZIP: Final = b"\x1f\x8b"
_NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Receive time of an event without a valid time: importing it again gives the same."""

_LAST: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass
class Imported:
    """What was imported.

    Attributes:
        lines: Lines of the archives.
        events: Events in them.
        skipped: Events of synchronous webhooks, which contain codes and are never stored.
        files: Files of the spool, including those that were there before.
    """

    lines: int = 0
    events: int = 0
    skipped: int = 0
    files: int = 0


@dataclass
class _Part:
    """Events that become one delivery of the spool."""

    envelopes: list[Any] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    digest: Any = field(default_factory=hashlib.sha256)


def import_events(
    spool: Spool, tenant: str, paths: Iterable[Path], shape: EventShaper, received_at: datetime | None = None
) -> Imported:
    """Write the events of archives into the spool. Importing an archive again adds nothing.

    The archives are trusted: they have no signature.

    Args:
        spool: Where to write.
        tenant: Name of the tenant in the settings.
        paths: JSON lines, also compressed with gzip.
        shape: Shapes and protects the events.
        received_at: When they were received. Default: the time of each event.

    Raises:
        ConfigurationError: `received_at` is out of range, a file cannot be read, or a line is not an event.
            Earlier lines may have been imported.
    """
    if received_at is not None and not _NO_TIME <= received_at < _LAST:
        raise ConfigurationError(
            f"The time of receipt, {received_at.isoformat()}, must be in the years 1970 to 9998. Nothing was imported."
        )
    done = Imported()
    spool.prepare()
    for path in paths:
        for part in _parts(path, received_at, done):
            tables = _shaped(path, part, shape, done)
            at = min(part.times)
            names = {name: file_name(tenant, at, part.digest.hexdigest(), name) for name in tables}
            spool.put_all({names[name]: as_parquet(rows) for name, rows in tables.items()})
            stored = sum(rows.num_rows for rows in tables.values())
            done.events += stored
            done.skipped += len(part.envelopes) - stored
            done.files += len(tables)
    return done


def _shaped(path: Path, part: _Part, shape: EventShaper, done: Imported) -> dict[str, Any]:
    try:
        return shape(part.envelopes, part.times)
    except NotAnEnvelope as error:
        raise ConfigurationError(
            f"{path}: an event on line {done.lines} or earlier cannot be stored: {error}. Earlier events may already be"
            " in the spool. Correct the file and import it again: no event is added twice."
        ) from None


def _parts(path: Path, received_at: datetime | None, done: Imported) -> Iterator[_Part]:
    part = _Part()
    for number, line in _lines(path):
        done.lines += 1
        try:
            found = envelopes_of(line)
        except NotAnEnvelope as error:
            raise _wrong(path, number, str(error)) from None
        part.envelopes += found
        part.times += [received_at or _time_of(each) for each in found]
        part.digest.update(line + (received_at.isoformat().encode() if received_at else b""))
        if len(part.envelopes) >= EVENTS_PER_FILE:
            yield part
            part = _Part()
    if part.envelopes:
        yield part


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their numbers."""
    number = 0
    try:
        with _opened(path) as file:
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    raise _wrong(path, number, f"it is longer than {LONGEST_LINE >> 20} MiB")
                if number == 1:
                    line = _unmarked(path, line)
                if line.strip():
                    yield number, line.strip()
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise _wrong(path, number + 1, "the compressed data is damaged or ends early") from None
    except OSError as error:
        raise ConfigurationError(
            f"Cannot read {path}: {error.strerror or type(error).__name__}. Events read before this may be in the"
            " spool. Import the file again: no event is added twice."
        ) from None


def _unmarked(path: Path, line: bytes) -> bytes:
    """Return the first line without the mark that some programs put before UTF-8.

    Raises:
        ConfigurationError: The mark is that of another encoding.
    """
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigurationError(
            f"{path} is UTF-16, and archives must be UTF-8. Nothing was imported from it. Save it as UTF-8, then import"
            " it again."
        )
    return line.removeprefix(codecs.BOM_UTF8)


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        is_compressed = file.read(2) == _GZIP
    return gzip.open(path) if is_compressed else path.open("rb")  # type: ignore[return-value]


def _wrong(path: Path, number: int, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path}, line {number} is not an event: {why}. Events of the lines before it may be in the spool already."
        " Correct the line and import the file again: no event is added twice."
    )


def _time_of(envelope: Any) -> datetime:
    try:
        found = datetime.fromisoformat(envelope["time"])
        moment = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (TypeError, KeyError, ValueError, OverflowError):
        return _NO_TIME
    return moment if _NO_TIME <= moment < _LAST else _NO_TIME
