"""Users that were read → protected rows as Arrow IPC streams, in a worker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import pyarrow as pa

from dlt_authsignal.schema.tables.bookkeeping import USER_READS
from dlt_authsignal.source.incremental.delete_guard import Shown
from dlt_authsignal.source.incremental.user_read import UserRead
from dlt_authsignal.source.incremental.user_rows import ANSWERS, remembered
from dlt_authsignal.source.metrics.schema_drift import Drift, TableDrift
from dlt_authsignal.source.privacy.guard import stored_values
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.rows.arrow_builder import Shaper
from dlt_authsignal.source.workers.agreement import Agreement
from dlt_authsignal.source.workers.channel import Channel
from dlt_authsignal.source.workers.messages import Job, Shaped, drift_as_plain

MOST_POSITIONS: Final = 20


@dataclass
class SliceShaper:
    """Shapes the users of one slice after the other.

    Attributes:
        job: What the worker was told.
        sync: The connection to the sync.
    """

    job: Job
    sync: Channel
    _drift: dict[str, TableDrift] = field(default_factory=dict)
    _shapers: dict[str, Shaper] = field(default_factory=dict)
    _agreements: dict[str, Agreement] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for table in (*ANSWERS, USER_READS):
            if table.name not in self.job.stored:
                continue
            agreed = Agreement(table.name, self.job.hashed.get(table.name, []), self.sync)
            self._agreements[table.name] = agreed
            self._drift[table.name] = TableDrift()
            self._shapers[table.name] = Shaper(
                table,
                api="server",
                tenant_id=self.job.tenant_id,
                privacy=self.job.privacy,
                stored=self.job.stored[table.name],
                drift=self._drift[table.name],
                agreed=agreed,
            )

    def __call__(self, number: int, reads: list[UserRead], escaped: Drift) -> Shaped:
        """Return the rows of a slice.

        Args:
            number: Number of the slice.
            reads: Its users.
            escaped: Schema drift found in the bodies of responses.
        """
        self._learn()
        found = shaped(number, reads, self._shapers, self.job.privacy, self.job.tenant_id)
        found.drift = self._found(escaped)
        return found

    def _learn(self) -> None:
        known = {name: agreed.places.known for name, agreed in self._agreements.items()}
        for name, paths in self.sync.ask("news", known).items():
            self._agreements[name].places.learn(paths)

    def _found(self, escaped: Drift) -> dict[str, dict[str, Any]]:
        """Return the schema drift since the last slice."""
        found = {name: drift_as_plain(drift) for name, drift in self._drift.items()}
        for drift in self._drift.values():
            drift.clear()
        for name, drift in escaped.items().items():
            found[name] = found.get(name) or drift_as_plain(TableDrift())
            found[name]["escaped"] = dict(drift.escaped)
        return found


def shaped(
    number: int, reads: list[UserRead], shapers: Mapping[str, Shaper], privacy: Privacy, tenant_id: str | None
) -> Shaped:
    """Return the rows of users, without the schema drift.

    Args:
        number: Number of the slice.
        reads: The users.
        shapers: What shapes the rows of each selected table.
        privacy: Privacy settings.
        tenant_id: Stored in each row.
    """
    shown = Shown(partial(stored_values, privacy))
    shown.see(reads)
    unknown = [read.candidate.position for read in reads if read.is_unknown_id]
    tables = {table.name: shapers[table.name](pick(reads)) for table, pick in ANSWERS.items() if table.name in shapers}
    if USER_READS.name in shapers:
        tables[USER_READS.name] = shapers[USER_READS.name].plain(remembered(reads, privacy, tenant_id))
    return Shaped(
        number=number,
        users=len(reads),
        unknown=len(unknown),
        positions=[position for position in unknown if position is not None][:MOST_POSITIONS],
        tables={name: as_stream(table) for name, table in tables.items() if table.num_rows},
        guard=shown.hashes(),
        drift={},
    )


def as_stream(table: Any) -> bytes:
    """Return an Arrow table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data
