"""How many verified and durable events per second one receiver process takes, beside the same server that does nothing.

    python benchmarks/receiver.py
    python benchmarks/receiver.py --events 1000000   # memory over a million events, 500 to a delivery

The sender is another process. It signs its deliveries before the clock starts, and sends the next one of a connection
as soon as the last one is answered. The receiver writes to a folder, hashes identifiers, and syncs file and folder.
"cpu" is the processor time of the receiver per delivery, which depends less on what else runs.
"""

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import quantiles
from typing import Any
from uuid import UUID

from dlt_authsignal.api.webhooks import ACTION_LOG, SIGNATURE_HEADER, batch, envelope, sign

KEY = "a-server-api-secret-key-of-the-benchmark"
PATH = "/webhooks/benchmark"
TENANT = "11111111-2222-3333-4444-555555555555"
USERS = 100_000
BATCHES = (1, 50, 500)
CONNECTIONS = {1: 8, 50: 4, 500: 2}
DIFFERENT = 40
"""Different deliveries that are sent in turn. The receiver remembers none of them."""


def events(count: int, draw: random.Random) -> list[dict[str, Any]]:
    """Envelopes of the action log with all fields, about 1 KB each."""
    rules = [
        {"ruleId": str(UUID(int=number)), "name": f"Rule {number}", "description": "Challenge on a new device"}
        for number in range(8)
    ]
    return [_event(draw, rules) for _ in range(count)]


def _event(draw: random.Random, rules: Sequence[dict[str, str]]) -> dict[str, Any]:
    user, moment = draw.randrange(USERS), f"2026-11-29T10:{draw.randrange(60):02}:{draw.randrange(60):02}.123Z"
    payload = {
        "tenantId": TENANT,
        "userId": f"user-{user}",
        "actionCode": draw.choice(("signIn", "payment", "profile")),
        "idempotencyKey": str(UUID(int=draw.getrandbits(128))),
        "createdAt": moment,
        "updatedAt": moment,
        "state": draw.choice(("ALLOW", "CHALLENGE_SUCCEEDED", "CHALLENGE_FAILED", "BLOCK")),
        "stateUpdatedAt": moment,
        "outcome": draw.choice(("ALLOW", "CHALLENGE", "BLOCK")),
        "verificationMethod": draw.choice(("PASSKEY", "EMAIL_OTP", "SMS")),
        "allowedVerificationMethods": ["PASSKEY", "EMAIL_OTP", "SMS"],
        "rules": draw.sample(rules, draw.choice((1, 1, 2))),
        "ipAddress": f"203.0.113.{draw.randrange(256)}",
        "countryCode": draw.choice(("NZ", "AU", "US")),
        "email": f"user-{user}@example.com",
        "phoneNumber": f"+6421{user:07}",
        "customVariables": {"plan": draw.choice(("gold", "silver"))},
        "deviceId": str(UUID(int=draw.getrandbits(128))),
    }
    return envelope(ACTION_LOG, payload, id=str(UUID(int=draw.getrandbits(128))), time=moment, tenant_id=TENANT)


def requests_of(size: int) -> list[bytes]:
    """Signed requests, ready to be sent."""
    draw = random.Random(size)
    return [_request(json.dumps(batch(events(size, draw))).encode()) for _ in range(DIFFERENT)]


def _request(body: bytes) -> bytes:
    signature = sign(KEY, body, int(time.time()))
    head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\n{SIGNATURE_HEADER}: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass
class Figures:
    """What one run measured.

    Attributes:
        seconds: Its length.
        latencies: Milliseconds from the first byte sent to the answer, per delivery.
        cpu: Processor time of the receiver in seconds.
    """

    seconds: float
    latencies: list[float]
    cpu: float

    def line(self, name: str, size: int) -> str:
        cuts = quantiles(self.latencies, n=100)
        each = len(self.latencies) / self.seconds
        return f"{name:<9} {size:>5}  {each * size:>9,.0f} events/s  {each:>8,.0f} deliveries/s" + (
            f"  p50 {cuts[49]:>7.1f} ms  p99 {cuts[98]:>7.1f} ms  cpu {self.cpu * 1000 / len(self.latencies):>6.2f} ms"
        )


