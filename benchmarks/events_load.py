"""Load events from a spool into DuckDB: time, processor time, memory and disk for a number of deliveries of 500 events.

    python benchmarks/events_load.py --deliveries 2000

The spool is written first, and is not part of the time. `--spool DIR` keeps it for the next run.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from subprocess import run
from typing import Any, Final
from uuid import UUID

from dlt_authsignal.api.webhooks import ACTION_LOG, MAX_RECORDS, envelope
from dlt_authsignal.source.events.shaper import EventShaper
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.spool import file_name
from dlt_authsignal.spool.parquet import as_parquet

KEY: Final = "5b1f9c0e7a3d42868d7f1e0b6c9a42f3d8e7b6a5c4f3021e9d8c7b6a5f4e3d2c"
START: Final = datetime(2026, 11, 1, tzinfo=UTC)
MEGABYTE: Final = 1024


def event(rng: Random) -> dict[str, Any]:
    """Return an event of about 1 KB, with every field of the documentation."""
    user, second = rng.randrange(100_000), START + timedelta(seconds=rng.randrange(86_400 * 30))
    time_ = f"{second:%Y-%m-%dT%H:%M:%S}.{rng.randrange(1000):03}Z"
    record = {
        "tenantId": "tenant-1",
        "userId": f"user-{user}",
        "actionCode": rng.choice(("signIn", "updateEmail", "payout")),
        "idempotencyKey": str(UUID(int=rng.getrandbits(128))),
        "createdAt": time_,
        "updatedAt": time_,
        "state": rng.choice(("ALLOW", "CHALLENGE_SUCCEEDED", "CHALLENGE_REQUIRED", "BLOCK")),
        "stateUpdatedAt": time_,
        "outcome": rng.choice(("ALLOW", "CHALLENGE", "BLOCK")),
        "verificationMethod": rng.choice(("PASSKEY", "SMS", "EMAIL_OTP")),
        "allowedVerificationMethods": ["PASSKEY", "SMS"],
        "rules": [{"ruleId": "rule-1", "name": "New device", "description": "The device is new"}],
        "priorityRuleId": "rule-1",
        "ipAddress": f"203.0.{rng.randrange(256)}.{rng.randrange(256)}",
        "countryCode": rng.choice(("NZ", "AU", "US", "GB")),
        "email": f"user{user}@example.com",
        "phoneNumber": f"+6421{user:07}",
        "deviceId": str(UUID(int=rng.getrandbits(128))),
        "enrolledVerificationMethods": ["PASSKEY", "SMS"],
    }
    return envelope(ACTION_LOG, record, id=str(UUID(int=rng.getrandbits(128))), time=time_, tenant_id="tenant-1")


def fill(folder: Path, deliveries: int) -> None:
    """Write deliveries as the receiver does, without its sync to disk."""
    rng, shape = Random(1), EventShaper(Privacy(key=KEY), tenant_id="tenant-1")
    for number in range(deliveries):
        received_at = START + timedelta(seconds=30 * number)
        tables = shape([event(rng) for _ in range(MAX_RECORDS)], received_at)
        for name, rows in tables.items():
            path = folder / file_name("default", received_at, sha256(str(number).encode()).hexdigest(), name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(as_parquet(rows))


def load(spool: Path) -> None:
    """Load the spool into a new database in the current folder, and print the figures."""
    from dlt_authsignal.pipeline.attach import make_pipeline
    from dlt_authsignal.pipeline.events.load import load_events

    pipeline = make_pipeline()
    before, began, processor = peak(), time.perf_counter(), time.process_time()
    report = load_events(pipeline, spool=str(spool))
    print(
        json.dumps(
            {
                "events": report.events,
                "rows": sum(report.tables.values()),
                "seconds": round(time.perf_counter() - began, 2),
                "processor_seconds": round(time.process_time() - processor, 2),
                "megabytes_before": before,
                "megabytes_peak": peak(),
                "spool_megabytes": size(spool.rglob("*")),
                "database_megabytes": size(Path.cwd().glob("*.duckdb")),
            }
        )
    )


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // MEGABYTE


def size(files: Iterable[Path]) -> float:
    return round(sum(file.stat().st_size for file in files if file.is_file()) / 1e6, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deliveries", type=int, default=2000)
    parser.add_argument("--spool", type=Path)
    parser.add_argument("--load", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.load:
        load(chosen.load)
        return
    with tempfile.TemporaryDirectory() as folder:
        spool = (chosen.spool or Path(folder, "spool")).absolute()
        if not spool.exists():
            fill(spool, chosen.deliveries)
        project = Path(folder, "project")
        project.mkdir()
        command = [sys.executable, str(Path(__file__).absolute()), "--load", str(spool)]
        run(command, cwd=project, check=True)


if __name__ == "__main__":
    main()
