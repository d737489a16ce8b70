"""Rewrite a DuckDB file: DuckDB does not overwrite freed space, so the file still contains deleted rows."""

import os
import shutil
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from dlt_authsignal.destination.dlt_patches import LIMIT, THREADS, beside
from dlt_authsignal.errors import RunFailed
from dlt_authsignal.project.private_files import FOLDER
from dlt_authsignal.project.waiting import opened, user_of
from dlt_authsignal.schema.sql_text import literal, quoted

UNFINISHED: Final = ".erasing"
"""Suffix of the folder in which the new file is written. Only its owner can enter it."""

_OBJECTS: Final = ("tables", "views", "indexes", "sequences")


def rewrite(file: Path) -> None:
    """Replace a DuckDB file by a copy of its contents, in one step: if killed at any moment, one of the two is there.

    Needs enough space for the copy beside the file. No other process may have the file open. The new file gets the
    mode and the owner of the old one.

    Args:
        file: The file itself, not a symbolic link to it.

    Raises:
        RunFailed: The copy is not complete. The old file is kept.
    """
    import duckdb

    folder = file.with_name(f"{file.name}{UNFINISHED}")
    _remove(folder)
    new = folder / file.name
    try:
        folder.mkdir(mode=FOLDER)
        with closing(duckdb.connect(config={"memory_limit": LIMIT, "threads": THREADS})) as connection:
            connection.execute(f"SET temp_directory = {literal(f'{new}.tmp')}")
            opened(file, lambda: connection.execute(f"ATTACH {literal(file)} AS held"), user_of)
            connection.execute("CHECKPOINT held")
            _remove(beside(file, ".tmp"))  # a query that was killed leaves rows there; no other process can be using it
            connection.execute(f"ATTACH {literal(new)} AS made (STORAGE_VERSION {literal(_version(connection))})")
            connection.execute("COPY FROM DATABASE held TO made")
            _compare(connection)
            connection.execute("DETACH made")
            _flush(new)
            _own_as(file, new)
            _replace(connection, new, file)
    except OSError as error:
        raise _not_replaced(file, error) from None
    finally:
        _remove(folder)


def _version(connection: Any) -> str:
    """Return the version of the file's format, so that programs that read the old file can read the new one."""
    ((version,),) = connection.execute(
        "SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = 'held'"
    ).fetchall()
    return str(version or "v1.0.0").rstrip("+")


def _compare(connection: Any) -> None:
    held, made = (_contents(connection, name) for name in ("held", "made"))
    if held != made:
        lacking = sorted(str(name) for name in held.keys() | made.keys() if held.get(name) != made.get(name))
        raise RunFailed(
            f"The database file could not be copied completely ({', '.join(lacking)} would differ). The rows are"
            " deleted, but the file was not rewritten and may still contain their bytes. Drop the objects that differ"
            " and run erase again."
        )


def _contents(connection: Any, database: str) -> dict[tuple[str, ...], int]:
    """Return the objects of a database, with the number of rows of each table."""
    found: dict[tuple[str, ...], int] = {}
    for kind in _OBJECTS:
        name = f"{kind.removesuffix('es') if kind == 'indexes' else kind.removesuffix('s')}_name"
        objects = connection.execute(
            f"SELECT schema_name, {name} FROM duckdb_{kind}() WHERE database_name = ? AND schema_name <> 'pg_catalog'"
            " AND schema_name <> 'information_schema'",
            [database],
        ).fetchall()
        found |= {(kind, *each): 0 for each in objects}
    for kind, schema, name in found:
        if kind == "tables":
            place = ".".join(quoted(part) for part in (database, schema, name))
            found[kind, schema, name] = connection.execute(f"SELECT count(*) FROM {place}").fetchall()[0][0]
    return found


def _flush(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(connection: Any, new: Path, file: Path) -> None:
    if os.name == "nt":  # Windows cannot replace an open file; elsewhere the file stays locked until it is replaced
        connection.execute("DETACH held")
    os.replace(new, file)
    if os.name == "posix":
        _flush(file.parent)


def _own_as(file: Path, new: Path) -> None:
    held = file.stat()
    if os.name == "posix" and (held.st_uid, held.st_gid) != (new.stat().st_uid, new.stat().st_gid):
        with suppress(PermissionError):  # only root may give files away; for another account the new file stays its own
            os.chown(new, held.st_uid, held.st_gid)
    new.chmod(held.st_mode & 0o777)


def _not_replaced(file: Path, error: OSError) -> RunFailed:
    return RunFailed(
        f"The rows are deleted, but {file} was not rewritten and may still contain their bytes:"
        f" {error.strerror or type(error).__name__}. Erasing writes a new file beside it and replaces it, so your"
        f" account must be able to write in {file.parent}, with space for a copy, and the file must not be a mount"
        " point. Then run erase again."
    )


def _remove(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    else:
        folder.unlink(missing_ok=True)  # the new file of an earlier version
        beside(folder, ".wal").unlink(missing_ok=True)
