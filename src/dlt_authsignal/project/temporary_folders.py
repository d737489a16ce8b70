"""Temporary folders for copies of data, which the next process removes if their own process was killed."""

import glob
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

_LOCK: Final = "lock"


@contextmanager
def temporary_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Create a folder that only this account can enter, and delete it at the end.

    Args:
        prefix: Start of its name, for `remove_abandoned`.
        parent: Folder in which to create it. Default: the system's folder for temporary files.

    Raises:
        OSError: It cannot be created.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    lock = FileLock(folder / _LOCK, thread_local=False)
    try:
        lock.acquire(timeout=0)
        yield folder
    finally:
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(prefix: str, parent: Path | None = None) -> int:
    """Remove folders of processes that were killed; return the number. A living one holds the lock in its folder."""
    removed = 0
    for folder in (parent or Path(tempfile.gettempdir())).glob(f"{glob.escape(prefix)}*"):
        with suppress(OSError, Timeout):
            if _is_ours(folder) and (folder / _LOCK).exists():
                with FileLock(folder / _LOCK).acquire(timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)
                removed += not folder.exists()
    return removed


def _is_ours(folder: Path) -> bool:
    """Return whether only this account can have put files there. In a shared folder, names prove nothing."""
    state = folder.lstat()
    mine = not hasattr(os, "getuid") or (state.st_uid == os.getuid() and not state.st_mode & 0o077)
    return stat.S_ISDIR(state.st_mode) and mine
