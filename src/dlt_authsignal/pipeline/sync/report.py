"""Report of a sync, as typed fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dlt_authsignal.pipeline.sync.changes import TableReport
from dlt_authsignal.pipeline.sync.summary import as_html, as_text
from dlt_authsignal.schema.run_counters import RunCounters


@dataclass(kw_only=True)
class SyncReport(RunCounters):
    """One finished sync. `print(report)` prints the summary that the command prints; a notebook shows it as a table.

    Attributes:
        pipeline: dlt pipeline name.
        destination: Destination name.
        location: Where the data is, without credentials.
        dataset: Dataset (schema) name.
        table_format: Format of tables made of files; None in a database.
        tables: Report of each table: rows read, new, changed, deleted, and in total.
        users_found: User ids in the user id sources.
        ids_with_blanks: User ids of files, queries and refresh_users with white space at an end.
        users_due: Users who were due, among these ids.
        users_read: Users read completely.
        users_remaining: Due users left for the next run, because this run reached its limit.
        users_reported: Users due because an event named them after their last read.
        users_with_old_privacy: Users due because their rows were stored under other privacy settings.
        unknown_users: User ids that Authsignal does not know.
        unknown_positions: Lines or rows of the first unknown ids, in files and queries.
        values_withheld: Values that are never loaded: of secret fields, and icons.
        requests: HTTP requests, retries included.
        retries: Retries among these requests.
        throttled: Responses with status 429.
        errors: Failed requests by kind, including those that a retry fixed.
        seconds: Duration.
        finished_pending: True if the unfinished load of an earlier run was completed first.
        dropped_pending: True if that load was dropped, because another machine has loaded newer rows since.
        recreated: Tables that were recreated because the table or some of its columns were missing.
        identifiers_left_out: True if there is no privacy_key to hash identifiers with.
        drift: Schema drift by table: new columns, values stored in another type or column.
        refused: Why tables of the configuration are missing, by table. The other tables were loaded.
        notes: Changes to the project's folder, one sentence each.
    """

    pipeline: str
    destination: str
    location: str
    dataset: str
    table_format: str | None
    tables: Mapping[str, TableReport]
    unknown_positions: list[int]
    errors: Mapping[str, int]
    seconds: float
    finished_pending: bool
    dropped_pending: bool
    recreated: list[str]
    identifiers_left_out: bool
    drift: Mapping[str, Any]
    notes: list[str]
    refused: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, as `--json` prints it."""
        return asdict(self)

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)
