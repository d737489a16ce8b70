"""What is known of a dataset beside its KPIs: last syncs, changes of the configuration, detections."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dlt_authsignal.models.configuration.timeline import Timeline, timeline
from dlt_authsignal.models.detections.find import unavailable
from dlt_authsignal.models.opened import opened, stored_columns
from dlt_authsignal.models.tables import existing
from dlt_authsignal.pipeline.monitor.status import Status, status

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

T = TypeVar("T")

DETECTIONS: Final = "detections"
_COLUMNS: Final = ("rule", "severity", "subject_kind", "first_seen", "last_seen", "event_count")
_WINDOW_DAYS: Final = 7
_MOST: Final = 10_000


@dataclass(frozen=True, kw_only=True)
class Detection:
    """One row of the table `detections`, without its subject: pages show no user.

    Attributes:
        rule: Name of the rule.
        severity: How grave it is.
        subject_kind: What it is about, such as a user or a phone number.
        first_seen: Time of its first event.
        last_seen: Time of its last event.
        event_count: Number of events.
    """

    rule: str
    severity: str
    subject_kind: str
    first_seen: datetime
    last_seen: datetime
    event_count: int

    @property
    def day(self) -> date:
        return self.last_seen.date()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known beside the KPIs.

    Attributes:
        status: How current the data is, without figures about events, which the KPIs have; None without data.
        timeline: Changes of the configuration with their effects; None without configuration.
        detections: Rows of `detections`; None if the table does not exist.
        unavailable: Rules for detections that cannot be computed, with what each needs.
    """

    status: Status | None
    timeline: Timeline | None
    detections: tuple[Detection, ...] | None
    unavailable: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_facts(pipeline: "Pipeline") -> Facts:
    """Read the facts. A part whose tables do not exist is None."""
    if not pipeline.default_schema_name:
        return Facts(status=None, timeline=None, detections=None)
    return Facts(
        status=_unless_lost(lambda: status(pipeline, has_event_figures=False)),
        timeline=_unless_lost(lambda: timeline(pipeline, _WINDOW_DAYS)),
        detections=_unless_lost(lambda: _detections(pipeline)),
        unavailable=_unless_lost(lambda: _unavailable(pipeline)) or {},
    )


def _unless_lost(read: Callable[[], T]) -> T | None:
    """Return what a query returns; None if a table or column that it needs does not exist."""
    from dlt.destinations.exceptions import DatabaseException

    try:
        return read()
    except DatabaseException:
        return None


def _detections(pipeline: "Pipeline") -> tuple[Detection, ...] | None:
    if DETECTIONS not in stored_columns(pipeline):
        return None
    listed = ", ".join(_COLUMNS)
    with opened(pipeline) as (ask, stored, _):
        if DETECTIONS not in stored:
            return None
        rows = ask(f"select {listed} from {DETECTIONS} order by last_seen desc limit {_MOST}")
    return tuple(_detection(row) for row in rows)


def _unavailable(pipeline: "Pipeline") -> Mapping[str, tuple[str, ...]]:
    with opened(pipeline) as (ask, _, _):
        return unavailable(ask, existing(pipeline))


def _detection(row: Any) -> Detection:
    values = dict(zip(_COLUMNS, row, strict=True))
    moments = {name: _utc(values[name]) for name in ("first_seen", "last_seen")}
    return Detection(**{**values, **moments, "event_count": int(values["event_count"] or 0)})


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
