"""Explain why DuckDB cannot open its database file."""

import re
from typing import Final

_PLACE: Final = "The file's name comes from --pipeline-name, or from credentials under [destination.duckdb]."
_ANOTHER: Final = (
    "Restore the file from a backup, or move it away and sync again: a new file gets everything that Authsignal still"
    " returns (actions of the last 30 days)."
)
_QUOTED: Final = re.compile(r'"([^"]+)"')
_FAULTS: Final = (
    (
        "Trying to read a database file with version",
        "was written by a DuckDB version that the installed one ({installed}) cannot read. Install the version that"
        " wrote it: pip install --upgrade duckdb. Or pass another --pipeline-name, which names another file.",
    ),
    ("encrypted database", "is encrypted, which is not supported. Pass another --pipeline-name for a plain file."),
    ("Could not read enough bytes", f"is cut off: bytes at its end are missing. {_ANOTHER}"),
    ("Corrupt database file", f"is damaged: a checksum does not match. {_ANOTHER}"),
    ("not a valid DuckDB database file", f"is not a DuckDB database. {_PLACE} Move the file, or choose another name."),
    ("sqlite_scanner", f"is an SQLite database, not a DuckDB database. {_PLACE}"),
    ("Is a directory", f"is a folder, not a file. {_PLACE}"),
    ("Not a directory", f"is below a path that is a file, not a folder. {_PLACE}"),
    ("No such file or directory", f"is in a folder that does not exist. Create the folder. {_PLACE}"),
    (
        "attached in read-only mode",
        "can only be read by your account, and this command writes. Allow your user to write the file and its"
        f" folder. {_PLACE}",
    ),
    (
        "Permission denied",
        f"cannot be opened: permission denied. Allow your user to read and write the file and its folder. {_PLACE}",
    ),
    ("Read-only file system", f"is on a read-only file system. Use a folder that you can write in. {_PLACE}"),
)
_FULL: Final = "No space left"
"""The system's words for a full disk, which is no mistake in the configuration."""


def file_fault(text: str, file: str | None = None) -> str | None:
    """Return what is wrong with the file, and what to do; None if the message is about something else.

    Args:
        text: DuckDB's message.
        file: Path of the file, if the message does not quote it.
    """
    if _FULL in text:
        return None
    found = next((advice for sign, advice in _FAULTS if sign in text), None)
    if found is None and "Cannot open file" in text:
        found = f"cannot be opened: {text.rpartition(': ')[2].strip()}. {_PLACE}"
    if found is None:
        return None
    quoted = _QUOTED.search(text.partition("Cannot open file")[2] or text)
    name = quoted[1] if quoted and "/" in quoted[1] else file
    return f"The DuckDB file {f'{name} ' if name else ''}{found.format(installed=_installed())} Nothing was loaded."


def _installed() -> str:
    from importlib.metadata import version

    return version("duckdb")
