"""The dashboard over many attempts: time until the first page, and of pages and filters in headless Chromium.

    python benchmarks/dashboard.py                      # 1,000,000 attempts
    python benchmarks/dashboard.py --quick              # 50,000 attempts
    python benchmarks/dashboard.py --no-browser         # without Chromium and Node

The attempts are those of a demo with events, copied under other user ids and spread over 300 earlier days. Chromium
opens `dlt-authsignal dashboard`: the first page, then each page afresh, by the menu, and under filters.
Then the figures are read in this process, and pages are computed without a browser. One KPI is also computed from the
tables, to compare.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

PIPELINE = "authsignal_demo"
FILE = Path(f"{PIPELINE}.duckdb")
DATASET = "authsignal_data"
SPREAD_DAYS = 300
REPEATS = 7
BROWSER_REPEATS = 3
QUICK = 50_000
BROWSER_SECONDS = 1800
NODE = Path(__file__).resolve().parents[1] / "tests" / "node"
COMPARED = "drop_off_rate"
"""KPI that is also computed from the tables."""

MOMENTS = {
    "created_at",
    "updated_at",
    "state_updated_at",
    "event_time",
    "verified_at",
    "last_verified_at",
    "valid_from",
}
KEYS = {"user_id", "idempotency_key", "event_id", "user_authenticator_id"}
COPIED = (
    "users",
    "users_history",
    "user_reads",
    "user_authenticators_history",
    "user_actions",
    "action_log",
    "challenge_log",
)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help=f"Only {QUICK:,} attempts and fewer repeats.")
    parser.add_argument("--no-browser", action="store_true", help="Leave out Chromium.")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        command = [str(Path(sys.executable).with_name("dlt-authsignal")), "demo", "--events"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        attempts = multiply(QUICK if options.quick else options.attempts)
        print(f"{attempts:,} attempts, {FILE.stat().st_size / 1e6:,.0f} MB, {os.cpu_count()} processors")
        if not options.no_browser:
            measure_in_chromium(1 if options.quick else BROWSER_REPEATS)
        measure()
        os.chdir("/")


def multiply(attempts: int) -> int:
    """Copy the rows of the demo until there are so many attempts, and return their number."""
    with duckdb.connect(str(FILE)) as connection:
        connection.execute(f"set search_path = '{DATASET}'")
        (held,) = connection.execute("select count(*) from user_actions").fetchall()[0]
        copies = attempts // held
        for table in COPIED:
            columns = [(name, kind) for name, kind, *_ in connection.execute(f"describe {table}").fetchall()]
            if copies > 1:
                listed = ", ".join(_copied(name) for name, _ in columns)
                copy = f"select {listed} from {table}, range(1, {copies}) as r(copy)"  # noqa: S608 - names of this file
                connection.execute(f"insert into {table} {copy}")
        connection.execute("checkpoint")
        return int(connection.execute("select count(*) from user_actions").fetchall()[0][0])


def _copied(name: str) -> str:
    if name in KEYS:
        return f"{name} || '-' || copy"
    if name in MOMENTS:
        return f"{name} - to_days(cast(copy * 7 % {SPREAD_DAYS} as integer))"
    return name


def measure_in_chromium(repeats: int) -> None:
    """Start the dashboard, and print its times in Chromium."""
    from dlt_authsignal.dashboard.content.figures import PAGES

    if not (NODE / "node_modules").exists():
        subprocess.run(
            [shutil.which("npm") or "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=NODE,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    began = time.time()
    command = [str(Path(sys.executable).with_name("dlt-authsignal")), "dashboard", "--no-open", "--port", "0"]
    with subprocess.Popen(
        [*command, "--pipeline-name", PIPELINE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as dashboard:
        try:
            line = next(each for each in dashboard.stdout or () if each.startswith("Dashboard: "))
            listening = time.time()
            script = ["node", str(NODE / "dashboard_times.mjs"), line.split()[1], str(repeats), *PAGES]
            done = subprocess.run(script, check=True, stdout=subprocess.PIPE, text=True, timeout=BROWSER_SECONDS)
        finally:
            dashboard.terminate()
    found = json.loads(done.stdout)
    first, times = found["first"], found["times"]
    print(f"the server listens {listening - began:.1f} s after the command")
    print(f"the first page is painted {first['paint'] / 1000:.2f} s after it was opened")
    print(f"figures are shown {first['figures'] / 1000 - began:.1f} s after the command")
    print(f"{'in Chromium':<12} {'first paint':>12} {'loaded':>12} {'by the menu':>12} {'filter':>12} {'longest':>12}")
    for page, each in times.items():
        medians = [statistics.median(each[name]) for name in ("paint", "load", "menu", "filter")]
        print(f"{page:<12}" + "".join(f" {value:>9,.0f} ms" for value in (*medians, max(each["filter"]))))


def measure() -> None:
    from dlt_authsignal.dashboard.content.data.cubes import make_cubes
    from dlt_authsignal.dashboard.content.data.facts import read_facts
    from dlt_authsignal.dashboard.content.figures import PAGES, Figures
    from dlt_authsignal.dashboard.page import Filters
    from dlt_authsignal.pipeline.attach import attach

    pipeline = attach(pipeline_name=PIPELINE)
    started = time.perf_counter()
    cubes = make_cubes(pipeline)
    counted = time.perf_counter() - started
    facts = read_facts(pipeline)
    read = time.perf_counter() - started

    def fresh() -> Figures:  # without the answers that are kept
        return Figures(DATASET, "duckdb", cubes, facts)

    figures = fresh()
    choices = figures.choices
    last_day = choices.last_day or date.min
    print(f"figures read in {read:.1f} s, {counted:.1f} s of it for the cubes, {_peak():,.0f} MB of memory at most")
    print(f"{'page':<12} {'unfiltered':>12} {'filtered':>12} {'longest':>12}")
    for page in PAGES:
        whole = _milliseconds([lambda page=page: fresh().document(Filters(), page)] * REPEATS)  # type: ignore[misc]
        chosen = [
            Filters(
                since=last_day - timedelta(days=20 + place),
                until=last_day - timedelta(days=place),
                action=choices.actions[0] if place % 2 else None,
                country=choices.countries[place] if place % 3 else None,
            )
            for place in range(REPEATS)
        ]
        filtered = _milliseconds([lambda f=each, page=page: fresh().document(f, page) for each in chosen])  # type: ignore[misc]
        print(
            f"{page:<12} {statistics.median(whole):>9,.0f} ms {statistics.median(filtered):>9,.0f} ms"
            f" {max(filtered):>9,.0f} ms"
        )
    cubed = _milliseconds([lambda: fresh().rows(COMPARED)] * REPEATS)
    tables = 1000 * _from_tables(pipeline, COMPARED)
    print(f"{COMPARED}: {statistics.median(cubed):,.0f} ms from its cube, {tables:,.0f} ms from the tables")


def _from_tables(pipeline: Any, name: str) -> float:
    """Return the seconds that the query of a KPI takes on the tables."""
    from dlt_authsignal.models import find_model
    from dlt_authsignal.models.kpis.queries import query
    from dlt_authsignal.models.opened import opened_for_many
    from dlt_authsignal.models.tables import existing

    text, started = query(find_model(name), existing(pipeline)), time.perf_counter()
    with opened_for_many(pipeline) as reader:
        list(reader.fetch(text))
    return time.perf_counter() - started


def _milliseconds(calls: Sequence[Callable[[], object]]) -> list[float]:
    found = []
    for call in calls:
        started = time.perf_counter()
        call()
        found.append(1000 * (time.perf_counter() - started))
    return found


def _peak() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    main()
