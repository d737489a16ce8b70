"""Read and write the table `detections`."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import dlt
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import sql_client
from dlt_authsignal.destination.load_hints import hints, no_rows
from dlt_authsignal.destination.redaction import redacted_log, untraced
from dlt_authsignal.destination.stores.queries import are_there, columns_of
from dlt_authsignal.destination.stores.store import is_made_of_files
from dlt_authsignal.models.detections.find import Finding
from dlt_authsignal.pipeline.history.update import note_other_load
from dlt_authsignal.schema.row_hash import fingerprint
from dlt_authsignal.schema.tables.bookkeeping import DETECTIONS

_NAMES: Final = tuple(column.name for column in DETECTIONS.columns)


@dataclass(frozen=True, kw_only=True)
class Detection(Finding):
    """One row of the table.

    Attributes:
        thresholds: As in the finding, with lists in place of tuples, as JSON has them.
        detected_at: When the rule first found it.
        sent_at: When a receiver accepted the alert; None before.
    """

    thresholds: Mapping[str, Any]
    detected_at: datetime
    sent_at: datetime | None = None


def stored_detections(pipeline: Pipeline) -> dict[str, Detection]:
    """Return the rows of the table by id; none if it does not exist yet."""
    rows = columns_of(pipeline, DETECTIONS.name, *_NAMES)
    found = (Detection(**_read(dict(zip(_NAMES, row, strict=True)))) for row in rows)
    return {each.detection_id: each for each in found}


def _read(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("evidence", "thresholds"):
        row[name] = json.loads(row[name]) if isinstance(row[name], str) else row[name] or {}
    for name in ("first_seen", "last_seen", "detected_at", "sent_at"):
        row[name] = _utc(row[name])
    return row


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def merged(stored: Mapping[str, Detection], findings: Iterable[Finding], now: datetime) -> list[Detection]:
    """Return the findings as rows: those that are stored keep their id, their first times and `sent_at`.

    An event that arrives late may be earlier than the first one that is known. The finding then has another id than the
    stored row, whose time it overlaps: the row's id stays.
    """
    found = list(findings)
    exact = {each.detection_id for each in found if each.detection_id in stored}
    others: dict[tuple[str, str, str], list[Detection]] = {}
    for row in stored.values():
        if row.detection_id not in exact:
            others.setdefault((row.rule, row.subject_kind, row.subject), []).append(row)
    rows: dict[str, Detection] = {}
    for finding in sorted(found, key=lambda each: each.first_seen):
        known = stored.get(finding.detection_id) or _overlapping(finding, others, rows)
        row = _row(finding, now) if known is None else _moved(known, finding)
        rows[row.detection_id] = row
    return list(rows.values())


def _overlapping(
    finding: Finding, others: Mapping[tuple[str, str, str], list[Detection]], taken: Mapping[str, Detection]
) -> Detection | None:
    """Return the earliest stored row of the same rule and subject within the finding's time."""
    same = others.get((finding.rule, finding.subject_kind, finding.subject), ())
    within = [
        row
        for row in same
        if row.first_seen <= finding.last_seen and row.last_seen >= finding.first_seen and row.detection_id not in taken
    ]
    return min(within, key=lambda row: (row.first_seen, row.detection_id), default=None)


def _row(finding: Finding, now: datetime) -> Detection:
    return Detection(
        detection_id=finding.detection_id,
        rule=finding.rule,
        severity=finding.severity,
        subject_kind=finding.subject_kind,
        subject=finding.subject,
        first_seen=finding.first_seen,
        last_seen=finding.last_seen,
        event_count=finding.event_count,
        evidence=finding.evidence,
        thresholds={
            name: list(value) if isinstance(value, tuple) else value for name, value in finding.thresholds.items()
        },
        detected_at=now,
    )


def _moved(known: Detection, finding: Finding) -> Detection:
    new = _row(finding, known.detected_at)
    return replace(
        new,
        detection_id=known.detection_id,
        first_seen=min(known.first_seen, new.first_seen),
        last_seen=max(known.last_seen, new.last_seen),
        event_count=max(known.event_count, new.event_count),
        sent_at=known.sent_at,
    )


def is_there(pipeline: Pipeline) -> bool:
    """Whether the table exists, or is made of files and so exists with its first row."""
    return is_made_of_files(pipeline) or DETECTIONS.name in are_there(pipeline, [DETECTIONS.name])


def write_detections(pipeline: Pipeline, rows: Sequence[Detection]) -> None:
    """Add rows, and replace those with the same id. Without rows, create the table."""
    now = datetime.now(UTC)
    with untraced(pipeline), redacted_log():
        load = pipeline.run(_resource([_values(row, now) for row in rows]))
    note_other_load(load, pipeline)


def _values(row: Detection, now: datetime) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in _NAMES}
    return values | {"_row_hash": fingerprint(values), "_read_at": now}


@dlt.source(name="authsignal_source", max_table_nesting=0)
def _resource(rows: list[dict[str, Any]]) -> Any:
    def read() -> Iterator[Any]:
        yield rows or no_rows()

    return dlt.resource(read, **hints(DETECTIONS))


def mark_sent(pipeline: Pipeline, row: Detection, now: datetime) -> None:
    """Record that a receiver has accepted the alert."""
    if is_made_of_files(pipeline):
        write_detections(pipeline, [replace(row, sent_at=now)])
        return
    with sql_client(pipeline) as client:
        names = [client.escape_column_name(name) for name in ("sent_at", "detection_id")]
        client.execute_sql(
            f"UPDATE {client.make_qualified_table_name(DETECTIONS.name)} SET {names[0]} = %s WHERE {names[1]} = %s",
            now,
            row.detection_id,
        )
