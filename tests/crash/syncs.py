"""Syncs that can be killed, of a small tenant, into DuckDB or PostgreSQL; and what the tables then hold."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol
from uuid import uuid4

import duckdb
import psycopg2

from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.schema.tables.histories import HISTORIES
from dlt_authsignal.schema.tables.server import TABLES
from tests.crash.points import Point
from tests.helpers import at

DATASET: Final = "authsignal_data"
SETTINGS: Final = {
    "PAGE_SIZE": "3",
    "ATTEMPTS": "2",
    "BACKOFF": "0.01",
    "CONCURRENCY": "2",
}
SMALL_FILES: Final = {"DATA_WRITER__FILE_MAX_ITEMS": "2", "DATA_WRITER__BUFFER_MAX_ITEMS": "2"}
NOT_COMPARED: Final = frozenset({"_read_at", "_dlt_load_id", "_dlt_id", "salt", "identifier"})
WHEN_READ: Final = frozenset(
    {"deleted_at", "valid_from", "valid_to", "first_seen_at", "first_used_at", "read_at", "actions_complete_from"}
)
"""Columns of times of ours: whether there is one is compared, and not which."""

HELD: Final = [name for name, history in HISTORIES.items() if "server" in history.apis]
"""The histories of what these syncs read."""

Rows = dict[str, list[tuple[tuple[str, Any], ...]]]


class Zygote:
    """The process that forks syncs."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.zygote"],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def run(self, folder: Path, env: dict[str, str], arguments: list[str], **how: Any) -> int:
        """Exit code of one command; negative is the signal that it was killed by."""
        assert self._process.stdin
        asked = {"folder": str(folder), "env": env, "arguments": arguments, **how}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> int:
        assert self._process.stdout
        return int(json.loads(self._process.stdout.readline())["code"])

    def close(self) -> None:
        self._process.communicate(timeout=60)


class Database(Protocol):
    """Where syncs of one test load into."""

    def env(self, folder: Path) -> dict[str, str]: ...

    def copy(self, folder: Path, to: Path) -> "Database":
        """The same data in another place."""

    def tables(self, folder: Path) -> Rows: ...

    def clear_staging(self, folder: Path) -> None: ...

    def faults(self, folder: Path) -> list[str]:
        """What is wrong with the histories and with the record of runs."""


@dataclass(frozen=True)
class InDuckDB:
    """The file in the folder itself."""

    name: str = "duckdb"

    def env(self, folder: Path) -> dict[str, str]:
        return {"DESTINATION__DUCKDB__CREDENTIALS": str(folder / "authsignal_pipeline.duckdb")}

    def copy(self, folder: Path, to: Path) -> "InDuckDB":
        return self

    def tables(self, folder: Path) -> Rows:
        with duckdb.connect(str(folder / "authsignal_pipeline.duckdb"), read_only=True) as connection:
            return _tables(connection.cursor())

    def faults(self, folder: Path) -> list[str]:
        with duckdb.connect(str(folder / "authsignal_pipeline.duckdb"), read_only=True) as connection:
            return _faults(connection.cursor())

    def clear_staging(self, folder: Path) -> None:
        with duckdb.connect(str(folder / "authsignal_pipeline.duckdb")) as connection:
            _clear_staging(connection.cursor())
            # nothing of a sync is staged here: the other machine has changed rows, and its load was never completed
            connection.execute("update authsignal_data.user_reads set _dlt_load_id = '9999999999.9'")


@dataclass(frozen=True)
class InPostgres:
    """A database of the session's server."""

    server: str
    database: str = field(default_factory=lambda: f"crash_{uuid4().hex[:12]}")
    name: str = "postgres"

    def env(self, folder: Path) -> dict[str, str]:
        return {"DESTINATION__POSTGRES__CREDENTIALS": f"{self.server}/{self.database}"}

    def reopen(self) -> None:
        """Takes connections again."""
        self._administer(f"alter database {self.database} allow_connections true")

    def _administer(self, statement: str) -> None:
        with closing(psycopg2.connect(f"{self.server}/postgres")) as connection:
            connection.autocommit = True
            connection.cursor().execute(statement)

    def made(self, template: str = "template1") -> "InPostgres":
        self._administer(f"create database {self.database} template {template}")
        return self

    def copy(self, folder: Path, to: Path) -> "InPostgres":
        return InPostgres(self.server).made(self.database)

    def tables(self, folder: Path) -> Rows:
        with closing(psycopg2.connect(f"{self.server}/{self.database}")) as connection:
            return _tables(connection.cursor())

    def faults(self, folder: Path) -> list[str]:
        with closing(psycopg2.connect(f"{self.server}/{self.database}")) as connection:
            return _faults(connection.cursor())

    def clear_staging(self, folder: Path) -> None:
        with closing(psycopg2.connect(f"{self.server}/{self.database}")) as connection, connection:
            _clear_staging(connection.cursor())


