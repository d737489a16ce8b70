"""Requests per 1,000 rows: first syncs of an invented tenant with several tables, and a second one right after each.
The last column is the size of the DuckDB file.
"""

import argparse
import os
import tempfile
from pathlib import Path

TABLES = {
    "the default tables": None,
    "users, user_authenticators, user_actions": ["users", "user_authenticators", "user_actions"],
    "users, user_authenticators": ["users", "user_authenticators"],
    "users": ["users"],
}


def measure(url: str, key: str, tables: list[str] | None) -> list[tuple[int, int, int]]:
    """Requests, rows and bytes of the database: of a first sync, and of a second one."""
    import dlt

    from dlt_authsignal import sync

    pipeline = dlt.pipeline("requests", destination=dlt.destinations.duckdb("requests.duckdb"), dataset_name="data")
    found = []
    for _ in range(2):
        report = sync(pipeline, tables=tables, base_url=url, api_secret_key=key, rate="max", privacy="keep")
        rows = sum(table.read for table in report.tables.values())
        found.append((report.requests, rows, Path("requests.duckdb").stat().st_size))
    return found


def main() -> None:
    from dlt_authsignal.sandbox import SandboxConfig, run_in_thread

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=2_000)
    config = SandboxConfig(users=parser.parse_args().users, days=45, seed=7)
    print("| tables | requests | rows | requests per 1,000 rows | requests of a second sync | MB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    home = Path.cwd()
    for title, tables in TABLES.items():
        with tempfile.TemporaryDirectory(prefix="authsignal-bench-") as folder, run_in_thread(config) as sandbox:
            os.environ["DLT_DATA_DIR"] = folder
            os.chdir(folder)
            try:
                (requests, rows, size), (again, _, _) = measure(sandbox.url, config.api_secret_key, tables)
            finally:
                os.chdir(home)
        ratio = 1000 * requests / rows
        print(f"| {title} | {requests:,} | {rows:,} | {ratio:,.0f} | {again:,} | {size / 1e6:.1f} |", flush=True)


if __name__ == "__main__":
    main()
