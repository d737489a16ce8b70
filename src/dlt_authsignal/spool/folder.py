"""A spool in a folder.

A file is written under a temporary name, synced to disk and renamed, and its folder is synced. So a file with its own
name is complete, and after `put` has returned it survives a crash of the machine.
"""

import errno
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from dlt_authsignal.errors import SpoolFileMissing, SpoolFileUnreadable, SpoolFull, SpoolUnavailable
from dlt_authsignal.project.private_files import FILE, make_folder
from dlt_authsignal.spool.names import RAW, SpoolFile, between, check_tenant, checked, is_name

UNFINISHED: Final = ".unfinished"
"""Folder of files that are being written. What is older than `STALE_SECONDS` was left by a killed process."""

STALE_SECONDS: Final = 3_600

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class FolderSpool:
    """Files in a folder. Mode 0600, their folders 0700, whatever the umask.

    Args:
        folder: The folder.
        check: Returns a file name, or raises ValueError if it is not valid.
    """

    def __init__(self, folder: Path, check: Callable[[str], str] = checked) -> None:
        self._folder = folder
        self._checked = check
        self._unfinished = folder / UNFINISHED
        self._durable: set[Path] = set()

    @property
    def url(self) -> str:
        return str(self._folder)

    def prepare(self) -> None:
        with _reported(self.url, "cannot be written to"):
            self._make_durable(self._unfinished)
            self._remove_stale()
            self._written(b"").unlink()

    def put(self, name: str, data: bytes) -> None:
        self.put_all({name: data})

    def put_all(self, files: Mapping[str, bytes]) -> None:
        targets = {self._folder / self._checked(name): data for name, data in files.items()}
        with _reported(self.url, "did not store a delivery"):
            for folder in {self._unfinished, *(target.parent for target in targets)}:
                self._make_durable(folder)
            written: dict[Path, Path] = {}
            try:
                for target, data in targets.items():
                    if not target.exists():
                        written[target] = self._written(data)
                for target, unfinished in written.items():
                    unfinished.replace(target)
            except BaseException:
                for unfinished in written.values():
                    unfinished.unlink(missing_ok=True)
                raise
            for folder in {target.parent for target in targets}:
                _sync(folder)

    def files(
        self,
        tenant: str,
        *,
        table: str | None = None,
        after: str | None = None,
        before: str | None = None,
        days: Collection[str] | None = None,
    ) -> Iterator[SpoolFile]:
        return self._listed(check_tenant(tenant), table, after or "", before, days)

    def changed(self, tenant: str) -> Mapping[str, int] | None:
        folder, found = self._folder / check_tenant(tenant), {}
        with _reported(self.url, "cannot be listed"):
            for day in _names(folder):
                with suppress(FileNotFoundError):  # deleted in the meantime
                    found[day] = (folder / day).stat().st_mtime_ns
        return found

    def raw_files(self, tenant: str, *, after: str | None = None, before: str | None = None) -> Iterator[SpoolFile]:
        return self._listed(f"{RAW}/{check_tenant(tenant)}", None, after or "", before)

    def read(self, name: str) -> bytes:
        path = self._folder / self._checked(name)
        with _reported(self.url, "cannot be read"):
            if not path.exists():
                raise SpoolFileMissing(self.url, f"has no file {name}", "it was deleted")
            try:
                return path.read_bytes()
            except PermissionError as error:
                why = str(error.strerror)
        raise SpoolFileUnreadable(self.url, f"has a file that cannot be read, {name}", why)

    def replace(self, name: str, data: bytes) -> None:
        target = self._folder / self._checked(name)
        with _reported(self.url, "did not replace a file"):
            for folder in (self._unfinished, target.parent):
                self._make_durable(folder)
            unfinished = self._written(data)
            try:
                unfinished.replace(target)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
            _sync(target.parent)

    def delete(self, name: str) -> None:
        target = self._folder / self._checked(name)
        with _reported(self.url, "did not delete a file"), suppress(FileNotFoundError):
            target.unlink()
            _sync(target.parent)

    def below(self, prefix: str = "") -> Iterator[str]:
        with _reported(self.url, "cannot be listed"):
            for folder, _, names in os.walk(self._folder / prefix, onerror=_unless_missing):
                inside = Path(folder).relative_to(self._folder)
                yield from (str((inside / name).as_posix()) for name in names if inside.parts[:1] != (UNFINISHED,))

    def tidy(self, prefix: str) -> None:
        with _reported(self.url, "cannot be changed"):
            for folder, _, _ in os.walk(self._folder / prefix, topdown=False):
                with suppress(OSError):  # it is not empty
                    os.rmdir(folder)

    def used_share(self) -> float | None:
        with _reported(self.url, "cannot be measured"):
            there = next(path for path in (self._folder, *self._folder.parents) if path.exists())
            disk = os.statvfs(there)
        usable = disk.f_blocks - disk.f_bfree + disk.f_bavail  # without the blocks that only root may use
        return 1 - disk.f_bavail / usable if usable else 0.0

    def _written(self, data: bytes) -> Path:
        """Write a new file without its name yet, and sync it to disk."""
        path = self._unfinished / uuid4().hex
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE)
        try:
            _write(descriptor, data)
            os.fsync(descriptor)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        return path

    def _make_durable(self, folder: Path) -> None:
        """Create a folder and its parents, and sync every folder that has a new one in it."""
        if folder in self._durable and folder.exists():
            return
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        make_folder(folder)
        inside = [path.parent for path in (folder, *folder.parents) if path.is_relative_to(self._folder)]
        for parent in {*inside, *(path.parent for path in missing)}:
            _sync(parent)  # one that is there already may have been made by a process that was killed before its sync
        self._durable.add(folder)

    def _remove_stale(self) -> None:
        oldest = time.time() - STALE_SECONDS
        with os.scandir(self._unfinished) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if entry.stat().st_mtime < oldest:
                        Path(entry.path).unlink()

    def _listed(
        self, above: str, table: str | None, after: str, before: str | None, wanted: Collection[str] | None = None
    ) -> Iterator[SpoolFile]:
        with _reported(self.url, "cannot be listed"):
            found = _names(self._folder / above)
            days = [f"{above}/{day}/" for day in found if wanted is None or day in wanted]
            yield from between(days, lambda day: self._in_day(day, table), after, before)

    def _in_day(self, prefix: str, table: str | None) -> Iterator[SpoolFile]:
        ending = f".{table}.parquet" if table else ""
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self._folder / prefix) as entries:
            for entry in entries:
                name = prefix + entry.name
                if name.endswith(ending) and is_name(name) and entry.is_file():
                    with suppress(FileNotFoundError):  # deleted in the meantime
                        yield SpoolFile(name, entry.stat().st_size)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        return  # a folder above the spool that this account may pass, but not read
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _names(folder: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return os.listdir(folder)
    return []


@contextmanager
def _reported(url: str, what: str) -> Iterator[None]:
    """Report errors of the operating system as errors of the spool."""
    try:
        yield
    except OSError as error:
        kind = SpoolFull if error.errno in _FULL else SpoolUnavailable
        failure = kind(url, what, error.strerror or type(error).__name__)
    else:
        return
    raise failure
