"""How much of a server's limit is used, and how often it has to refuse: against the sandbox's limits, all at once.

Used: answers a second, as a share of the limit. Refused: answers with status 429, as a share of all.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.api.server_endpoints import GET_USER_AUTHENTICATORS
from dlt_authsignal.source.config.connection import api_url
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.http.client import Api, connect
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter
from dlt_authsignal.source.metrics.run_metrics import RunMetrics

LIMITS = (10, 50, 200)
SETTLED_AFTER = 30.0
AUTH = basic_auth("sandbox-server-secret")


@dataclass(frozen=True)
class Case:
    """One server's limit, and how we are told to ask."""

    limit: int
    burst: int
    rate: float | None

    @property
    def name(self) -> str:
        rate = "max" if self.rate is None else f"{self.rate:g}"
        return f"limit {self.limit:>4}/s, burst {self.burst:>4}, rate {rate:>4}"


@contextmanager
def sandbox(case: Case) -> Iterator[str]:
    """URL of a sandbox that limits its server key."""
    command = [str(Path(sys.executable).with_name("dlt-authsignal")), "sandbox", "--empty", "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout  # noqa: S101
        line = json.loads(process.stdout.readline())
        body = json.dumps({"key": "server", "perSecond": case.limit, "burst": case.burst}).encode()
        request = urllib.request.Request(  # noqa: S310 - our own sandbox
            f"{line['controlUrl'].rstrip('/')}/limits", body, {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request).close()  # noqa: S310
        yield line["url"]
    finally:
        process.terminate()
        process.wait(10)


async def ask_on(api: Api, until: float) -> None:
    while time.monotonic() < until:
        await api.get(GET_USER_AUTHENTICATORS, list, userId="somebody")


async def measure(case: Case, url: str, seconds: float) -> str:
    """Asks as fast as it may for so long; one line of what came of it."""
    meter, pace = RunMetrics(), RequestLimits(rate=case.rate, attempts=1000)
    async with connect(api_url(None, url), {"server": AUTH}, RateLimiter(pace=pace), meter) as api:
        started = time.monotonic()
        asking = asyncio.gather(*[ask_on(api, started + seconds) for _ in range(pace.concurrency)])
        await asyncio.sleep(min(SETTLED_AFTER, seconds / 2))
        early, early_refused, early_at = meter.requests, meter.throttled, time.monotonic()
        await asyncio.sleep(max(0.0, started + seconds - time.monotonic()))
        whole = shares(case, meter.requests, meter.throttled, time.monotonic() - started)
        later = shares(case, meter.requests - early, meter.throttled - early_refused, time.monotonic() - early_at)
        await asking
    return f"  {case.name}   {whole}   {later}"


def shares(case: Case, requests: int, refused: int, seconds: float) -> str:
    served = (requests - refused) / seconds
    return f"{served / min(case.limit, case.rate or case.limit):7.1%} used {refused / max(1, requests):6.2%} refused"


async def measure_all(cases: dict[Case, str], seconds: float) -> list[str]:
    return await asyncio.gather(*[measure(case, url, seconds) for case, url in cases.items()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--burst", type=float, default=1.0, help="in seconds' worth of the limit")
    chosen = parser.parse_args()
    cases = [Case(limit, max(1, int(limit * chosen.burst)), rate) for limit in LIMITS for rate in (None, 2.0 * limit)]
    with ExitStack() as stack:
        urls = {case: stack.enter_context(sandbox(case)) for case in cases}
        print(
            f"politeness, {chosen.seconds:.0f} s   {'':<34}from the start            from second {SETTLED_AFTER:.0f} on"
        )
        print("\n".join(asyncio.run(measure_all(urls, chosen.seconds))))


if __name__ == "__main__":
    main()
