"""Report of a shard, as typed fields."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dlt_authsignal.pipeline.wording import counted
from dlt_authsignal.schema.run_counters import RunCounters
from dlt_authsignal.source.metrics.schema_drift import sentences


@dataclass(kw_only=True)
class ShardReport(RunCounters):
    """One shard that was read. `print(report)` prints the summary that the command prints.

    Attributes:
        pipeline: dlt pipeline name.
        round: Name of the round.
        shard: The shard, such as `1/4`.
        folder: Where its files are.
        tables: Rows that were read, by table.
        rate: Requests per second of this shard; None for no limit.
        unknown_positions: Lines or rows of the first unknown ids, in files and queries.
        errors: Failed requests by kind, including those that a retry fixed.
        seconds: Duration.
        drift: Schema drift by table: new columns, values stored in another type or column.
    """

    pipeline: str
    round: str
    shard: str
    folder: str
    tables: Mapping[str, int]
    rate: float | None
    unknown_positions: list[int]
    errors: Mapping[str, int]
    seconds: float
    drift: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, as `--json` prints it."""
        return asdict(self)

    def __str__(self) -> str:
        rows = [f"{name:<24}{count:>10,}" for name, count in self.tables.items() if name != "user_reads"]
        lines = [
            f"{'table':<24}{'read':>10}",
            *rows,
            "",
            f"Shard {self.shard} of round {self.round}: read {self.users_read:,} of {self.users_found:,} users,"
            f" {counted(self.requests, 'request')} in {self.seconds:,.1f} seconds.",
        ]
        if self.users_remaining:
            lines.append(f"{counted(self.users_remaining, 'due user')} left for the next round.")
        lines += sentences(self.drift)
        return "\n".join([*lines, f"Written to {self.folder}. Nothing is loaded yet: run sync --load-shards."])
