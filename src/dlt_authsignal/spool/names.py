"""The names of spool files: `<tenant>/<day>/<receive time>-<hash of the body>.<table>.parquet`, all times in UTC.

Names of one tenant sort by receive time. Encrypted deliveries as they came have the same names below `raw/`, and end
in `.delivery.fernet`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from dlt_authsignal.errors import ConfigurationError

DELIVERY: Final = "delivery"
"""What `SpoolFile.table` is for a delivery that is kept as it came."""

RAW: Final = "raw"
HASH_DIGITS: Final = 32

_TIME: Final = "%Y%m%dT%H%M%S.%fZ"
_TENANT: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_NAME: Final = re.compile(
    r"(?:(?P<raw>raw)/)?(?P<tenant>[a-z0-9][a-z0-9_-]{0,62})/(?P<day>\d{4}-\d\d-\d\d)/"
    r"(?P<time>\d{8}T\d{6}\.\d{6}Z)-(?P<hash>[0-9a-f]{32})\.(?P<table>[a-z][a-z0-9_]{0,62})\.(?P<form>parquet|fernet)"
)


@dataclass(frozen=True, order=True)
class SpoolFile:
    """One file of a spool.

    Attributes:
        name: Path relative to the spool, with "/".
        size: Bytes.
    """

    name: str
    size: int = field(compare=False)

    @property
    def tenant(self) -> str:
        return _parsed(self.name)["tenant"]

    @property
    def received_at(self) -> datetime:
        return datetime.strptime(_parsed(self.name)["time"], _TIME).replace(tzinfo=UTC)

    @property
    def table(self) -> str:
        """Return the table of the rows; `DELIVERY` for a delivery as it came."""
        return _parsed(self.name)["table"]


def file_name(tenant: str, received_at: datetime, body_hash: str, table: str) -> str:
    """Return the name of the file that keeps one table's rows of one delivery.

    Args:
        tenant: Name of the tenant in the settings.
        received_at: When the delivery was received, with a time zone.
        body_hash: SHA-256 of the raw body, in hexadecimal.
        table: Table of the rows.
    """
    return checked(f"{_stem(tenant, received_at, body_hash)}.{table}.parquet")


def raw_file_name(tenant: str, received_at: datetime, body_hash: str) -> str:
    """Return the name of the file that keeps one delivery as it came, encrypted."""
    return checked(f"{RAW}/{_stem(tenant, received_at, body_hash)}.{DELIVERY}.fernet")


def _stem(tenant: str, received_at: datetime, body_hash: str) -> str:
    return f"{start_of(tenant, received_at)}-{body_hash[:HASH_DIGITS]}"


def start_of(tenant: str, moment: datetime) -> str:
    """Return the text before which the names of all files of a tenant sort that were received earlier."""
    time = moment.astimezone(UTC)
    day = time.date().isoformat()  # strftime does not pad years below 1000 on each system
    return f"{tenant}/{day}/{day.replace('-', '')}T{time:%H%M%S.%f}Z"


def checked(name: str) -> str:
    """Return the name of a file of the spool.

    Raises:
        ValueError: It is not one, so it might lead out of the spool.
    """
    _parsed(name)
    return name


def is_name(name: str) -> bool:
    """Return whether this is the name of a file of a spool: there may be other files beside them."""
    found = _NAME.fullmatch(name)
    if not found or found["tenant"] == RAW:
        return False
    return (found["raw"] is None) == (found["form"] == "parquet") and _is_time(found["time"])


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def between(
    days: Iterable[str], files_of: Callable[[str], Iterable[SpoolFile]], after: str, before: str | None
) -> Iterator[SpoolFile]:
    """Yield the files whose names sort between two texts, in order. Only the days in between are listed.

    Args:
        days: Folders of days, each with "/" at its end.
        files_of: Returns the files in one of them, in any order.
        after: Only files whose names sort after this text.
        before: Only files whose names sort before this text; None for no limit.
    """
    for day in sorted(days):
        if before is not None and day >= before:
            return
        if day <= after and not after.startswith(day):
            continue
        for file in sorted(files_of(day)):
            if after < file.name and (before is None or file.name < before):
                yield file


def check_tenant(tenant: str) -> str:
    """Return the name of a tenant's folder.

    Raises:
        ConfigurationError: No folder can have this name.
    """
    if not _TENANT.fullmatch(tenant) or tenant == RAW:
        raise ConfigurationError(
            f'"{tenant}" cannot be the name of a tenant: use lower-case letters, digits, - and _, at most 63 of them,'
            f' and not "{RAW}". Nothing was read or written.'
        )
    return tenant


def _parsed(name: str) -> re.Match[str]:
    found = _NAME.fullmatch(name)
    if not found or not is_name(name):
        raise ValueError(f"not the name of a spool file: {name}")
    return found