def _clear_staging(cursor: Any) -> None:
    """What the load of another machine begins with."""
    cursor.execute("select table_name from information_schema.tables where table_schema = 'authsignal_data_staging'")
    for (name,) in cursor.fetchall():
        cursor.execute(f"delete from authsignal_data_staging.{name}")


def _tables(cursor: Any) -> Rows:
    cursor.execute(f"select table_name from information_schema.tables where table_schema = '{DATASET}'")
    names = [name for (name,) in cursor.fetchall() if not name.startswith("_dlt") and name != "sync_runs"]
    return {name: _rows(cursor, name) for name in sorted(names)}


def _rows(cursor: Any, table: str) -> list[tuple[tuple[str, Any], ...]]:
    cursor.execute(f"select * from {DATASET}.{table}")
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return sorted((tuple(sorted(_compared(row).items())) for row in rows), key=repr)


def _compared(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name not in NOT_COMPARED and value is not None}
    if row.get("is_known") is False:  # what is left of the memory of somebody who is gone does not matter
        kept = {name: value for name, value in kept.items() if name not in ("newest_action_at", "actions_from")}
    if "first_used_at" in row:  # of a key that is recorded with a random salt
        kept.pop("_row_hash", None)
    is_ours = {name for name in kept if name in WHEN_READ or name.endswith("_read_at")}
    return {name: "once" if name in is_ours else str(value) for name, value in kept.items()}


def _faults(cursor: Any) -> list[str]:
    checks = {f"{name}: {fault}": query for name in HELD for fault, query in _history_checks(name).items()}
    checks["a run is recorded twice"] = f"select run_id from {DATASET}.sync_runs group by run_id having count(*) > 1"
    checks["the last run is not recorded as done"] = (
        f"select 1 where 'done' <> (select outcome from {DATASET}.sync_runs order by started_at desc limit 1)"
    )
    return [fault for fault, query in checks.items() if _any(cursor, query)]


def _any(cursor: Any, query: str) -> bool:
    cursor.execute(query)
    return cursor.fetchone() is not None


def _history_checks(history: str) -> dict[str, str]:
    """Queries that give a row where a history is wrong."""
    table = history.removesuffix("_history")
    key = TABLES[table].key
    past, present = f"{DATASET}.{history}", f"{DATASET}.{table}"
    same = " and ".join(f"a.{name} = b.{name}" for name in key)
    following = f"lead(valid_from) over (partition by {', '.join(key)} order by valid_from)"
    return {
        "a row that is there has no version, or another's": (
            f"select 1 from {present} a where deleted_at is null and 1 <> (select count(*) from {past} b"
            f" where {same} and b.valid_to is null and a._row_hash = b._row_hash)"
        ),
        "a version goes on without a row": (
            f"select 1 from {past} b where valid_to is null and not exists"
            f" (select 1 from {present} a where {same} and a.deleted_at is null)"
        ),
        "versions overlap": f"select 1 from (select *, {following} as next from {past}) x"
        " where valid_to > next or (valid_to is null and next is not null)",
    }


@dataclass(frozen=True)
class Project:
    """A folder from which syncs run, with dlt's state in it, and the database that they load into."""

    zygote: Zygote
    folder: Path
    database: Any

    def sync(self, running: RunningSandbox, env: Mapping[str, str] = MappingProxyType({}), **how: Any) -> int:
        """Exit code of one sync; negative is the signal that it was killed by.

        Args:
            running: Whom to ask.
            env: Settings on top.
            **how: What happens to it, as the zygote takes it.
        """
        settings = {**at(running, **SETTINGS), **SMALL_FILES, **self.database.env(self.folder)}
        settings |= {"DLT_DATA_DIR": str(self.folder / "dlt"), "RUNTIME__DLTHUB_TELEMETRY": "false", **env}
        if isinstance(how.get("point"), Point):
            how["point"] = list(how["point"])
        return self.zygote.run(self.folder, settings, ["sync", "--destination", self.database.name], **how)

    def said(self) -> str:
        return (self.folder / "err.txt").read_text("utf-8")

    def seen(self) -> dict[str, int]:
        found: dict[str, int] = json.loads((self.folder / "seen.json").read_text("utf-8"))
        return found

    def copy(self, to: Path) -> "Project":
        """The project as it is now, in another folder."""
        shutil.copytree(self.folder, to)
        return Project(self.zygote, to, self.database.copy(self.folder, to))

    def lose_disk(self) -> None:
        shutil.rmtree(self.folder / "dlt")

    def tables(self) -> Rows:
        return dict(self.database.tables(self.folder))
