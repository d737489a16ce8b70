"""How much of a server's limit several workers use together, and how often it has to refuse, by their number.

Used: answers a second, as a share of the limit. Refused: answers with status 429, as a share of all. The sandbox counts
both while the workers read users; the start and the load are not measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = str(Path(sys.executable).with_name("dlt-authsignal"))
READS = "GET /users/{userId}/authenticators"
BEGINS_WITHIN = 120.0


@dataclass(frozen=True)
class Count:
    """What the sandbox has answered up to a moment."""

    at: float
    total: int
    refused: int


@contextmanager
def sandbox(limit: int, users: int) -> Iterator[tuple[str, str]]:
    """URLs of a sandbox that limits its server key: of the API, and of the control routes."""
    command = [COMMAND, "sandbox", "--users", str(users), "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout  # noqa: S101
        line = json.loads(process.stdout.readline())
        control = line["controlUrl"].rstrip("/")
        body = json.dumps({"key": "server", "perSecond": limit, "burst": limit}).encode()
        request = urllib.request.Request(f"{control}/limits", body, {"Content-Type": "application/json"})  # noqa: S310
        urllib.request.urlopen(request).close()  # noqa: S310 - our own sandbox
        yield line["url"], control
    finally:
        process.terminate()
        process.wait(10)


def shown(control: str) -> dict[str, Any]:
    """The sandbox's log of requests."""
    with urllib.request.urlopen(f"{control}/requests") as answer:  # noqa: S310 - our own sandbox
        found: dict[str, Any] = json.load(answer)
        return found


def counted(control: str) -> Count:
    """What the sandbox has answered by now."""
    log = shown(control)
    return Count(time.monotonic(), log["total"], log["byStatus"].get("429", 0))


def measure(workers: int, limit: int, seconds: float, settle: float) -> str:
    """One sync with so many workers, measured for so long once they read; one line of what came of it."""
    users = int(limit * (seconds + settle + 10) / 3)
    with sandbox(limit, users) as (url, control), tempfile.TemporaryDirectory(prefix="authsignal-bench-") as folder:
        prefix = "SOURCES__AUTHSIGNAL_SOURCE__"
        settings = {"BASE_URL": url, "API_SECRET_KEY": "sandbox-server-secret", "PRIVACY": "keep"}
        environment = {**os.environ, **{prefix + name: value for name, value in settings.items()}}
        command = [COMMAND, "sync", "--json", "--rate", "max", "--concurrency", "32", "--workers", str(workers)]
        sync = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        try:
            until = time.monotonic() + BEGINS_WITHIN
            while shown(control)["byRoute"].get(READS, 0) < limit and time.monotonic() < until:
                time.sleep(0.1)
            start = counted(control)
            time.sleep(settle)
            settled = counted(control)
            time.sleep(seconds)
            end = counted(control)
            is_reading = sync.poll() is None
        finally:
            sync.kill()
            sync.wait(10)
    if not is_reading:
        raise SystemExit("The sync ended before the measurement did.")
    return f"  {workers} workers   {shares(start, end, limit)}   {shares(settled, end, limit)}"


def shares(start: Count, end: Count, limit: int) -> str:
    """What was used and refused between two counts."""
    total, refused = end.total - start.total, end.refused - start.refused
    return f"{(total - refused) / (end.at - start.at) / limit:7.1%} used {refused / max(1, total):6.2%} refused"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--limit", type=int, default=50, help="requests a second that the sandbox allows")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--settle", type=float, default=20.0)
    chosen = parser.parse_args()
    print(f"limit {chosen.limit}/s, rate max     from the start                 from second {chosen.settle:g} on")
    for workers in chosen.workers:
        print(measure(workers, chosen.limit, chosen.seconds, chosen.settle), flush=True)


if __name__ == "__main__":
    main()
