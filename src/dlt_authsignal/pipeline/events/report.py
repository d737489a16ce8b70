"""Report of a load of events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class EventsReport:
    """What one load of events did.

    Attributes:
        pipeline: dlt pipeline name.
        destination: Destination type.
        location: Where the data is, without a password.
        dataset: Dataset (schema) name.
        spool: Folder or URL of the spool.
        tenant: Name of the tenant in the settings.
        files: Files that were loaded.
        events: Events in them, copies included.
        copies: Copies of an event that were not loaded, because a later one was in the same load or is stored.
        erased: Events of erased users that were not loaded.
        tables: Rows of each table after the load.
        new: Rows that each table did not have before.
        refused: Files that cannot be used, and why. They were not loaded, and are tried again.
        deleted_files: Loaded files that were deleted because of `spool_retention`.
        finished_pending: Whether an earlier run's unfinished load was completed first.
        dropped_pending: Whether it was dropped, because newer rows have been loaded since. Its files were read again.
        recreated: Tables that were missing and were created again.
        seconds: Duration of the load.
        drift: Schema drift by table.
    """

    pipeline: str
    destination: str
    location: str
    dataset: str
    spool: str
    tenant: str
    files: int
    events: int
    copies: int
    erased: int
    tables: Mapping[str, int]
    new: Mapping[str, int]
    refused: Mapping[str, str]
    deleted_files: int
    finished_pending: bool
    dropped_pending: bool
    recreated: list[str]
    seconds: float
    drift: Mapping[str, Any] = field(default_factory=dict)
