"""What a sync costs when nothing is due, beside a plain dlt run that merges as many small Arrow tables.

They run in turn, into DuckDB. `python benchmarks/fixed_cost.py [RUNS]`
"""

import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

USERS = 200
RUNS = int(sys.argv[1]) if sys.argv[1:2] and sys.argv[1].isdigit() else 7


def plain_run(tables: list[str]) -> Iterator[Callable[[], None]]:
    """A dlt run without Authsignal: one merge of ten rows a table, in a process that never imports this package."""
    command = [sys.executable, __file__, "--plain", *tables]
    env = {**os.environ, "RUNTIME__LOG_LEVEL": "ERROR"}  # dlt warns of each table on each run
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        to, back = cast("tuple[IO[str], IO[str]]", (process.stdin, process.stdout))
        back.readline()  # the tables are there

        def run() -> None:
            to.write("again\n")
            to.flush()
            back.readline()

        yield run
        to.close()


def run_plainly(tables: list[str]) -> None:
    """Load the tables once, and again for each line on standard input."""
    import dlt
    import pyarrow as pa

    batch = pa.table({"id": list(range(10)), "value": [str(number) for number in range(10)]})
    pipeline = dlt.pipeline("plain", destination="duckdb", dataset_name="plain_data")

    @dlt.source(name="plain")
    def source() -> Iterator[Any]:
        for name in tables:
            yield dlt.resource([batch], name=name, primary_key="id", write_disposition="merge")

    pipeline.run(source())
    print("ready", flush=True)
    for _ in sys.stdin:
        dlt.pipeline("plain", destination="duckdb", dataset_name="plain_data").run(source())
        print("done", flush=True)


def measured(run: Callable[[], None]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def main() -> None:
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    from dlt_authsignal.sandbox import SandboxConfig, run_in_thread

    with tempfile.TemporaryDirectory() as folder, run_in_thread(SandboxConfig(users=USERS, days=45, seed=7)) as sandbox:
        os.chdir(folder)
        os.environ["DLT_DATA_DIR"] = str(Path(folder, "dlt"))
        os.environ |= {
            "SOURCES__AUTHSIGNAL_SOURCE__BASE_URL": sandbox.url,
            "SOURCES__AUTHSIGNAL_SOURCE__API_SECRET_KEY": sandbox.sandbox.config.api_secret_key,
            "SOURCES__AUTHSIGNAL_SOURCE__PRIVACY_KEY": hashlib.sha256(b"benchmark").hexdigest(),
            "SOURCES__AUTHSIGNAL_SOURCE__RATE": "max",
        }
        command = str(Path(sys.executable).with_name("dlt-authsignal"))

        def by_command() -> None:
            subprocess.run([command, "sync", "--json"], check=True, stdout=subprocess.DEVNULL, env=os.environ)

        by_command()
        by_command()  # the first one loads everything
        tables = loaded_tables()
        plain = plain_run(tables)
        cases = {"plain dlt run": next(plain), "sync, in process": in_process(), "sync, as a command": by_command}
        times = {name: [] for name in cases}  # type: dict[str, list[float]]
        for _ in range(RUNS):
            for name, run in cases.items():
                times[name].append(measured(run))
        next(plain, None)
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"nothing due, {USERS} users, {len(tables)} tables, median of {RUNS}")
    for name, value in medians.items():
        print(f"  {name:<20}{value:6.2f} s   {value / medians['plain dlt run']:4.1f} x the plain run")


def in_process() -> Callable[[], None]:
    from dlt_authsignal.pipeline.attach import make_pipeline
    from dlt_authsignal.pipeline.sync.run import sync

    def run() -> None:
        if sync(make_pipeline()).users_read:
            raise SystemExit("Users were read: the figures are wrong.")

    return run


def loaded_tables() -> list[str]:
    """Tables that the last sync, one without changes, loaded rows into."""
    import duckdb

    with duckdb.connect("authsignal_pipeline.duckdb", read_only=True) as database:
        held = database.sql(
            "SELECT table_name FROM duckdb_columns() WHERE schema_name = 'authsignal_data'"
            " AND column_name = '_dlt_load_id'"
        ).fetchall()
        last = "(SELECT max(load_id) FROM authsignal_data._dlt_loads)"
        counts = {
            name: database.sql(f"SELECT count(*) FROM authsignal_data.{name} WHERE _dlt_load_id = {last}").fetchall()  # noqa: S608
            for (name,) in held
        }
    return sorted(name for name, ((rows,),) in counts.items() if rows and name != "sync_runs")


if __name__ == "__main__":
    run_plainly(sys.argv[2:]) if sys.argv[1:2] == ["--plain"] else main()
