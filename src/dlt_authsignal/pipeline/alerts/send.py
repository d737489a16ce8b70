"""Send an alert for each new detection, once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.errors import DOCS, AlertsNotSent
from dlt_authsignal.pipeline.alerts.detect import DetectionReport, detected
from dlt_authsignal.pipeline.alerts.receiver import NotAccepted, send
from dlt_authsignal.pipeline.alerts.settings import AlertSettings, resolved_alert_settings, resolved_thresholds
from dlt_authsignal.pipeline.alerts.table import Detection, mark_sent
from dlt_authsignal.pipeline.prepared import prepared

MOST: Final = 100
"""Alerts of one run. The next run continues."""


@dataclass(frozen=True, kw_only=True)
class AlertReport:
    """Report of `send_alerts`.

    Attributes:
        receiver: slack or webhook; None if none is configured.
        sent: Alerts that the receiver accepted, the earliest first.
        left: Alerts for the next run: more than one run sends, or no receiver is configured.
        found: What was found.
    """

    receiver: str | None
    sent: list[Detection]
    left: list[Detection]
    found: DetectionReport


def send_alerts(
    pipeline: Pipeline,
    *,
    to: str | None = None,
    since: timedelta | None = None,
    wait: str | float | None = None,
) -> AlertReport:
    """Look for attack signals as `detect` does, and send each new detection to one receiver, once.

    A detection counts as sent when the receiver has answered with a status from 200 to 299. If the run is killed
    between that answer and its record, the next run sends the same detection again, with the same id.

    Args:
        pipeline: Any `dlt.pipeline(…)` with a destination that was synced. It becomes dlt's active pipeline.
        to: `"slack"` or `"webhook"`. Default: the one that is configured; without any, nothing is sent.
        since: Send only detections whose last event is at most this old. Default: all that were not sent yet.
        wait: Maximum time to wait for other programs that have the DuckDB file open, such as `"60s"`.

    Raises:
        ConfigurationError: A setting is missing or wrong. Nothing was sent, and the table is unchanged.
        AlertsNotSent: The receiver did not accept an alert. The next run continues with it.
    """
    thresholds = resolved_thresholds()
    settings = resolved_alert_settings(to, pipeline.pipeline_name)
    pipeline.activate()
    with prepared(pipeline, wait):
        found = detected(pipeline, thresholds)
        waiting = to_send(found, since)
        sent = [] if settings is None else _sent(pipeline, waiting[:MOST], settings, len(waiting))
    return AlertReport(
        receiver=settings.receiver if settings else None, sent=sent, left=waiting[len(sent) :], found=found
    )


def to_send(found: DetectionReport, since: timedelta | None) -> list[Detection]:
    """Return the detections that were not sent yet, the earliest first."""
    earliest = datetime.now(UTC) - since if since is not None else None
    waiting = [
        row for row in found.detections if row.sent_at is None and (earliest is None or row.last_seen >= earliest)
    ]
    return sorted(waiting, key=lambda row: (row.first_seen, row.detection_id))


def _sent(pipeline: Pipeline, rows: list[Detection], settings: AlertSettings, total: int) -> list[Detection]:
    """Send the rows one after the other, and record each before the next one is sent."""
    sent: list[Detection] = []
    for row in rows:
        try:
            send(row, settings)
        except NotAccepted as failed:
            raise AlertsNotSent(
                settings.receiver, failed.why, _advice(settings), sent=len(sent), left=total - len(sent)
            ) from None
        now = datetime.now(UTC)
        mark_sent(pipeline, row, now)
        sent.append(replace(row, sent_at=now))
    return sent


def _advice(settings: AlertSettings) -> str:
    return f"Check {settings.receiver}_url under [alerts] in .dlt/secrets.toml, and the receiver: {DOCS}/detections.md"
