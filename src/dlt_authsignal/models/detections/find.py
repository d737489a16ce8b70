"""Run the rules on a dataset, wherever its tables are."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from math import floor
from typing import TYPE_CHECKING, Any, Final

from dlt_authsignal.models.detections.catalogue import Rule, Severity, Value, all_rules
from dlt_authsignal.models.detections.queries import blind_query, query
from dlt_authsignal.models.detections.thresholds import Thresholds
from dlt_authsignal.models.kpis.availability import is_loaded, source_of
from dlt_authsignal.models.opened import Ask, Stored, opened
from dlt_authsignal.models.tables import existing
from dlt_authsignal.schema.tables.events import EVENT_TABLES

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

MOST: Final = 10_000
"""Findings of one rule that are returned: the latest ones."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that a rule found.

    Attributes:
        detection_id: Hash of rule, subject and first event.
        rule: Name of the rule.
        severity: low, medium, high or critical.
        subject_kind: user_id, phone_number, phone_country or ip_address.
        subject: Its value as the tables hold it, so a hash where they hold hashes.
        first_seen: Time of the first event.
        last_seen: Time of the last event.
        event_count: Number of events; the dictionary says of what.
        evidence: Counts that explain the finding.
        thresholds: Values of the rule's settings.
    """

    detection_id: str
    rule: str
    severity: Severity
    subject_kind: str
    subject: str
    first_seen: datetime
    last_seen: datetime
    event_count: int
    evidence: Mapping[str, int | float | str | None]
    thresholds: Mapping[str, Value]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What all rules found.

    Attributes:
        findings: The findings.
        needs: For each rule that is not available, or is not for a kind of subject, what it needs.
        switched_off: Rules that the settings switch off.
        cut: Rules with more findings than are returned.
    """

    findings: list[Finding] = field(default_factory=list)
    needs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    switched_off: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)


def needs_of(rule: Rule, stored: Stored) -> tuple[str, ...]:
    """Return what a rule needs and the dataset does not have; nothing if it can be computed."""
    needs = []
    for each in rule.tables:
        choices = each.split(" or ")
        if not any(is_loaded(table, stored) for table in choices):
            needs.append(" or ".join(dict.fromkeys(map(source_of, choices))))
    return tuple(dict.fromkeys(needs))


def unavailable(ask: Ask, stored: Stored) -> dict[str, tuple[str, ...]]:
    """Return what each rule needs that cannot be computed.

    Args:
        ask: Runs a query.
        stored: The existing tables.
    """
    there = _with_rows(ask, stored)
    return {rule.name: needs for rule in all_rules() if (needs := needs_of(rule, there))}


def availability(needs: tuple[str, ...]) -> str:
    """Return `available`, or `not available: needs …`."""
    return f"not available: needs {', '.join(needs)}" if needs else "available"


def find(pipeline: "Pipeline", thresholds: Thresholds) -> Found:
    """Run all rules that have thresholds, and return what they found.

    Args:
        pipeline: Pipeline that loaded the dataset.
        thresholds: Values by rule.
    """
    found = Found()
    with opened(pipeline) as (ask, _, _):
        stored = _with_rows(ask, existing(pipeline))
        for rule in all_rules():
            if rule.name not in thresholds:
                found.switched_off.append(rule.name)
            elif needs := needs_of(rule, stored):
                found.needs[rule.name] = needs
            else:
                _add(found, ask, rule, thresholds[rule.name], stored)
    return found


def _with_rows(ask: Ask, stored: Stored) -> Stored:
    """Return the tables without those of events that have no rows: the first load creates all of them."""
    empty = {name for name in EVENT_TABLES if name in stored and not ask(f"select 1 as one from {name} limit 1")}
    return {name: columns for name, columns in stored.items() if name not in empty}


def _add(found: Found, ask: Ask, rule: Rule, thresholds: Mapping[str, Value], stored: Stored) -> None:
    for kind in rule.subjects:
        if rule.blind and _is_blind(ask, rule, kind, thresholds, stored):
            name = rule.name if len(rule.subjects) == 1 else f"{rule.name} by {kind}"
            found.needs[name] = (rule.blind_needs,)
            continue
        rows = ask(f"{query(rule, kind, thresholds, stored)} order by last_seen desc limit {MOST + 1}")
        if len(rows) > MOST:
            found.cut.append(rule.name)
        found.findings.extend(_findings(rule, kind, thresholds, rows[:MOST]))


def _is_blind(ask: Ask, rule: Rule, kind: str, thresholds: Mapping[str, Value], stored: Stored) -> bool:
    ((is_blind,),) = ask(blind_query(rule, kind, thresholds, stored))
    return bool(is_blind)


def _findings(rule: Rule, kind: str, thresholds: Mapping[str, Value], rows: list[Any]) -> Iterator[Finding]:
    for row in rows:
        subject, first_event, first_seen, last_seen, count, *evidence = row
        shown = {name: _plain(value) for name, value in zip(rule.evidence, evidence, strict=True)}
        is_raised = bool(rule.raised_by and shown[rule.raised_by])
        yield Finding(
            detection_id=detection_id(rule.name, kind, str(subject), str(first_event)),
            rule=rule.name,
            severity=rule.raised_severity if is_raised else rule.severity,
            subject_kind=kind,
            subject=str(subject),
            first_seen=_utc(first_seen),
            last_seen=_utc(last_seen),
            event_count=int(count),
            evidence=shown,
            thresholds=thresholds,
        )


def detection_id(rule: str, kind: str, subject: str, first_event: str) -> str:
    """Return the id of a detection: equal for each run that finds the same first event."""
    text = "\0".join((rule, kind, subject, first_event))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _plain(value: Any) -> int | float | str | None:
    if isinstance(value, Decimal | float):
        rounded = floor(float(value) * 10) / 10
        return int(rounded) if rounded.is_integer() else rounded
    return value if value is None or isinstance(value, int | str) else str(value)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
