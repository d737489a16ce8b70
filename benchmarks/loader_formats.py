"""Loading the same rows into DuckDB by each of dlt's file formats, side by side."""

import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")  # dlt warns of columns that stay empty

import dlt
import msgspec

from dlt_authsignal.destination.load_hints import columns
from dlt_authsignal.sandbox import SandboxConfig
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenant.answers import action_row
from dlt_authsignal.schema.tables.server import TABLES
from dlt_authsignal.source.privacy.policy import KEEP
from dlt_authsignal.source.rows.row_builder import RowShaper

FORMATS = ("parquet", "insert_values")
TABLE = TABLES["user_actions"]


def action_rows() -> list[dict[str, Any]]:
    """Actions of a seeded tenant, as the source makes them."""
    store = Sandbox(SandboxConfig(users=2_000, seed=7)).store
    shape, now = RowShaper(TABLE, api="server", tenant_id=None, privacy=KEEP), datetime.now(UTC)
    return [
        shape(msgspec.to_builtins(action_row(action)), {"user_id": user.user_id, "_read_at": now}) | {"_row_hash": ""}
        for user in store.users()
        for action in store.actions(user.user_id, now - timedelta(days=3650))
    ]


def seconds(rows: list[dict[str, Any]], file_format: Any) -> float:
    """Time of one load into a new DuckDB file."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pipeline = dlt.pipeline("loader_formats", destination="duckdb", pipelines_dir=str(Path(folder) / "dlt"))
        resource = dlt.resource([rows], name=TABLE.name, primary_key=list(TABLE.key), columns=columns(TABLE))
        started = time.perf_counter()
        pipeline.run(resource, write_disposition="merge", loader_file_format=file_format)
        spent = time.perf_counter() - started
        os.chdir("/")
        return spent


def main() -> None:
    rows = action_rows()
    seconds(rows[:100], "parquet")  # the first run pays for imports
    print(f"loading {len(rows):,} rows of {TABLE.name} into DuckDB")
    base = 0.0
    for file_format in FORMATS:
        spent = seconds(rows, file_format)
        base = base or spent
        print(f"  {file_format:<14}{spent:6.2f} s   {spent / base:4.1f} x parquet")


if __name__ == "__main__":
    main()