def measured(port: int, pid: int, requests: list[bytes], *, connections: int, seconds: float) -> Figures:
    """Send for some seconds over some connections."""
    latencies: list[float] = []
    failures: list[Exception] = []
    end = time.perf_counter() + seconds
    threads = [
        threading.Thread(target=_send, args=(port, requests[place:] + requests[:place], end, latencies, failures))
        for place in range(connections)
    ]
    begun, before = time.perf_counter(), processor_seconds(pid)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return Figures(time.perf_counter() - begun, latencies, processor_seconds(pid) - before)


def _send(port: int, requests: Sequence[bytes], end: float, latencies: list[float], failures: list[Exception]) -> None:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            for request in _forever(requests, end):
                begun = time.perf_counter()
                exchange(connection, request)
                latencies.append((time.perf_counter() - begun) * 1000)
    except (OSError, RuntimeError) as error:
        failures.append(error)


def _forever(requests: Sequence[bytes], end: float) -> Iterator[bytes]:
    while True:
        for request in requests:
            if time.perf_counter() >= end:
                return
            yield request


def exchange(connection: socket.socket, request: bytes) -> None:
    """Send a request and read its answer.

    Raises:
        RuntimeError: It is not 200.
    """
    connection.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += _part(connection)
    head, _, content = answer.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(content) < length:
        content += _part(connection)
    if not head.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"The receiver answered: {head!r} {content!r}")


def _part(connection: socket.socket) -> bytes:
    part = connection.recv(65_536)
    if not part:
        raise RuntimeError("The receiver closed the connection.")
    return part


@contextmanager
def served(folder: Path, *, is_floor: bool) -> Iterator[tuple[int, int]]:
    """A receiver, or the same server without work, in a process; its port and process id."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--serve", "floor" if is_floor else "receiver", "--folder", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        port = int(process.stdout.readline()) if process.stdout else 0
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


def serve(kind: str, folder: Path) -> None:
    """Serve until SIGTERM, after printing the port."""
    from dlt_authsignal.receiver import create_app
    from dlt_authsignal.receiver.serve import listen, server
    from dlt_authsignal.source.config.event_settings import resolved_event_settings
    from dlt_authsignal.source.config.source_settings import SourceSettings

    source = SourceSettings(api_secret_key=KEY, privacy_key=sha256(KEY.encode()).hexdigest())
    settings = resolved_event_settings(
        source=source, spool=str(folder / "spool"), path=PATH, tolerance="0", disk_limit="99%"
    )
    app = create_app(settings, source) if kind == "receiver" else floor
    bound = listen("127.0.0.1", 0)
    print(bound.getsockname()[1], flush=True)
    server(app).run(sockets=[bound])


async def floor(scope: Any, receive: Any, send: Any) -> None:
    """Read the body, and answer 200."""
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


def throughput(seconds: float, sizes: Sequence[int]) -> None:
    """Print a line for each size of batch, with and without work."""
    for size in sizes:
        requests = requests_of(size)
        for is_floor in (True, False):
            with tempfile.TemporaryDirectory() as folder, served(Path(folder), is_floor=is_floor) as (port, pid):
                measured(port, pid, requests, connections=CONNECTIONS[size], seconds=1)  # warm
                found = measured(port, pid, requests, connections=CONNECTIONS[size], seconds=seconds)
            print(found.line("floor" if is_floor else "receiver", size), flush=True)


def memory(count: int) -> None:
    """Print the receiver's memory after each tenth of so many events."""
    requests, deliveries = requests_of(500), count // 500
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder), is_floor=False) as (port, pid),
        socket.create_connection(("127.0.0.1", port), timeout=60) as connection,
    ):
        begun = time.perf_counter()
        for number in range(deliveries):
            exchange(connection, requests[number % DIFFERENT])
            if (number + 1) % max(1, deliveries // 10) == 0:
                print(f"{(number + 1) * 500:>10,} events  {resident(pid):>6,.0f} MiB", flush=True)
        seconds = time.perf_counter() - begun
    print(f"{deliveries * 500 / seconds:,.0f} events/s over one connection")


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Return the memory of a process in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=10, help="length of each run")
    options.add_argument("--sizes", type=int, nargs="+", default=BATCHES, choices=BATCHES, help="events in a delivery")
    options.add_argument("--events", type=int, help="measure memory over so many events instead")
    options.add_argument("--serve", choices=("receiver", "floor"), help=argparse.SUPPRESS)
    options.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.serve:
        serve(chosen.serve, chosen.folder)
    elif chosen.events:
        memory(chosen.events)
    else:
        throughput(chosen.seconds, chosen.sizes)


if __name__ == "__main__":
    main()
