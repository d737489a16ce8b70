"""A million rows of user_actions, from JSON in memory through our batches and dlt into DuckDB, and each step's share.

Beside it, far fewer rows as dictionaries, the way that dlt's other destinations take. Each in a process of its own.
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

USERS = 50_000
ACTIONS_EACH = 20
USERS_PER_BATCH = 2_000
USERS_AS_ROWS = 2_000
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


def answers(users: int, spent: dict[str, float]) -> Iterator[Any]:
    """Batches of decoded answers. One batch's worth of bodies serves all: a row is another one by its user."""
    import msgspec

    from dlt_authsignal.source.rows import Answers

    random_ = random.Random(7)
    bodies = [body(random_) for _ in range(min(users, USERS_PER_BATCH))]
    for first in range(0, users, USERS_PER_BATCH):
        started = time.perf_counter()
        decoded = [msgspec.json.decode(each) for each in bodies]
        batch = Answers(
            items=[item for each in decoded for item in each],
            requests=[place for place, each in enumerate(decoded) for _ in each],
            read_at=[datetime.now(UTC)] * len(decoded),
            keys={"user_id": [f"user-{first + place:08d}" for place in range(len(decoded))]},
        )
        spent["decoding"] = spent.get("decoding", 0.0) + time.perf_counter() - started
        yield batch


def load(way: str, users: int) -> None:
    """Loads into a new DuckDB file, and prints what it took."""
    import dlt

    from dlt_authsignal.api.tables import USER_ACTIONS
    from dlt_authsignal.source import resources

    spent: dict[str, float] = {}

    def user_actions() -> Iterator[Any]:
        loading = resources.Loading(USER_ACTIONS, lane="server", tenant_id="tenant")
        yield loading.nothing()
        for batch in answers(users, spent):
            started = time.perf_counter()
            shaped = list(loading.answers(batch))
            spent["shaping"] = spent.get("shaping", 0.0) + time.perf_counter() - started
            yield from shaped

    @dlt.source(name="authsignal_source", max_table_nesting=0)
    def source() -> Any:
        return dlt.resource(user_actions, **resources.hints(USER_ACTIONS))

    pipeline = dlt.pipeline("bulk", destination="duckdb", dataset_name="data")
    if way == "rows":
        resources.loading_into = _without_arrow(resources.loading_into)
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


def _without_arrow(loading_into: Any) -> Any:
    from dataclasses import replace

    def found() -> Any:
        destination, table_format = loading_into()
        return replace(destination, arrow=False), table_format

    return found


def measured(way: str, users: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, os.path.abspath(__file__), way, str(users)],
            env={**os.environ, "DLT_DATA_DIR": folder},
            cwd=folder,
            stdout=subprocess.PIPE,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    print("user_actions from memory into DuckDB")
    speeds = {}
    for way, users in (("rows", USERS_AS_ROWS), ("batches", USERS)):
        found = measured(way, users)
        seconds = sum(found["spent"].values())
        speeds[way] = found["rows"] / seconds
        shares = ", ".join(f"{name} {part / seconds:.0%}" for name, part in found["spent"].items())
        print(
            f"  {way:<8}{found['rows']:>10,} rows {seconds:7.2f} s {speeds[way]:>9,.0f} rows/s"
            f"  peak {found['peak']:,} MB\n          {shares}"
        )
    print(f"  batches are {speeds['batches'] / speeds['rows']:.1f} x rows")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        load(sys.argv[1], int(sys.argv[2]))
    else:
        main()
