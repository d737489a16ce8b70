"""Reading the same tenant with one request in flight and with more, side by side against the sandbox."""

import asyncio
import time

from anyio import create_memory_object_stream, create_task_group

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.sandbox import SandboxConfig, run_in_thread
from dlt_authsignal.source.http import base_url, connect
from dlt_authsignal.source.meter import Meter
from dlt_authsignal.source.pace import Pace
from dlt_authsignal.source.reading import Plan, UserRead, read_users

USERS = 300
LATENCY = 0.02
TABLES = frozenset({"users", "user_authenticators", "user_actions", "user_devices"})


async def read_all(url: str, secret: str, concurrency: int) -> tuple[int, float]:
    meter, pace = Meter(), Pace(concurrency=concurrency, rate=None)
    send, receive = create_memory_object_stream[UserRead](USERS)
    started = time.perf_counter()
    async with (
        connect(base_url("us", url), {"server": basic_auth(secret)}, pace, meter) as api,
        create_task_group() as all_,
        send,
    ):
        all_.start_soon(_drain, receive.clone())
        receive.close()
        await read_users(api, Plan(tables=TABLES), concurrency, meter, send)
    return meter.requests, time.perf_counter() - started


async def _drain(receive: object) -> None:
    async for _ in receive:  # type: ignore[attr-defined]
        pass


def main() -> None:
    from dlt_authsignal.sandbox import Fault

    with run_in_thread(SandboxConfig(users=USERS, seed=7)) as running:
        running.sandbox.faults.add(Fault(route="*", kind="delay", seconds=LATENCY, times=None))
        print(f"reading {USERS} users, {LATENCY * 1000:.0f} ms an answer")
        base = 0.0
        for concurrency in (1, 8, 32):
            requests, seconds = asyncio.run(read_all(running.url, running.sandbox.config.api_secret_key, concurrency))
            base = base or seconds
            print(
                f"  {concurrency:>2} in flight {seconds:7.2f} s {requests / seconds:7.0f} requests/s"
                f" {base / seconds:6.1f} x one in flight"
            )


if __name__ == "__main__":
    main()
