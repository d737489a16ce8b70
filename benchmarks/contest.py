"""Whole processes, measured from start to end, and what they left in DuckDB."""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
COMMAND = str(Path(sys.executable).with_name("dlt-authsignal"))
SECRET = "any-key-will-do"  # noqa: S105 - the local API asks for none
PRIVACY_KEY = "3f9c1be07a52d8644e0d97b1c65fa2380b7e41d95c8f2a6310d4e97f58ab2c61"
TABLES = "users,user_authenticators,user_actions"
MIB = 2**20 if sys.platform == "darwin" else 2**10
"""What `ru_maxrss` is divided by: bytes on macOS, KiB elsewhere."""


@dataclass(frozen=True)
class Run:
    """One process.

    Attributes:
        seconds: From start to end.
        cpu: Processor seconds.
        peak: Most memory it held, in MiB.
        rows: By table: rows, keys, digest of the keys.
    """

    seconds: float
    cpu: float
    peak: float
    rows: Mapping[str, list[str]]

    @property
    def total_rows(self) -> int:
        return sum(int(count) for count, *_ in self.rows.values())


@dataclass(frozen=True)
class Contestant:
    """A way of loading.

    Attributes:
        name: For the table.
        command: (base URL, requests in flight) to a command that loads into `database` in its working folder.
        database: File it makes; None if it loads nothing.
        schema: Schema of its tables.
        repeated: Whether it is quick enough to be run several times.
    """

    name: str
    command: Callable[[str, int], list[str]]
    database: str | None = None
    schema: str = "main"
    repeated: bool = True


def _stock(url: str, _in_flight: int) -> list[str]:
    return [sys.executable, str(HERE / "stock.py"), url, SECRET, "stock.duckdb"]


def _ours(_url: str, in_flight: int) -> list[str]:
    return [COMMAND, "sync", "--json", "--tables", TABLES, "--concurrency", str(in_flight), *_unlimited()]


def _ours_alone(url: str, in_flight: int) -> list[str]:
    return [*_ours(url, in_flight), "--workers", "1"]


def _lister(url: str, _in_flight: int) -> list[str]:
    return [sys.executable, str(HERE / "lister.py"), url, SECRET]


def _floor(url: str, in_flight: int) -> list[str]:
    return [sys.executable, str(HERE / "floor.py"), url, SECRET, "floor.duckdb", str(in_flight)]


@cache
def _unlimited() -> tuple[str, ...]:
    """What lifts the ceiling on the rate, where there is one by default."""
    said = subprocess.run([COMMAND, "sync", "--help"], capture_output=True, text=True, check=True).stdout
    return ("--rate", "max") if re.search(r"--rate\b[^-]*\bmax\b", said) else ()


STOCK = Contestant("stock", _stock, "stock.duckdb", "authsignal_data", repeated=False)
OURS = Contestant("ours", _ours, "authsignal_pipeline.duckdb", "authsignal_data")
OURS_ALONE = Contestant("ours, one process", _ours_alone, "authsignal_pipeline.duckdb", "authsignal_data")
FLOOR = Contestant("floor", _floor, "floor.duckdb")
LISTER = Contestant("lister", _lister)


def measured(contestant: Contestant, url: str, in_flight: int, repeats: int) -> Run:
    """The run whose time is the median of so many, each into a new folder."""
    runs = []
    for _ in range(repeats if contestant.repeated else 1):
        with tempfile.TemporaryDirectory(prefix="authsignal-bench-") as folder:
            runs.append(run(contestant, url, in_flight, Path(folder)))
    middle = statistics.median_low(run.seconds for run in runs)
    return next(run for run in runs if run.seconds == middle)


def run(contestant: Contestant, url: str, in_flight: int, folder: Path) -> Run:
    """One process in a folder, which keeps what it leaves: a second run there is a second sync.

    Raises:
        SystemExit: It failed; what it said is passed on.
    """
    log = folder / "said.txt"
    started = time.perf_counter()
    with log.open("wb") as said:
        process = subprocess.Popen(
            contestant.command(url, in_flight), cwd=folder, env=_environment(url, folder), stdout=said, stderr=said
        )
        _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{contestant.name} failed:\n{log.read_text()[-4000:]}")
    rows = _rows(folder / contestant.database, contestant.schema) if contestant.database else {}
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / MIB, rows)


def _environment(url: str, folder: Path) -> dict[str, str]:
    """This process's, without what other settings of a user's would change; compiled modules are kept."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if "__" not in name and name not in ("PYTHONDONTWRITEBYTECODE", "DLT_DATA_DIR")
    }
    return {
        **kept,
        "DLT_DATA_DIR": str(folder / "dlt"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "SOURCES__AUTHSIGNAL_SOURCE__BASE_URL": url,
        "SOURCES__AUTHSIGNAL_SOURCE__API_SECRET_KEY": SECRET,
        "SOURCES__AUTHSIGNAL_SOURCE__PRIVACY_KEY": PRIVACY_KEY,
    }


def _rows(database: Path, schema: str) -> dict[str, list[str]]:
    command = [sys.executable, str(HERE / "loaded_rows.py"), str(database), schema]
    found: dict[str, list[str]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found
