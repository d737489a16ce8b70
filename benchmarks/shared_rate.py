"""How much of a server's limit several processes with one `shared_budget` use, how often it refuses, and what they ask
the store.

Used: answers a second, as a share of the limit. Refused: answers with status 429, as a share of all. Calls: how often
all processes together ask the store, for 1,000 requests. The start of the processes is not measured; each starts some
seconds after the one before, so that the shares show whether a late one gets its part.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time

from worker_rate import counted, sandbox, shares

READ = """
import asyncio, json, sys, time
from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.api.server_endpoints import GET_USER_AUTHENTICATORS
from dlt_authsignal.source.config.connection import api_url
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.http.client import connect
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter
from dlt_authsignal.source.http.rate.shared_rate_limit import SharedLimiter
from dlt_authsignal.source.metrics.run_metrics import RunMetrics

calls, ask = 0, SharedLimiter._ask

async def counted(self, asked):
    global calls
    calls += 1
    return await ask(self, asked)

async def main(url, place, rate):
    print("ready", flush=True)
    until = float(input())
    SharedLimiter._ask = counted
    limiter = RateLimiter(pace=RequestLimits(rate=float(rate), shared_budget=place, attempts=100))
    metrics = RunMetrics()
    async with connect(api_url(None, url), {"server": basic_auth("sandbox-server-secret")}, limiter, metrics) as api:
        async def read():
            while time.monotonic() < until:
                await api.get(GET_USER_AUTHENTICATORS, list, userId="u")
        await asyncio.gather(*[read() for _ in range(limiter.pace.concurrency)])
    print(json.dumps([metrics.requests, calls]))

asyncio.run(main(*sys.argv[1:]))
"""


def measure(processes: int, place: str, chosen: argparse.Namespace) -> str:
    """One line: what so many processes did together."""
    apart, limit = chosen.apart, chosen.limit
    with sandbox(limit, 1) as (url, control), tempfile.TemporaryDirectory(prefix="authsignal-bench-") as folder:
        command = [sys.executable, "-c", READ, url, place or "budget.sqlite", str(chosen.rate)]
        started = [
            subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(processes)
        ]
        for process in started:
            assert process.stdout  # noqa: S101
            process.stdout.readline()
        until = time.monotonic() + (processes - 1) * apart + chosen.settle + chosen.seconds
        start = counted(control)
        for number, process in enumerate(started):
            time.sleep(apart if number else 0)
            assert process.stdin  # noqa: S101
            process.stdin.write(f"{until}\n")
            process.stdin.flush()
        time.sleep(max(0.0, until - chosen.seconds - time.monotonic()))
        settled = counted(control)
        time.sleep(max(0.0, until - 0.5 - time.monotonic()))
        end = counted(control)
        done = [json.loads(process.communicate(timeout=60)[0]) for process in started]
    requests, calls = sum(each[0] for each in done), sum(each[1] for each in done)
    parts = " ".join(f"{each[0]:,}" for each in done)
    return (
        f"  {processes} processes   {shares(start, end, limit)}   {shares(settled, end, limit)}"
        f"   {1000 * calls / requests:5.1f} calls   requests: {parts}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--limit", type=int, default=100, help="requests a second that the sandbox allows")
    parser.add_argument("--rate", type=float, default=200, help="requests a second of the setting")
    parser.add_argument("--place", default="", help="URL of a Redis or PostgreSQL; a SQLite file if not given")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--settle", type=float, default=20.0)
    parser.add_argument("--apart", type=float, default=2.0, help="seconds between the starts of two processes")
    chosen = parser.parse_args()
    heads = f"limit {chosen.limit}/s, rate {chosen.rate:g}/s", f"from second {chosen.settle:g} after the last start"
    print(f"{heads[0]}   from the start                 {heads[1]}")
    for processes in chosen.processes:
        print(measure(processes, chosen.place, chosen), flush=True)


if __name__ == "__main__":
    main()
