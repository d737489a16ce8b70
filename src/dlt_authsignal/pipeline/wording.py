"""Write commands, paths and counts for messages, so that they work from the current folder."""

import os
import shutil
import sys
from pathlib import Path


def runnable(program: str) -> str:
    """Return `program` if the path finds this installation's, else its path relative to the current folder.

    It only words a message, so it never fails: it returns `program` if the paths cannot be read.
    """
    try:
        mine = Path(sys.executable).with_name(program)
        found = shutil.which(program)
        if not mine.exists() or (found and Path(found).parent == mine.parent):
            return program
        return os.path.relpath(mine)
    except (OSError, ValueError):  # a path that this account may not read, a deleted folder, another drive
        return program


def counted(count: int, thing: str) -> str:
    """Return a count with its noun: `1 request`, `2,009 requests`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def place(destination: str, location: str) -> str:
    """Return the DuckDB file, without a path if it is in this folder; for other destinations, dlt's location."""
    if destination != "duckdb":
        return location
    path = Path(location.removeprefix("duckdb:///"))
    try:
        return path.name if path.parent == Path.cwd() else str(path)
    except OSError:  # the current folder was deleted
        return str(path)
