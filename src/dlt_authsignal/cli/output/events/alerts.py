"""Print what `dlt-authsignal alerts` found and sent."""

import json
from typing import TYPE_CHECKING, Any, Final

import click

from dlt_authsignal.models.detections.find import availability
from dlt_authsignal.pipeline.wording import counted

if TYPE_CHECKING:
    from dlt_authsignal.pipeline.alerts.detect import DetectionReport
    from dlt_authsignal.pipeline.alerts.send import AlertReport
    from dlt_authsignal.pipeline.alerts.table import Detection


def print_alerts(report: "AlertReport", *, as_json: bool) -> None:
    """Print the report of a run: each alert that was sent, and what is left."""
    if as_json:
        _print_json(report.found, receiver=report.receiver, sent=report.sent, left=report.left)
        return
    _print_rows(report.sent if report.receiver else report.left)
    _print_found(report.found)
    if report.receiver:
        left = f" The next run sends {len(report.left):,} more." if report.left else ""
        click.echo(f"Sent {counted(len(report.sent), 'alert')} to {report.receiver}.{left}")
    elif report.left:
        click.echo(
            f"Not sent, because no receiver is configured: {counted(len(report.left), 'alert')}. Put slack_url, or"
            " webhook_url and webhook_secret, under [alerts] in .dlt/secrets.toml."
        )


def print_preview(found: "DetectionReport", rows: "list[Detection]", *, as_json: bool) -> None:
    """Print what a run would send."""
    if as_json:
        _print_json(found, receiver=None, sent=[], left=rows)
        return
    _print_rows(rows)
    _print_found(found)
    click.echo(f"Dry run: {counted(len(rows), 'alert')} would be sent. Nothing was changed or sent.")


SHOWN: Final = 20
"""Alerts that are printed in full."""

WIDTH: Final = 22
"""Letters of the longest name of a rule."""


def _print_rows(rows: "list[Detection]") -> None:
    from dlt_authsignal.pipeline.alerts.message import text_of

    for row in rows[:SHOWN]:
        click.echo(f"{text_of(row)}\n")
    if len(rows) > SHOWN:
        click.echo(f"And {len(rows) - SHOWN:,} more: pass --json, or read the table detections.\n")


def _print_found(found: "DetectionReport") -> None:
    """Print the number of detections by rule, and the rules that could not be computed."""
    from dlt_authsignal.models.detections.catalogue import all_rules

    click.echo(f"{'rule':<{WIDTH}}  found    new")
    for rule in all_rules():
        click.echo(_line(found, rule.name).rstrip())
    for name in found.cut:
        click.echo(f"{name}: found more than one run keeps, so the earliest were left out. Raise its thresholds.")


def _line(found: "DetectionReport", rule: str) -> str:
    needs = {name: each for name, each in found.needs.items() if name.partition(" ")[0] == rule}
    if rule in found.switched_off:
        return f"{rule:<{WIDTH}}      -      -  switched off"
    if rule in needs:
        return f"{rule:<{WIDTH}}      -      -  {availability(needs[rule])}"
    ids = {row.detection_id for row in found.detections if row.rule == rule}
    notes = [f"{name.partition(' ')[2]}: {availability(each)}" for name, each in needs.items()]
    return f"{rule:<{WIDTH}}  {len(ids):>5,}  {len(ids & found.new):>5,}  {'; '.join(notes)}"


def _print_json(
    found: "DetectionReport", *, receiver: str | None, sent: "list[Detection]", left: "list[Detection]"
) -> None:
    from dlt_authsignal.pipeline.alerts.message import values_of

    shown: dict[str, Any] = {
        "pipeline": found.pipeline,
        "destination": found.destination,
        "dataset": found.dataset,
        "receiver": receiver,
        "sent": [values_of(row) for row in sent],
        "not_sent": [values_of(row) for row in left],
        "found": len(found.detections),
        "new": len(found.new),
        "not_available": {name: list(needs) for name, needs in found.needs.items()},
        "switched_off": found.switched_off,
        "cut": found.cut,
    }
    click.echo(json.dumps(shown))
