"""Say what could not be written, where it can go instead, and how."""

import errno
import os
from pathlib import Path

from dlt_authsignal.errors import ConfigurationError, RunFailed


def cannot_write(path: Path, what: str, error: OSError, instead: str = "") -> ConfigurationError | RunFailed:
    """Return the error for a file that cannot be written.

    Args:
        path: The file.
        what: What it was to hold.
        error: The system's error.
        instead: How to write it somewhere else, as sentences; by default for a DuckDB file and what is beside it.
    """
    reason = error.strerror or type(error).__name__
    text = f"Cannot write {path} ({reason}): {what}. Nothing was changed. {instead or _elsewhere(path)}"
    return ConfigurationError(text) if is_refusal(error) else RunFailed(text)


def is_readable_only(file: Path) -> bool:
    """Whether this account can read a file, but not write it."""
    return os.access(file, os.R_OK) and not os.access(file, os.W_OK)


def check_can_be_written(file: Path, what: str) -> None:
    """Check, before anything is read, that this account can write a file. A missing file passes.

    Raises:
        ConfigurationError: It can only read the file.
    """
    if is_readable_only(file):
        raise cannot_write(file, what, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def is_refusal(error: BaseException) -> bool:
    """Whether the system refused to open a file that the error names: no permission, or a read-only disk."""
    return isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)


def refused(error: OSError) -> ConfigurationError:
    """Return the error for a file that the system refused to open, in code that does not know what it holds."""
    path = Path(str(error.filename))
    return ConfigurationError(
        f"Cannot open {path} ({error.strerror}). Nothing was loaded. Let your account read and write in"
        f" {path.parent}, or use other folders: the environment variable PIPELINES_DIR for dlt's state,"
        " TMPDIR for temporary files, credentials under [destination.duckdb] in .dlt/secrets.toml for the database."
    )


def _elsewhere(path: Path) -> str:
    return (
        f"Let your account write in {path.parent}, run the command in another folder, or put the database elsewhere:"
        ' credentials = "/path/to/file.duckdb" under [destination.duckdb] in .dlt/secrets.toml.'
    )
