"""Erase a user from a pipeline's files on this machine: load packages, the record of runs, the last run's trace."""

import shutil
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.duckdb_file import database_file
from dlt_authsignal.pipeline.run_log import journal_of
from dlt_authsignal.project.database_copies import remove_abandoned_copies

_UNFINISHED: Final = ("extract/new", "normalize/extracted", "load/new", "load/normalized")
"""Folders in which dlt creates packages. If nothing is pending, their content was left by runs that were killed."""

_LOADED: Final = "load/loaded"
"""Files directly in a package's folder are its schema and state; files in its subfolders contain or quote rows."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place on this machine.

    Attributes:
        name: Its name in the report.
        erase: Removes a user from it, given the stored forms of their `user_id`, and returns the number of files or
            entries removed. May remove more than the user's data: all of it can be recreated.
    """

    name: str
    erase: Callable[[Pipeline, Collection[str]], int]


def erase_leftovers(pipeline: Pipeline, forms: Collection[str]) -> dict[str, int]:
    """Remove a user from every place on this machine; return the number of files or entries removed, by place."""
    return {place.name: place.erase(pipeline, forms) for place in PLACES}


def _erase_packages(pipeline: Pipeline, _: Collection[str]) -> int:
    folder = Path(pipeline.working_dir)
    left = [path for name in _UNFINISHED for path in (folder / name).glob("*/") if path.is_dir()]
    removed = sum(_count(path) for path in left)
    for path in left:
        _remove(file for file in path.resolve().rglob("*") if file.is_symlink() and file.is_file())
        shutil.rmtree(path.resolve())
        if path.is_symlink():
            path.unlink()
    return removed + _remove(path for path in (folder / _LOADED).glob("*/*/**/*") if path.is_file())


def _count(folder: Path) -> int:
    return sum(1 for path in folder.resolve().rglob("*") if path.is_file())


def further_names(pipeline: Pipeline) -> list[str]:
    """Return what keeps rows when files are removed: hard links, and folders that links inside of packages lead to."""
    folder = Path(pipeline.working_dir)
    packages = [path for name in (*_UNFINISHED, _LOADED) for path in (folder / name).glob("*/**/*")]
    files = [*packages, *folder.glob("trace.pickle*"), journal_of(pipeline).path]
    linked = [path for path in files if path.is_file() and path.stat().st_nlink > 1]
    folders = [path for path in packages if path.is_symlink() and path.is_dir()]
    return [
        *(f"other names (hard links) of {path}" for path in linked),
        *(f"the folder {path.resolve()}, to which {path} led" for path in folders),
    ]


def _remove(paths: Iterable[Path]) -> int:
    found = list(paths)
    for path in found:
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)  # it was a symbolic link
    return len(found)


def _erase_trace(pipeline: Pipeline, _: Collection[str]) -> int:
    return _remove(Path(pipeline.working_dir).glob("trace.pickle*"))


def _erase_journal(pipeline: Pipeline, forms: Collection[str]) -> int:
    return journal_of(pipeline).redact(forms)


def _erase_copies(pipeline: Pipeline, _: Collection[str]) -> int:
    file = database_file(pipeline)
    return remove_abandoned_copies(file) if file else 0


PLACES: Final = (
    Place(name="files of load packages", erase=_erase_packages),
    Place(name="trace of the last run", erase=_erase_trace),
    Place(name="messages in the record of runs", erase=_erase_journal),
    Place(name="copies that a killed dashboard left", erase=_erase_copies),
)
"""All places on this machine that may contain users."""
