"""What a pipeline keeps of people on this machine: load packages, the record of runs, the trace of the last run."""

import shutil
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.pipeline.run_log import journal_of

_UNFINISHED: Final = ("extract/new", "normalize/extracted", "load/new", "load/normalized")
"""Folders in which dlt makes packages. Once nothing is pending, what is in them was left by runs that were killed."""

_LOADED: Final = "load/loaded"
"""What lies directly in the folder of a package is its schema and state; what lies deeper are rows, or quotes them."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place on this machine.

    Attributes:
        name: What it is called in the report.
        erase: Removes a person from it, given the values of `user_id` that mean them; says how many files or entries it
            removed. May remove more than the person: all of it can be made again.
    """

    name: str
    erase: Callable[[Pipeline, Collection[str]], int]


def erase_leftovers(pipeline: Pipeline, forms: Collection[str]) -> dict[str, int]:
    """Removes a person from every place on this machine; says how many files or entries, by place."""
    return {place.name: place.erase(pipeline, forms) for place in PLACES}


def _erase_packages(pipeline: Pipeline, _: Collection[str]) -> int:
    folder = Path(pipeline.working_dir)
    left = [path for name in _UNFINISHED for path in (folder / name).glob("*/") if path.is_dir()]
    removed = sum(_count(path) for path in left)
    for path in left:
        shutil.rmtree(path)
    return removed + _remove(path for path in (folder / _LOADED).glob("*/*/**/*") if path.is_file())


def _count(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file())


def _remove(paths: Iterable[Path]) -> int:
    found = list(paths)
    for path in found:
        path.unlink()
    return len(found)


def _erase_trace(pipeline: Pipeline, _: Collection[str]) -> int:
    return _remove(Path(pipeline.working_dir).glob("trace.pickle*"))


def _erase_journal(pipeline: Pipeline, forms: Collection[str]) -> int:
    return journal_of(pipeline).redact(forms)


PLACES: Final = (
    Place(name="files of load packages", erase=_erase_packages),
    Place(name="trace of the last run", erase=_erase_trace),
    Place(name="messages in the record of runs", erase=_erase_journal),
)
"""Another one, such as a spool of events, is another line."""
