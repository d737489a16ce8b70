"""Syncs that can be killed, of a small tenant, into DuckDB or PostgreSQL; and what the tables then hold."""

import json
import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import uuid4

import duckdb
import psycopg2

from dlt_authsignal.sandbox import RunningSandbox
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
NOT_COMPARED: Final = frozenset({"_read_at", "_dlt_load_id", "_dlt_id"})
WHEN_READ: Final = frozenset({"deleted_at", "valid_from", "valid_to", "first_seen_at", "read_at"})
"""Columns of times of ours: whether there is one is compared, and not which."""

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
        self._process.communicate(timeout=10)


class Database(Protocol):
    """Where syncs of one test load into."""

    def env(self, folder: Path) -> dict[str, str]: ...

    def copy(self, folder: Path, to: Path) -> "Database":
        """The same data in another place."""

    def tables(self, folder: Path) -> Rows: ...


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


@dataclass(frozen=True)
class InPostgres:
    """A database of the session's server."""

    server: str
    database: str = field(default_factory=lambda: f"crash_{uuid4().hex[:12]}")
    name: str = "postgres"

    def env(self, folder: Path) -> dict[str, str]:
        return {"DESTINATION__POSTGRES__CREDENTIALS": f"{self.server}/{self.database}"}

    def made(self, template: str = "template1") -> "InPostgres":
        with closing(psycopg2.connect(f"{self.server}/postgres")) as connection:
            connection.autocommit = True
            connection.cursor().execute(f"create database {self.database} template {template}")
        return self

    def copy(self, folder: Path, to: Path) -> "InPostgres":
        return InPostgres(self.server).made(self.database)

    def tables(self, folder: Path) -> Rows:
        with closing(psycopg2.connect(f"{self.server}/{self.database}")) as connection:
            return _tables(connection.cursor())


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
    is_ours = {name for name in kept if name in WHEN_READ or name.endswith("_read_at")}
    return {name: "once" if name in is_ours else str(value) for name, value in kept.items()}


@dataclass(frozen=True)
class Project:
    """A folder from which syncs run, with dlt's state in it, and the database that they load into."""

    zygote: Zygote
    folder: Path
    database: Any

    def sync(self, running: RunningSandbox, **how: Any) -> int:
        env = {**at(running, **SETTINGS), **SMALL_FILES, **self.database.env(self.folder)}
        env |= {"DLT_DATA_DIR": str(self.folder / "dlt"), "RUNTIME__DLTHUB_TELEMETRY": "false"}
        if isinstance(how.get("point"), Point):
            how["point"] = list(how["point"])
        return self.zygote.run(self.folder, env, ["sync", "--destination", self.database.name], **how)

    def said(self) -> str:
        return (self.folder / "err.txt").read_text("utf-8")

    def seen(self) -> dict[str, int]:
        found: dict[str, int] = json.loads((self.folder / "seen.json").read_text("utf-8"))
        return found

    def copy(self, to: Path) -> "Project":
        """The project as it is now, in another folder. dlt keeps paths of its own, so these are put right."""
        shutil.copytree(self.folder, to)
        return Project(self.zygote, to, self.database.copy(self.folder, to))

    def lose_disk(self) -> None:
        shutil.rmtree(self.folder / "dlt")

    def tables(self) -> Rows:
        return dict(self.database.tables(self.folder))
