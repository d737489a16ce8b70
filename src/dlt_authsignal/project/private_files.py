"""Create files and folders that other accounts cannot read, whatever the umask.

The umask belongs to the whole process, so this package changes it only in its own commands, never in a program that
calls `sync`. Standard library only.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

FILE: Final = 0o600
FOLDER: Final = 0o700
OTHERS: Final = 0o077
"""Permissions of the group and of other accounts."""


def make_folder(folder: Path) -> bool:
    """Create a folder and its missing parents with mode 0700; return whether it was missing. A folder keeps its mode.

    Raises:
        OSError: It cannot be created.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=FOLDER, exist_ok=True)
    return bool(missing)


def keep_private(path: Path, like: Path | None = None) -> None:
    """Take from a file or folder all permissions of other accounts, or those that another file does not grant.

    A missing file, and one that belongs to another account, are not changed.
    """
    with suppress(OSError):
        granted = like.stat().st_mode & OTHERS if like is not None and like.exists() else 0
        mode = path.stat().st_mode & 0o7777
        narrow = mode & ~OTHERS | mode & granted
        if narrow != mode:
            path.chmod(narrow)


def mode_for(path: Path) -> int:
    """Return the mode of an existing file, and 0600 for a new one."""
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        return FILE


def replace_text(path: Path, text: str, *, mode: int | None = None) -> None:
    """Write a UTF-8 file completely or not at all. A symbolic link stays, and the file that it leads to is replaced.

    Args:
        path: The file; its folder must exist.
        text: Its new content, with the line ends to write.
        mode: Permissions; default: those of the existing file, 0600 for a new one.

    Raises:
        OSError: It cannot be written. The earlier file is unchanged.
    """
    target = path.resolve()
    mode = mode_for(target) if mode is None else mode
    unfinished = target.with_name(f".{target.name}.{uuid4().hex}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        unfinished.chmod(mode)
        os.replace(unfinished, target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def readable_by_others(*paths: Path) -> Iterator[Path]:
    """Yield the files and folders that other accounts can read: by their mode, and that of all folders above them."""
    for path in paths:
        with suppress(OSError):
            above = path.resolve().parents
            if path.stat().st_mode & 0o044 and all(folder.stat().st_mode & 0o011 for folder in above):
                yield path
