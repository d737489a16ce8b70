"""Copies of a DuckDB file. DuckDB lets no other process write to a file that is open, so long readers read a copy."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dlt_authsignal.project.temporary_folders import remove_abandoned, temporary_folder


@contextmanager
def folder_for_copy(file: Path) -> Iterator[Path]:
    """Create a temporary folder for a copy of a file, beside it if possible: there is space for a copy.

    Copies that a killed process left are removed first.

    Raises:
        OSError: No folder can be created.
    """
    remove_abandoned_copies(file)
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(temporary_folder(_prefix(file), file.parent))
        except OSError:
            folder = stack.enter_context(temporary_folder(_prefix(file)))
        yield folder


def remove_abandoned_copies(file: Path) -> int:
    """Remove copies of a file that killed processes left; return the number."""
    return sum(remove_abandoned(_prefix(file), parent) for parent in (file.parent, None))


def _prefix(file: Path) -> str:
    return f".{file.name}.copy-"
