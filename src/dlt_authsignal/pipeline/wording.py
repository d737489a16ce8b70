"""Commands, places and counts, spelled so that they work from the current folder."""

import os
import shutil
import sys
from pathlib import Path


def runnable(program: str) -> str:
    """`program` where it is on the path and is this installation's, else its path from here."""
    mine = Path(sys.executable).with_name(program)
    found = shutil.which(program)
    if not mine.exists() or (found and Path(found).parent == mine.parent):
        return program
    return os.path.relpath(mine)


def counted(count: int, thing: str) -> str:
    """`1 request`, `2,009 requests`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def place(destination: str, location: str) -> str:
    """The DuckDB file, short when it is in this folder; elsewhere what dlt calls the place."""
    if destination != "duckdb":
        return location
    path = Path(location.removeprefix("duckdb:///"))
    return path.name if path.parent == Path.cwd() else str(path)
