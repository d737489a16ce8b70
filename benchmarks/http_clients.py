"""Async HTTP clients side by side: the same small answers from one sandbox, 16 in flight. Compares those installed.

To compare all: pip install httpx2 niquests
"""

import asyncio
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from dlt_authsignal.api.endpoints import basic_auth

REQUESTS = 4_000
IN_FLIGHT = 16
SECRET = "sandbox-server-secret"  # noqa: S105 - the sandbox's own
HEADERS = {"Authorization": basic_auth(SECRET)}

Get = Callable[[str], Awaitable[bytes]]


@asynccontextmanager
async def aiohttp() -> AsyncIterator[Get]:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT), headers=HEADERS) as session:

        async def get(url: str) -> bytes:
            async with session.get(url) as answer:
                return await answer.read()

        yield get


@asynccontextmanager
async def httpx2() -> AsyncIterator[Get]:
    import httpx2  # type: ignore[import-not-found,unused-ignore]

    limits = httpx2.Limits(max_connections=IN_FLIGHT)
    async with httpx2.AsyncClient(limits=limits, headers=HEADERS) as session:

        async def get(url: str) -> bytes:
            return bytes((await session.get(url)).content)

        yield get


@asynccontextmanager
async def niquests() -> AsyncIterator[Get]:
    import niquests  # type: ignore[import-not-found,unused-ignore]

    async with niquests.AsyncSession(pool_maxsize=IN_FLIGHT) as session:

        async def get(url: str) -> bytes:
            return bytes((await session.get(url, headers=HEADERS)).content or b"")

        yield get


CLIENTS = {client.__name__: client for client in (aiohttp, httpx2, niquests)}


async def cpu_microseconds(name: str, url: str) -> float:
    """Processor time of one request, in this process, in microseconds."""
    left = iter(range(REQUESTS))
    async with CLIENTS[name]() as get:

        async def worker() -> None:
            for number in left:
                json.loads(await get(f"{url}/users/u{number}/authenticators"))

        started = time.process_time()
        await asyncio.gather(*[worker() for _ in range(IN_FLIGHT)])
        return (time.process_time() - started) / REQUESTS * 1e6


def main() -> None:
    command = str(Path(sys.executable).with_name("dlt-authsignal"))
    sandbox = subprocess.Popen([command, "sandbox", "--port", "0", "--json"], stdout=subprocess.PIPE, text=True)
    try:
        assert sandbox.stdout  # noqa: S101
        url = json.loads(sandbox.stdout.readline())["url"]
        print(f"HTTP clients, processor time a request, {REQUESTS} requests, {IN_FLIGHT} in flight")
        base = 0.0
        for name in CLIENTS:
            if importlib.util.find_spec(name) is None:
                print(f"  {name:<10}not installed")
                continue
            spent = asyncio.run(cpu_microseconds(name, url))
            base = base or spent
            print(f"  {name:<10}{spent:6.0f} µs   {spent / base:4.1f} x aiohttp")
    finally:
        sandbox.terminate()
        sandbox.wait(10)


if __name__ == "__main__":
    main()
