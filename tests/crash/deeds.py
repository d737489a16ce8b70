"""What can happen to a sync at a point, beside being killed."""

import ctypes
import os
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from tests.crash.points import die

_CAPABILITY_VERSION: Final = 0x20080522
_OVERRIDE: Final = 0b110
"""Rights of root to read and write what the file's mode forbids."""


def deed(name: str, folder: Path) -> Callable[[], None]:
    """The deed of that name."""
    deeds: dict[str, Callable[[], None]] = {
        "kill": die,
        "SIGINT": lambda: os.kill(os.getpid(), signal.SIGINT),
        "SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM),
        "cut": cut_connections,
        "shut": shut_database,
        "remove": (folder / "authsignal_pipeline.duckdb").unlink,
    }
    return deeds[name]


def cut_connections() -> None:
    """Ends every connection to the database, the one with the lock too; new ones are welcome."""
    _administer("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{0}'")


def shut_database() -> None:
    """Ends every connection to the database, and takes no new ones."""
    _administer("alter database {0} allow_connections false")
    cut_connections()


def _administer(statement: str) -> None:
    import psycopg2

    server, _, database = os.environ["DESTINATION__POSTGRES__CREDENTIALS"].rpartition("/")
    with closing(psycopg2.connect(f"{server}/postgres")) as connection:
        connection.autocommit = True
        connection.cursor().execute(statement.format(database))


def give_up_override() -> None:
    """Has modes of files bind root too: else a read-only folder is none."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()
    if libc.capget(header, sets) or not sets[0] & _OVERRIDE:
        return
    sets[0] &= ~_OVERRIDE
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capset")
