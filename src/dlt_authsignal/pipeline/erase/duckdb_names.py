"""Other names of a DuckDB file: what a replacement of the file would leave behind."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from dlt_authsignal.errors import RunFailed
from dlt_authsignal.project.writing import cannot_write

_MOUNTS: Final = Path("/proc/self/mountinfo")
_MOUNT_POINT: Final = 4
"""Position of the mount point in a line of `mountinfo`."""


def check_can_be_replaced(file: Path) -> None:
    """Check, before anything is changed, that a file can be replaced, and that no other name keeps its content.

    Raises:
        ConfigurationError: This account cannot replace files in its folder.
        RunFailed: The file has hard links, or is mounted by itself.
    """
    if fault := _refusal(file):
        raise cannot_write(file, "the new file without this person's data", PermissionError(fault, os.strerror(fault)))
    count = file.stat().st_nlink
    if count > 1:
        raise RunFailed(
            f"{file} has {count} names (hard links). Erasing writes a new file, and the other names would keep"
            f" the old one, with this person's data. Nothing was changed."
            f" List the names with: find / -xdev -samefile '{file}'"
            " Remove all others, then run erase again."
        )
    if _is_mounted(file):
        raise RunFailed(
            f"{file} is mounted by itself (a bind mount of one file, for example a container's volume), so it cannot"
            " be replaced by a file without this person's data. Nothing was changed. Mount its folder instead, or run"
            " this where the file itself is."
        )


def _refusal(file: Path) -> int | None:
    """Return why the folder refuses a replacement of the file, as an error number; None if it allows it."""
    folder = file.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        return errno.EACCES
    if os.name == "nt" or os.geteuid() == 0 or not folder.stat().st_mode & stat.S_ISVTX:
        return None
    return None if os.geteuid() in (file.stat().st_uid, folder.stat().st_uid) else errno.EPERM  # a shared folder


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
