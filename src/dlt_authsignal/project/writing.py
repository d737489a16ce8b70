"""Say what could not be written, where it can go instead, and how."""

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
    return ConfigurationError(text) if isinstance(error, PermissionError) or error.errno == 30 else RunFailed(text)


def _elsewhere(path: Path) -> str:
    return (
        f"Let your account write in {path.parent}, run the command in another folder, or put the database elsewhere:"
        ' credentials = "/path/to/file.duckdb" under [destination.duckdb] in .dlt/secrets.toml.'
    )
