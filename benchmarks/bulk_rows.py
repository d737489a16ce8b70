"""A million rows of user_actions, from JSON in memory through our batches and dlt into DuckDB, and each step's share.

Beside it: far fewer rows as dictionaries, as the other destinations take them; and other sizes, to see what memory and
time depend on. Each in a process of its own.

python benchmarks/bulk_rows.py             # all of it
python benchmarks/bulk_rows.py million     # only the million
"""

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

ACTIONS_EACH = 20
BODIES = 5_000
MILLION = ("batches", 50_000, 500)
RUNS = (("rows", 2_000, 500), ("batches", 5_000, 500), MILLION, ("batches", 50_000, 5_000))
"""(way, users, users a batch)."""
PRIVACY_KEY = "3f9c1be07a52d8644e0d97b1c65fa2380b7e41d95c8f2a6310d4e97f58ab2c61"
START = datetime(2026, 10, 3, tzinfo=UTC)


def body(random_: random.Random) -> bytes:
    """One user's answer."""
    return json.dumps([action(random_) for _ in range(ACTIONS_EACH)]).encode()


def action(random_: random.Random) -> dict[str, Any]:
    created = START + timedelta(milliseconds=random_.randrange(30 * 86_400_000))
    updated = created + timedelta(milliseconds=random_.randrange(60_000))
    agent = (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_{random_.randrange(7)} like Mac OS X) AppleWebKit/605.1.15 Safari/604.1"
    )
    return {
        "actionCode": random_.choice(["signIn", "payment", "changeAddress"]),
        "idempotencyKey": f"{random_.getrandbits(128):032x}",
        "createdAt": _iso(created),
        "updatedAt": _iso(updated),
        "state": random_.choice(["ALLOW", "CHALLENGE_SUCCEEDED", "CHALLENGE_REQUIRED"]),
        "stateUpdatedAt": _iso(updated),
        "verificationMethod": random_.choice(["PASSKEY", "EMAIL_OTP", "SMS"]),
        "verifiedByAuthenticatorId": f"{random_.getrandbits(128):032x}",
        "userAgent": agent,
        "ipAddress": ".".join(str(random_.randrange(256)) for _ in range(4)),
        "countryCode": random_.choice(["CH", "DE", "NZ", "US"]),
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def bodies_of(users: int) -> list[bytes]:
    random_ = random.Random(7)
    return [body(random_) for _ in range(min(users, BODIES))]


def answers(users: int, at_once: int, bodies: list[bytes], spent: "Spent") -> Iterator[Any]:
    """Batches of decoded answers. The bodies come again: a row is another one by its user."""
    import msgspec

    from dlt_authsignal.source.rows.flatten import Answers

    for first in range(0, users, at_once):
        with spent.on("decoding"):
            decoded = [msgspec.json.decode(bodies[user % BODIES]) for user in range(first, first + at_once)]
            batch = Answers(
                items=[item for each in decoded for item in each],
                requests=[place for place, each in enumerate(decoded) for _ in each],
                read_at=[datetime.now(UTC)] * len(decoded),
                keys={"user_id": [f"user-{first + place:08d}" for place in range(len(decoded))]},
            )
        yield batch


class Spent:
    """Seconds of the clock and of the processors by step. A step within another one is no part of it."""

    def __init__(self) -> None:
        self.wall: defaultdict[str, float] = defaultdict(float)
        self.cpu: defaultdict[str, float] = defaultdict(float)
        self._inner: list[tuple[float, float]] = [(0.0, 0.0)]

    @contextmanager
    def on(self, step: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        self._inner.append((0.0, 0.0))
        yield
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        inner_wall, inner_cpu = self._inner.pop()
        self.wall[step] += wall - inner_wall
        self.cpu[step] += cpu - inner_cpu
        outer_wall, outer_cpu = self._inner[-1]
        self._inner[-1] = (outer_wall + wall, outer_cpu + cpu)


def load(way: str, users: int, at_once: int) -> None:
    """Loads into a new DuckDB file, as a sync with a privacy_key does, and prints what it took."""
    import dlt

    from dlt_authsignal.destination.dlt_patches import adapt_dlt, rare_garbage_collection
    from dlt_authsignal.destination.duckdb_file import keep_open
    from dlt_authsignal.destination.load_hints import active_destination, hints
    from dlt_authsignal.schema.tables.server import USER_ACTIONS
    from dlt_authsignal.source.privacy.policy import Privacy
    from dlt_authsignal.source.resources import table_resource as resources

    spent, bodies = Spent(), bodies_of(users)

    def user_actions() -> Iterator[Any]:
        privacy = Privacy(key=PRIVACY_KEY)
        loading = resources.Loading(USER_ACTIONS, api="server", tenant_id="tenant", privacy=privacy)
        yield loading.nothing()
        for batch in answers(users, at_once, bodies, spent):
            with spent.on("shaping"):
                shaped = list(loading.answers(batch))
            yield from shaped

    @dlt.source(name="authsignal_source", max_table_nesting=0)
    def source() -> Any:
        return dlt.resource(user_actions, **hints(USER_ACTIONS))

    pipeline = dlt.pipeline("bulk", destination="duckdb", dataset_name="data")
    adapt_dlt(pipeline)
    if way == "rows":
        resources.active_destination = _without_arrow(active_destination)  # type: ignore[attr-defined]
    reading = source()
    with rare_garbage_collection():
        with spent.on("extract"):
            pipeline.extract(reading)
        with spent.on("normalise"):
            pipeline.normalize()
        with spent.on("load"), keep_open(pipeline):
            pipeline.load()
    with pipeline.sql_client() as client:
        ((rows,),) = client.execute_sql("SELECT count(*) FROM user_actions") or [(0,)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"rows": rows, "wall": spent.wall, "cpu": spent.cpu, "peak": peak}))


def _without_arrow(active_destination: Any) -> Any:
    from dataclasses import replace

    def found() -> Any:
        destination, table_format = active_destination()
        return replace(destination, arrow=False), table_format

    return found


def measured(*run: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, os.path.abspath(__file__), *map(str, run)],
            env={**os.environ, "DLT_DATA_DIR": folder},
            cwd=folder,
            stdout=subprocess.PIPE,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main(runs: Sequence[tuple[str, int, int]]) -> None:
    print("user_actions from memory into DuckDB: wall-clock seconds, processor seconds")
    for way, users, at_once in runs:
        found = measured(way, users, at_once)
        wall, cpu = sum(found["wall"].values()), sum(found["cpu"].values())
        shares = ", ".join(f"{name} {part:.1f}" for name, part in found["cpu"].items())
        print(
            f"  {found['rows']:>9,} rows as {way:<7} of {at_once:>5,} users {wall:6.1f} s {cpu:6.1f} CPU s"
            f" {found['rows'] / cpu:>8,.0f} rows/CPU s  peak {found['peak']:>5,} MB\n    CPU: {shares}"
        )


if __name__ == "__main__":
    if len(sys.argv) > 2:
        load(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        main([MILLION] if sys.argv[1:] == ["million"] else RUNS)
