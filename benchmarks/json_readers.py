"""From JSON in memory to columns of text in Arrow: `msgspec` and our columns, beside one `pyarrow.json` call a batch.

Processor seconds for 200,000 rows of user_actions, in batches of 20,000. Each way runs in turn; the median counts.

python benchmarks/json_readers.py
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pyarrow as pa
from bulk_rows import ACTIONS_EACH, BODIES, bodies_of
from pyarrow import json as arrow_json

from dlt_authsignal.schema.tables.server import USER_ACTIONS
from dlt_authsignal.source.metrics.schema_drift import TableDrift
from dlt_authsignal.source.rows.arrow_builder import fields
from dlt_authsignal.source.rows.field_tree import FieldTree

BATCHES = 10
AT_ONCE = 20_000 // ACTIONS_EACH
RUNS = 5

_KNOWN = FieldTree(USER_ACTIONS).top
_split = msgspec.json.Decoder(list[msgspec.Raw]).decode


def by_msgspec(bodies: Sequence[bytes]) -> list[Any]:
    """Return the columns as a sync reads them, before it protects, converts and hashes."""
    rows = [row for body in bodies for row in msgspec.json.decode(body)]
    return [pa.array(values, pa.string()) for values in fields(rows, _KNOWN, TableDrift()).values()]


def by_pyarrow(bodies: Sequence[bytes]) -> list[Any]:
    """Return the same columns. A field that is not in the schema, or a value of another type, raises an error."""
    lines = b"\n".join(bytes(row) for body in bodies for row in _split(body))
    if b"otpauth" in lines.lower():
        raise ValueError("secrets have to be removed row by row")
    names = msgspec.json.decode(bodies[0])[0]
    table = arrow_json.read_json(
        pa.BufferReader(lines),
        arrow_json.ReadOptions(use_threads=False, block_size=len(lines) + 1),
        arrow_json.ParseOptions(
            explicit_schema=pa.schema([(name, pa.string()) for name in names]), unexpected_field_behavior="error"
        ),
    )
    return [column.combine_chunks() for column in table.columns]


def seconds(read: Callable[[Sequence[bytes]], list[Any]], bodies: list[bytes]) -> float:
    started = time.process_time()
    for batch in range(BATCHES):
        first = batch * AT_ONCE % BODIES
        columns = read(bodies[first : first + AT_ONCE])
        if len(columns[0]) != AT_ONCE * ACTIONS_EACH:
            raise SystemExit("Rows are missing: the figures are wrong.")
    return time.process_time() - started


def main() -> None:
    bodies = bodies_of(BODIES)
    ways = {"msgspec, our columns": by_msgspec, "pyarrow.json": by_pyarrow}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(RUNS):
        for name, read in ways.items():
            found[name].append(seconds(read, bodies))
    medians = {name: statistics.median(times) for name, times in found.items()}
    for name, median in medians.items():
        print(f"{name:<22}{median:6.2f} CPU s")
    ours, theirs = medians.values()
    print(f"pyarrow.json / msgspec {theirs / ours:5.2f}")


if __name__ == "__main__":
    main()
