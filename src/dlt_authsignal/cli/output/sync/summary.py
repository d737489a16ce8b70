"""Print the report of a sync: its text, which `pipeline/sync/summary.py` writes, or JSON."""

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlt_authsignal.pipeline.shards.report import ShardReport
    from dlt_authsignal.pipeline.sync.report import SyncReport


def print_report(report: "SyncReport | ShardReport", *, as_json: bool) -> None:
    """Print the report, or one JSON object on one line."""
    if as_json:
        click.echo(json.dumps(report.to_dict()))
        return
    headings, _, rest = str(report).partition("\n")
    click.echo(f"{click.style(headings, bold=True)}\n{rest}")
