"""What an alert says: the body for Slack, and for a webhook."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from dlt_authsignal.errors import DOCS
from dlt_authsignal.models.detections.catalogue import find_rule
from dlt_authsignal.pipeline.alerts.table import Detection
from dlt_authsignal.pipeline.wording import counted

EVENT_TYPE: Final = "authsignal.detection"


def values_of(row: Detection) -> dict[str, Any]:
    """Return a detection as plain values, with times in ISO format."""
    values = {name: getattr(row, name) for name in Detection.__dataclass_fields__}
    return {name: _iso(value) if isinstance(value, datetime) else value for name, value in values.items()}


def webhook_body(row: Detection, now: datetime) -> str:
    """Return the JSON for a webhook: an event of Standard Webhooks, with the rule's definition."""
    rule = find_rule(row.rule)
    definition = {
        "title": rule.title,
        "fires": rule.fires,
        "assumption": rule.assumption,
        "false_positives": rule.false_positives,
        "advice": rule.advice,
        "page": page_of(row.rule),
    }
    data = {name: value for name, value in values_of(row).items() if name != "sent_at"}
    return json.dumps({"type": EVENT_TYPE, "timestamp": _iso(now), "data": data | {"definition": definition}})


def slack_body(row: Detection) -> str:
    """Return the JSON for an incoming webhook of Slack."""
    return json.dumps({"text": _escaped(text_of(row))})


def text_of(row: Detection) -> str:
    """Return an alert as text: what was found, why it counts as an attack, and what to do."""
    rule = find_rule(row.rule)
    lines = (
        f"{rule.title} ({row.severity}): {counted(row.event_count, 'event')}, {_minute(row.first_seen)} to"
        f" {_minute(row.last_seen)} UTC",
        f"Subject: {row.subject_kind} {row.subject}",
        f"Evidence: {_listed(row.evidence)}",
        f"Thresholds: {_listed(row.thresholds)}",
        f"Definition: {rule.fires}",
        f"Harmless causes: {rule.false_positives}",
        f"What to do: {rule.advice}",
        f"Detection {row.detection_id}, {page_of(row.rule)}",
    )
    return "\n".join(lines)


def page_of(rule: str) -> str:
    """Return the address of the rule's documentation."""
    return f"{DOCS}/detections.md#{rule}"


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in values.items())


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) or "none" if isinstance(value, list) else str(value) or "none"


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _escaped(text: str) -> str:
    """Escape the three characters that Slack gives a meaning, so that no value becomes a link or a mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
