"""Processor seconds of a sync's own process and of its workers, by the number of workers and by their engine.

On idle cores, a sync takes about as long as its busiest process: the own one, or the workers' seconds divided by their
number; and never less than all seconds divided by the number of cores. So this is worth reading on a busy machine too,
where the wall-clock time, the first figure, is not. The last figure is the size of the database.

With `--engine ray`, the seconds of workers are those of all processes of the Ray that the sync starts.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import contest
import psutil
import report
from local_api import local_api

CODE = """
import json, resource, sys
sys.argv = ["dlt-authsignal", *json.loads(sys.argv[1])]
from dlt_authsignal.cli.main import main
try:
    main()
except SystemExit as ended:
    code = ended.code
own = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([code, own.ru_utime + own.ru_stime]), file=sys.stderr)
"""

LOOK_EVERY: Final = 0.1
"""Seconds. What a process uses between the last look and its end is not counted."""


def measure(url: str, workers: int, in_flight: int, engine: str) -> str:
    """One sync into a new folder; one line of what it cost."""
    options = ["--tables", contest.TABLES, "--concurrency", str(in_flight), "--rate", "max", "--workers", str(workers)]
    options += ["--engine", engine]
    with tempfile.TemporaryDirectory(prefix="authsignal-bench-") as folder:
        command = [sys.executable, "-c", CODE, json.dumps(["sync", "--json", *options])]
        environment = contest._environment(url, Path(folder))
        began = time.monotonic()
        with open(Path(folder) / "said", "w+") as said:
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=said)
            theirs = seconds_of_children(process)
            wall = time.monotonic() - began
            said.seek(0)
            words = said.read()
        size = sum(file.stat().st_size for file in Path(folder).glob("*.duckdb")) / 1e6
    code, own = json.loads(words.strip().splitlines()[-1])
    if code:
        raise SystemExit(words[-2000:])
    return (
        f"  {engine:9}   {workers} workers   {wall:6.1f} s   {own:6.1f} s own   {theirs:6.1f} s workers"
        f"   {own + theirs:6.1f} s all   {size:6.1f} MB on disk"
    )


def seconds_of_children(process: "subprocess.Popen[bytes]") -> float:
    """Wait for a process, and return the processor seconds of all that it started, and of what those started."""
    seconds: dict[tuple[int, float], float] = {}
    while process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                    times = child.cpu_times()
                    seconds[child.pid, child.create_time()] = times.user + times.system
        time.sleep(LOOK_EVERY)
    return sum(seconds.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--engine", nargs="+", default=["processes"], choices=["processes", "ray"])
    parser.add_argument("--in-flight", type=int, default=32)
    chosen = parser.parse_args()
    print(report.machine(), flush=True)
    with local_api(chosen.users) as api:
        for workers in chosen.workers:
            for engine in chosen.engine:
                print(measure(api.url, workers, chosen.in_flight, engine), flush=True)


if __name__ == "__main__":
    main()
