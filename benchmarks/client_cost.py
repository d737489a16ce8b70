"""What our client adds to aiohttp: processor time a request, bare and through `Api.get`, side by side."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.api.server_endpoints import GET_USER_AUTHENTICATORS
from dlt_authsignal.source.config.connection import api_url
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.http.client import connect
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter
from dlt_authsignal.source.metrics.run_metrics import RunMetrics

REQUESTS = 2_000
ROUNDS = 5
IN_FLIGHT = 16
AUTH = basic_auth("sandbox-server-secret")

Get = Callable[[str], Awaitable[Any]]


@asynccontextmanager
async def bare(url: str) -> AsyncIterator[Get]:
    headers = {"Authorization": AUTH}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT), headers=headers) as session:

        async def get(user_id: str) -> Any:
            async with session.get(f"{url}/users/{user_id}/authenticators") as answer:
                return json.loads(await answer.read())

        yield get


@asynccontextmanager
async def ours(url: str) -> AsyncIterator[Get]:
    pace = RequestLimits(concurrency=IN_FLIGHT, rate=None)
    async with connect(api_url(None, url), {"server": AUTH}, RateLimiter(pace=pace), RunMetrics()) as api:

        async def get(user_id: str) -> Any:
            return await api.get(GET_USER_AUTHENTICATORS, list, userId=user_id)

        yield get


async def cpu_microseconds(client: Any, url: str) -> float:
    """Processor time of one request, in this process, in microseconds."""
    left = iter(range(REQUESTS))
    async with client(url) as get:

        async def worker() -> None:
            for number in left:
                await get(f"u{number}")

        started = time.process_time()
        await asyncio.gather(*[worker() for _ in range(IN_FLIGHT)])
        return (time.process_time() - started) / REQUESTS * 1e6


def main() -> None:
    command = str(Path(sys.executable).with_name("dlt-authsignal"))
    sandbox = subprocess.Popen(
        [command, "sandbox", "--empty", "--port", "0", "--json"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert sandbox.stdout  # noqa: S101
        url = json.loads(sandbox.stdout.readline())["url"]
        spent: dict[str, list[float]] = {"bare": [], "ours": []}
        for _ in range(ROUNDS):
            for name, client in (("bare", bare), ("ours", ours)):
                spent[name].append(asyncio.run(cpu_microseconds(client, url)))
        base, mine = median(spent["bare"]), median(spent["ours"])
        print(
            f"Our client over aiohttp, processor time a request, median of {ROUNDS} x {REQUESTS}, {IN_FLIGHT} in flight"
        )
        print(f"  aiohttp, bare {base:6.0f} µs")
        print(f"  Api.get       {mine:6.0f} µs   {mine / base:4.2f} x bare")
    finally:
        sandbox.terminate()
        sandbox.wait(10)


if __name__ == "__main__":
    main()
