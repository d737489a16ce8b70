"""Peak memory of one merge into an Iceberg table: the whole table read and written anew, against ours.

.venv/bin/python benchmarks/iceberg_merge.py --rows 300000 --changed 2000
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

from dlt_authsignal.destination.stores.iceberg import merge

KEY = ("user_id", "action_code", "idempotency_key")
SCHEMA: dict[str, Any] = {
    "columns": {name: {"name": name, "primary_key": True} for name in KEY},
    "x-merge-strategy": "upsert",
}
WAYS = ("nothing", "rewrite", "merge")
PER_USER = 10


def actions(first: int, rows: int, state: str) -> Any:
    """Actions as wide as real ones, ten a user, of users that come in no order."""
    users = [f"{(place // PER_USER) * 7919 % 1_000_003:08d}-user" for place in range(first, first + rows)]
    filler = {f"text_{name}": [f"{name}-{place:08d}-{'x' * 40}" for place in range(rows)] for name in range(10)}
    return pa.table(
        {
            "user_id": users,
            "action_code": ["signIn"] * rows,
            "idempotency_key": [f"{place:012d}" for place in range(first, first + rows)],
            "state": [state] * rows,
            **filler,
        }
    )


def rewrite(table: Any, data: Any) -> None:
    """What a merge was before: the whole table in memory, and written anew."""
    held = table.scan().to_arrow()
    places = pa.array(range(held.num_rows), pa.int64())
    kept = held.select(KEY).append_column("_place", places).join(data.select(KEY), list(KEY), join_type="left anti")
    table.overwrite(pa.concat_tables([held.take(kept["_place"]), data], promote_options="permissive"))


def catalog(folder: Path) -> SqlCatalog:
    return SqlCatalog("benchmark", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}")


def fill(folder: Path, rows: int, at_once: int) -> None:
    """The table, as loads of so many rows each have made it."""
    made = catalog(folder)
    made.create_namespace("data")
    table = made.create_table("data.actions", actions(0, 1, "ALLOW").schema)
    for first in range(0, rows, at_once):
        merge(table, actions(first, min(at_once, rows - first), "ALLOW"), SCHEMA, "actions")


def measure(folder: Path, way: str, rows: int, changed: int) -> None:
    """One merge of rows from the middle of the table and as many new ones, in this process."""
    table = catalog(folder).load_table("data.actions")
    half = changed // 2
    data = pa.concat_tables([actions(rows // 2, half, "BLOCK"), actions(rows, half, "BLOCK")])
    before, started = _peak(), time.perf_counter()
    if way == "rewrite":
        rewrite(table, data)
    elif way == "merge":
        merge(table, data, SCHEMA, "actions")
    spent, peak = time.perf_counter() - started, _peak()
    wanted = rows if way == "nothing" else rows + half
    total = sum(batch.num_rows for batch in table.scan(selected_fields=("state",)).to_arrow_batch_reader())
    if total != wanted:
        raise SystemExit(f"{total:,} rows, {wanted:,} expected")
    files = len(list(table.scan().plan_files()))
    print(
        f"  {way:<8} {peak:6.0f} MB at most, {peak - before:6.0f} MB of it for the merge, {spent:6.1f} s, {files} files"
    )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * (1024 if sys.platform == "darwin" else 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--changed", type=int, default=2_000)
    parser.add_argument("--at-once", type=int, default=100_000)
    parser.add_argument("--way", choices=("fill", *WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way == "fill":
        fill(asked.folder, asked.rows, asked.at_once)
    elif asked.way:
        measure(asked.folder, asked.way, asked.rows, asked.changed)
    else:
        print(f"merging {asked.changed:,} rows into {asked.rows:,}")
        for way in WAYS:  # each in a process of its own: a peak never goes down again
            with tempfile.TemporaryDirectory() as folder:
                for step in ("fill", way):
                    arguments = [f"--rows={asked.rows}", f"--changed={asked.changed}", f"--at-once={asked.at_once}"]
                    command = [sys.executable, __file__, f"--way={step}", f"--folder={folder}", *arguments]
                    subprocess.run(command, check=True, env={**os.environ, "PYTHONWARNINGS": "ignore"})


if __name__ == "__main__":
    main()
