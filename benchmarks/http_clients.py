"""HTTP clients side by side: processor time a request, and requests a second, of those that are installed.

The same small answers from nginx, connections kept alive; a process for each client, which reads bytes and nothing
else. Clients that block run in as many threads as there are requests in flight. To compare all:
    pip install curl_cffi httpr 'httpx2[http2]' impit niquests primp pycurl pyqwest pyreqwest uvloop wreq
"""

import asyncio
import importlib.util
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass

from http_client_calls import CLIENTS, IN_THREADS, Blocking, Client, Get, Setup
from local_api import local_api

REQUESTS = 8_000
WARM_UP = 200
STARTS_WITHIN = 60

EVERY: dict[str, Client | Blocking] = {**CLIENTS, **IN_THREADS}


@dataclass(frozen=True)
class Case:
    """One row of columns: how many in flight, over what."""

    title: str
    in_flight: int
    gzip: bool = False
    tls: bool = False
    http2: bool = False


CASES = (
    Case("8 in flight", 8),
    Case("64 in flight", 64),
    Case("64 in flight, gzip", 64, gzip=True),
    Case("64 in flight, TLS", 64, tls=True),
    Case("64 in flight, TLS, HTTP/2", 64, tls=True, http2=True),
)


async def _measure(name: str, setup: Setup) -> tuple[float, float]:
    """(processor microseconds a request, requests a second) of one client in this process."""
    async with AsyncExitStack() as stack:
        get: Get = await stack.enter_async_context(CLIENTS[name].connect(setup))
        await _ask(get, setup, WARM_UP)
        cpu, started = time.process_time(), time.perf_counter()
        await _ask(get, setup, REQUESTS)
        return (time.process_time() - cpu) / REQUESTS * 1e6, REQUESTS / (time.perf_counter() - started)


async def _ask(get: Get, setup: Setup, requests: int) -> None:
    left = iter(range(requests))

    async def worker() -> None:
        for number in left:
            body = await get(f"{setup.url}/users/person-{number:07d}/actions")
            _check(body)

    await asyncio.gather(*[worker() for _ in range(setup.in_flight)])


def _measure_threads(name: str, setup: Setup) -> tuple[float, float]:
    """(processor microseconds a request, requests a second) of a client that blocks, in threads of this process."""
    warm = threading.Barrier(setup.in_flight + 1)
    ready = threading.Barrier(setup.in_flight + 1)

    def work(share: int) -> None:
        with IN_THREADS[name].connect(setup) as fetch:
            _check(fetch(f"{setup.url}/users/person-0000001/actions"))
            warm.wait(STARTS_WITHIN)
            ready.wait(STARTS_WITHIN)
            for number in range(share):
                _check(fetch(f"{setup.url}/users/person-{number:07d}/actions"))

    share = REQUESTS // setup.in_flight
    with ThreadPoolExecutor(setup.in_flight) as pool:
        threads = [pool.submit(work, share) for _ in range(setup.in_flight)]
        warm.wait(STARTS_WITHIN)
        cpu, started = time.process_time(), time.perf_counter()
        ready.wait(STARTS_WITHIN)
        for thread in threads:
            thread.result()
    asked = share * setup.in_flight
    return (time.process_time() - cpu) / asked * 1e6, asked / (time.perf_counter() - started)


def _check(body: bytes) -> None:
    if body[:1] != b"[":
        raise SystemExit(f"not the answer: {body[:80]!r}")


def _one(name: str, setup: Setup) -> None:
    if name in IN_THREADS:
        print(json.dumps(_measure_threads(name, setup)))
        return
    with asyncio.Runner(loop_factory=CLIENTS[name].loop()) as runner:
        print(json.dumps(runner.run(_measure(name, setup))))


def _in_a_process(name: str, setup: Setup) -> tuple[float, float] | str:
    """What `_measure` found, or how it failed: some of the clients crash."""
    command = [sys.executable, __file__, name, json.dumps(asdict(setup))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return " ".join(done.stderr.split())[-90:] or f"exit code {done.returncode}"
    cpu, rate = json.loads(done.stdout)
    return cpu, rate


def _compare(case: Case) -> None:
    print(f"\n{case.title}: {REQUESTS:,} requests")
    with local_api(REQUESTS, gzip=case.gzip, tls=case.tls) as api:
        setup = Setup(api.url, case.in_flight, api.certificate, case.http2)
        for name, client in EVERY.items():
            if setup.over in client.over and importlib.util.find_spec(client.package):
                print(f"  {name:<18}{_said(_in_a_process(name, setup))}", flush=True)


def _said(found: tuple[float, float] | str) -> str:
    if isinstance(found, str):
        return f"failed: {found}"
    cpu, rate = found
    return f"{cpu:6.0f} µs {rate:9,.0f} requests/s"


def main() -> None:
    if len(sys.argv) > 1:
        return _one(sys.argv[1], Setup(**json.loads(sys.argv[2])))
    missing = sorted({it.package for it in EVERY.values() if importlib.util.find_spec(it.package) is None})
    print("HTTP clients: processor time a request" + (f" (not installed: {', '.join(missing)})" if missing else ""))
    for case in CASES:
        _compare(case)
    return None


if __name__ == "__main__":
    main()
