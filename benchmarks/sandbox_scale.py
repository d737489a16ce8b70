"""The sandbox with many people: how soon it is ready, what it weighs, and how fast it makes a person anew."""

import random
import resource
import subprocess
import sys
import time

from dlt_authsignal.sandbox import SandboxConfig
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenant.invented.people import belongings_of
from dlt_authsignal.sandbox.tenant.store import Store

SIZES = (10_000, 100_000)
READS = 5_000
SCANS = 20


def peak_mib() -> float:
    """Most memory this process has held; the system counts it in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def makes_per_second(store: Store, ids: list[str]) -> float:
    """Reads of authenticators in random order, none of them remembered."""
    chosen = random.Random(1).sample(ids, READS)
    belongings_of.cache_clear()
    started = time.perf_counter()
    for user_id in chosen:
        store.authenticators(user_id)
    return READS / (time.perf_counter() - started)


def milliseconds(store: Store) -> tuple[float, float]:
    """Best time of one search by e-mail address, and of one copy."""
    search, copy = [], []
    for _ in range(SCANS):
        started = time.perf_counter()
        store.find(email="person7@example.com")
        search.append(time.perf_counter() - started)
        started = time.perf_counter()
        store.copy()
        copy.append(time.perf_counter() - started)
    return 1000 * min(search), 1000 * min(copy)


def measure(users: int) -> None:
    started = time.perf_counter()
    store = Sandbox(SandboxConfig(users=users, days=45, seed=7)).store
    ready, at_start = time.perf_counter() - started, peak_mib()
    ids = [user.user_id for user in store.users()]
    rate, (search, copy) = makes_per_second(store, ids), milliseconds(store)
    for user_id in ids:
        store.authenticators(user_id)
    print(
        f"  {users:>7,} people  ready in {ready:5.2f} s  peak {at_start:4.0f} MiB, {peak_mib():4.0f} MiB with all read"
        f"  {rate:6,.0f} makes/s  find {search:4.1f} ms  copy {copy:4.1f} ms"
    )


def main() -> None:
    if len(sys.argv) > 1:
        return measure(int(sys.argv[1]))
    print("sandbox with many people, a process each", flush=True)
    for users in SIZES:
        subprocess.run([sys.executable, __file__, str(users)], check=True)
    return None


if __name__ == "__main__":
    main()
