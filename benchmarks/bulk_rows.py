"""A million rows of user_actions, from JSON in memory through our batches and dlt into DuckDB, and each step's share.

Beside it: far fewer rows as dictionaries, as the other destinations take them; and other sizes, to see what memory and
time depend on. Each in a process of its own.
"""

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

ACTIONS_EACH = 20
BODIES = 5_000
RUNS = (("rows", 2_000, 500), ("batches", 5_000, 500), ("batches", 50_000, 500), ("batches", 50_000, 5_000))
"""(way, users, users a batch)."""
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


def answers(users: int, at_once: int, spent: dict[str, float]) -> Iterator[Any]:
    """Batches of decoded answers. The bodies come again: a row is another one by its user."""
    import msgspec

    from dlt_authsignal.source.rows.flatten import Answers

    random_ = random.Random(7)
    bodies = [body(random_) for _ in range(min(users, BODIES))]
    for first in range(0, users, at_once):
        started = time.perf_counter()
        decoded = [msgspec.json.decode(bodies[user % BODIES]) for user in range(first, first + at_once)]
        batch = Answers(
            items=[item for each in decoded for item in each],
            requests=[place for place, each in enumerate(decoded) for _ in each],
            read_at=[datetime.now(UTC)] * len(decoded),
            keys={"user_id": [f"user-{first + place:08d}" for place in range(len(decoded))]},
        )
        spent["decoding"] = spent.get("decoding", 0.0) + time.perf_counter() - started
        yield batch


def load(way: str, users: int, at_once: int) -> None:
    """Loads into a new DuckDB file, and prints what it took."""
    import dlt

    from dlt_authsignal.destination.load_hints import active_destination, hints
    from dlt_authsignal.schema.tables.server import USER_ACTIONS
    from dlt_authsignal.source.resources import table_resource as resources

    spent: dict[str, float] = {}

    def user_actions() -> Iterator[Any]:
        loading = resources.Loading(USER_ACTIONS, api="server", tenant_id="tenant")
        yield loading.nothing()
        for batch in answers(users, at_once, spent):
            started = time.perf_counter()
            shaped = list(loading.answers(batch))
            spent["shaping"] = spent.get("shaping", 0.0) + time.perf_counter() - started
            yield from shaped

    @dlt.source(name="authsignal_source", max_table_nesting=0)
    def source() -> Any:
        return dlt.resource(user_actions, **hints(USER_ACTIONS))

    pipeline = dlt.pipeline("bulk", destination="duckdb", dataset_name="data")
    if way == "rows":
        resources.active_destination = _without_arrow(active_destination)  # type: ignore[attr-defined]
    reading = source()
    for name, step in (
        ("extract", lambda: pipeline.extract(reading)),
        ("normalise", pipeline.normalize),
        ("load", pipeline.load),
    ):
        started = time.perf_counter()
        step()
        spent[name] = time.perf_counter() - started
    spent["extract"] -= spent["decoding"] + spent["shaping"]
    with pipeline.sql_client() as client:
        ((rows,),) = client.execute_sql("SELECT count(*) FROM user_actions") or [(0,)]
    print(
        json.dumps({"rows": rows, "spent": spent, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024})
    )


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


def main() -> None:
    print("user_actions from memory into DuckDB")
    base = 0.0
    for way, users, at_once in RUNS:
        found = measured(way, users, at_once)
        seconds = sum(found["spent"].values())
        speed = found["rows"] / seconds
        base = base or speed
        shares = ", ".join(f"{name} {part / seconds:.0%}" for name, part in found["spent"].items())
        print(
            f"  {found['rows']:>9,} rows as {way:<7} of {at_once:>5,} users {seconds:6.2f} s {speed:>8,.0f} rows/s"
            f" {speed / base:5.1f} x  peak {found['peak']:>5,} MB\n    {shares}"
        )


if __name__ == "__main__":
    if len(sys.argv) > 2:
        load(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
