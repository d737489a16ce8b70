"""Count what a load of events reads and leaves out."""

from dataclasses import dataclass, field

from dlt_authsignal.source.metrics.schema_drift import Drift


@dataclass
class EventCounts:
    """Counters of one load.

    Attributes:
        files: Files that were read.
        events: Events in them, copies included.
        copies: Copies of an event that were left out, because a later one was in the same batch or is stored.
        erased: Events of erased users that were left out.
        refused: Files that cannot be used, and why.
        left: Files that the last run did not read, because it reached its limit.
        seen: Names of the files that this load has looked at.
        drift: Schema drift.
    """

    files: int = 0
    events: int = 0
    copies: int = 0
    erased: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    left: int = 0
    seen: set[str] = field(default_factory=set)
    drift: Drift = field(default_factory=Drift)
