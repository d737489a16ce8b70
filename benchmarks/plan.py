"""What a large tenant needs, computed from measured parts. Each part names the command that measured it.

python benchmarks/plan.py --users 10000000 --events 1000000000 --rate 200
"""

import argparse
from dataclasses import dataclass
from typing import Final

DAY: Final = 86_400
HOUR: Final = 3_600

REQUESTS_A_USER: Final = 4.02
"""requests_of_a_sync.py, default tables."""
REQUESTS_A_DAY: Final = {"a sync a day, no events": 0.728, "a sync a day, with events": 0.861}
"""For each user: event_requests.py."""
SECONDS_A_REQUEST: Final = 13.0 / 60_200
"""Processor seconds of a whole sync: side_by_side.py."""
BYTES_A_USER: Final = 1_050
"""In DuckDB, with 9 rows in all tables: requests_of_a_sync.py with --users 5000, less --users 1000."""
MEMORY: Final = 674e6 * 1.05, 130
"""Of a sync with 200,000 users, and bytes for each further one: performance.md."""
EVENT_IN_SPOOL, EVENT_IN_DATABASE = 196, 303
"""Bytes: events_load.py."""
SECONDS_AN_EVENT: Final = 7.3e-6
"""Loading into DuckDB: events_load.py."""
RECEIVED_A_SECOND: Final = {1: 303, 500: 24_535}
"""By events in a delivery: receiver.py."""
SECONDS_AN_ATTEMPT: Final = 25.3e-6
"""Until the dashboard has read all figures: dashboard.py."""


@dataclass(frozen=True)
class Tenant:
    """A tenant; the rate is in requests per second."""

    users: int
    events: int
    rate: float


def plan(tenant: Tenant) -> list[tuple[str, str]]:
    """Return what is needed, and how much of it."""
    first = tenant.users * REQUESTS_A_USER
    base, each = MEMORY
    memory = base + each * max(0, tenant.users - 200_000)
    rows = [
        ("first sync: requests", f"{first / 1e6:,.1f} million"),
        (f"first sync at {tenant.rate:g} requests/s", spoken(first / tenant.rate)),
        ("first sync: processor time", spoken(first * SECONDS_A_REQUEST)),
        ("sync: memory", f"{memory / 1e9:,.1f} GB"),
    ]
    rows += [
        (f"{name}: requests per second, on average", f"{tenant.users * share / DAY:,.0f}")
        for name, share in REQUESTS_A_DAY.items()
    ]
    rows += [
        ("users and their rows in DuckDB", f"{tenant.users * BYTES_A_USER / 1e9:,.1f} GB"),
        ("events in DuckDB", f"{tenant.events * EVENT_IN_DATABASE / 1e9:,.0f} GB"),
        ("events in the spool, if none is removed", f"{tenant.events * EVENT_IN_SPOOL / 1e9:,.0f} GB"),
        ("loading all events again", spoken(tenant.events * SECONDS_AN_EVENT)),
    ]
    rows += [
        (f"receiving them, {size} per delivery", spoken(tenant.events / speed))
        for size, speed in RECEIVED_A_SECOND.items()
    ]
    return [*rows, ("dashboard: reading all attempts", spoken(tenant.events * SECONDS_AN_ATTEMPT))]


def spoken(seconds: float) -> str:
    """Return a time in the unit that fits."""
    if seconds >= 2 * DAY:
        return f"{seconds / DAY:,.1f} days"
    return f"{seconds / HOUR:,.1f} hours" if seconds >= HOUR else f"{seconds / 60:,.0f} minutes"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=10_000_000)
    parser.add_argument("--events", type=int, default=1_000_000_000)
    parser.add_argument("--rate", type=float, default=200)
    chosen = parser.parse_args()
    print("| what | how much |\n| --- | ---: |")
    for what, amount in plan(Tenant(chosen.users, chosen.events, chosen.rate)):
        print(f"| {what} | {amount} |")


if __name__ == "__main__":
    main()
