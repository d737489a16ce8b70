"""Other names of a DuckDB file: what a replacement of the file would leave behind."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from dlt_authsignal.errors import RunFailed

_MOUNTS: Final = Path("/proc/self/mountinfo")
_MOUNT_POINT: Final = 4
"""Position of the mount point in a line of `mountinfo`."""


def check_can_be_replaced(file: Path) -> None:
    """Check, before anything is changed, that no other name keeps the content of a file that is replaced.

    Raises:
        RunFailed: The file has hard links, or is mounted by itself.
    """
    count = file.stat().st_nlink
    if count > 1:
        raise RunFailed(
            f"{file} has {count} names (hard links). Erasing writes a new file, and the other names would keep"
            f" the old one, with this person's data. Nothing was changed."
            f" List the names with: find / -xdev -samefile '{file}'"
            " Remove all others, then run this again."
        )
    if _is_mounted(file):
        raise RunFailed(
            f"{file} is mounted by itself (a bind mount of one file, for example a container's volume), so it cannot"
            " be replaced by a file without this person's data. Nothing was changed. Mount its folder instead, or run"
            " this where the file itself is."
        )


def _is_mounted(file: Path) -> bool:
    """Whether the file is a mount point; False where that cannot be found out: the replacement is then refused."""
    try:
        lines = _MOUNTS.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False
    points = (line.split(" ")[_MOUNT_POINT] for line in lines)
    return os.fspath(file) in {_decoded(point) for point in points}


def _decoded(point: str) -> str:
    """Return a path of `mountinfo`, where blanks and some other characters are written as octal numbers."""
    for code in ("040", "011", "012", "134"):
        point = point.replace(f"\\{code}", chr(int(code, 8)))
    return point


def attached_databases(connection: Any) -> Iterator[str]:
    """Yield the other databases that the pipeline's connection has attached, by name and file."""
    rows = connection.execute(
        "SELECT database_name, path FROM duckdb_databases() WHERE NOT internal AND database_name <> current_database()"
        " ORDER BY 1"
    ).fetchall()
    for name, path in rows:
        yield f"{name} ({path})" if path else str(name)
