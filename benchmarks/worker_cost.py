"""Processor seconds of a sync's own process and of its workers, by the number of workers.

On idle cores, a sync takes about as long as its busiest process: the own one, or the workers' seconds divided by their
number; and never less than all seconds divided by the number of cores. So this is worth reading on a busy machine too,
where the wall-clock time, the first figure, is not. The last figure is the size of the database.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import contest
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
own, workers = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(json.dumps([code, own.ru_utime + own.ru_stime, workers.ru_utime + workers.ru_stime]), file=sys.stderr)
"""


def measure(url: str, workers: int, in_flight: int) -> str:
    """One sync into a new folder; one line of what it cost."""
    options = ["--tables", contest.TABLES, "--concurrency", str(in_flight), "--rate", "max", "--workers", str(workers)]
    with tempfile.TemporaryDirectory(prefix="authsignal-bench-") as folder:
        command = [sys.executable, "-c", CODE, json.dumps(["sync", "--json", *options])]
        environment = contest._environment(url, Path(folder))
        began = time.monotonic()
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        wall = time.monotonic() - began
        size = sum(file.stat().st_size for file in Path(folder).glob("*.duckdb")) / 1e6
    code, own, theirs = json.loads(done.stderr.strip().splitlines()[-1])
    if code:
        raise SystemExit(done.stderr[-2000:])
    return (
        f"  {workers} workers   {wall:6.1f} s   {own:6.1f} s own   {theirs:6.1f} s workers   {own + theirs:6.1f} s all"
        f"   {size:6.1f} MB on disk"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--in-flight", type=int, default=32)
    chosen = parser.parse_args()
    print(report.machine(), flush=True)
    with local_api(chosen.users) as api:
        for workers in chosen.workers:
            print(measure(api.url, workers, chosen.in_flight), flush=True)


if __name__ == "__main__":
    main()
