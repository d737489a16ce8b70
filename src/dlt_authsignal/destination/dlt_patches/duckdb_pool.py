"""Open DuckDB files for this package's pipelines: private from the start, and after a wait if one is set."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from dlt_authsignal.destination.dlt_patches.replaced import check_signature
from dlt_authsignal.project.private_files import FOLDER, keep_private
from dlt_authsignal.project.waiting import opened, user_of
from dlt_authsignal.project.writing import is_readable_only

BESIDE: Final = (".wal", ".tmp")
"""Suffixes of what DuckDB keeps beside a database: the log of changes, and the folder for data above its memory."""


def open_privately(credentials: Any) -> None:
    """Make the connection pool of dlt's DuckDB credentials create private files, and wait for files in use."""
    pool = credentials.conn_pool
    if pool is None or not pool._conn_owner or not _is_file(credentials) or hasattr(pool, "_file"):
        return
    kind: Any = type(pool)
    check_signature(kind, "borrow_conn", "self", "global_config", "local_config", "pragmas")
    check_signature(kind, "return_conn", "self", "borrowed_conn")
    pool._file = Path(credentials._conn_str())

    class PrivatePool(kind):  # type: ignore[misc]
        def borrow_conn(self, *arguments: Any, **more: Any) -> Any:
            with self._conn_lock:
                is_first = self._conn is None
                if is_first and is_readable_only(self._file):
                    self.credentials.read_only = True
                if is_first and not self.credentials.read_only:
                    prepare(self._file)
                borrow: Callable[[], Any] = lambda: super(PrivatePool, self).borrow_conn(*arguments, **more)  # noqa: E731
                found = opened(self._file, borrow, user_of)
                _narrow_log(self._file)
                return found

        def return_conn(self, borrowed_conn: Any) -> int:
            _narrow_log(self._file)  # DuckDB recreates it after each checkpoint
            left: int = super().return_conn(borrowed_conn)
            if left == 0 and not self.credentials.read_only:
                with suppress(OSError):  # it has content: DuckDB did not end, or another connection uses it
                    beside(self._file, ".tmp").rmdir()
            return left

    pool.__class__ = PrivatePool


def prepare(file: Path) -> None:
    """Create a missing DuckDB file, and the folder for its temporary data, so that only their owner can read them.

    DuckDB refuses empty files, so the database is created in a private folder and then given its name. An existing
    file keeps its mode. What cannot be created is left to DuckDB, which reports it.
    """
    with suppress(OSError):
        if not file.exists():
            _create(file.resolve())
        beside(file, ".tmp").mkdir(mode=FOLDER)


def beside(file: Path, suffix: str) -> Path:
    """Return the path that DuckDB derives from the name of a database."""
    return file.with_name(f"{file.name}{suffix}")


def _create(file: Path) -> None:
    import duckdb

    with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.", suffix=".new") as folder:
        new = Path(folder) / file.name
        duckdb.connect(str(new)).close()
        keep_private(new)
        with suppress(FileExistsError):  # another process was faster
            file.hardlink_to(new)


def _narrow_log(file: Path) -> None:
    keep_private(beside(file, ".wal"), like=file)


def _is_file(credentials: Any) -> bool:
    name = str(getattr(credentials, "database", None) or ":")
    return not name.startswith(":") and "://" not in name and not name.startswith("md:")
