"""`dlt-authsignal status`."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from dlt_authsignal.cli.shell import counted
from dlt_authsignal.errors import ConfigurationError, DataTooOld

if TYPE_CHECKING:
    from dlt_authsignal.source.status import Status


@click.command(short_help="How current the data is: last syncs, freshness, what is about to be lost.")
@click.option("--destination", default="duckdb", show_default=True, help="dlt destination that holds the data.")
@click.option("--dataset", default="authsignal_data", show_default=True, help="Dataset (schema) in it.")
@click.option("--pipeline-name", default="authsignal_pipeline", show_default=True, help="The pipeline that loaded it.")
@click.option(
    "--max-age",
    metavar="HOURS",
    type=click.FloatRange(0, min_open=True),
    help="Exit with 1 if the last sync that succeeded is older.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--prometheus", is_flag=True, help="Print metrics in Prometheus's text format.")
def status(
    destination: str, dataset: str, pipeline_name: str, max_age: float | None, as_json: bool, prometheus: bool
) -> None:
    """How current the data is. Reads the destination only, so it works on any machine.

    For an alarm, from cron: dlt-authsignal status --max-age 24
    """
    if as_json and prometheus:
        raise click.UsageError("--json or --prometheus, not both.")
    from dlt_authsignal.source import status as engine
    from dlt_authsignal.source.sync import attach

    found = engine.status(attach(destination=destination, dataset=dataset, pipeline_name=pipeline_name))
    if not (found.runs or found.tables):
        raise ConfigurationError(
            f'Nothing has been synced into dataset "{dataset}" by pipeline "{pipeline_name}" yet, as far as can be seen'
            " from here. Run: dlt-authsignal sync"
        )
    (_print_json if as_json else _print_prometheus if prometheus else _print)(found)
    if max_age is not None and (found.age is None or found.age > timedelta(hours=max_age)):
        raise DataTooOld(f"No sync has succeeded in the last {max_age:g} hours; {_last(found)}.")


def _last(found: "Status") -> str:
    return f"the last one ended {_time(found.last_done)}" if found.last_done else "none ever has"


def _time(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else "-"


def _print_json(found: "Status") -> None:
    click.echo(json.dumps(asdict(found), default=lambda value: value.isoformat()))


def _print(found: "Status") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    runs = Table("last syncs", box=None, pad_edge=False, header_style="bold")
    runs.add_column("")
    for heading in ("users", "requests", "429s", "seconds"):
        runs.add_column(heading, justify="right")
    for run in found.runs:
        colour = "green" if run["outcome"] == "done" else "red"
        seconds = "-" if run["seconds"] is None else f"{run['seconds']:,.1f}"
        counts = (f"{run[name]:,}" for name in ("users_read", "requests", "throttled"))
        runs.add_row(_time(run["started_at"]), f"[{colour}]{run['outcome']}[/]", *counts, seconds)
    console.print(runs if found.runs else "No sync is recorded here: its rows came by another way, as a probe's do.")
    for run in found.runs[:1]:
        if run["error"]:
            console.print(f"\n{run['error']}: {run['error_message'] or 'see the log of that run.'}", markup=False)
    console.print()
    tables = Table("table", box=None, pad_edge=False, header_style="bold")
    for heading in ("rows", "newest read", "oldest read"):
        tables.add_column(heading, justify="right")
    for name, table in found.tables.items():
        tables.add_row(name, f"{table.rows:,}", _time(table.newest_read), _time(table.oldest_read))
    console.print(tables)
    console.print()
    if found.users_due:
        console.print(
            f"{counted(found.users_due, 'user')} {'is' if found.users_due == 1 else 'are'} due.{_waiting(found)}"
        )
    if found.near_horizon:
        console.print(
            f"[red]{counted(found.near_horizon, 'user')} last read more than 25 days ago: Authsignal forgets actions"
            " after 30 days. Sync now.[/]"
        )
    console.print(f"Last sync that succeeded: {_time(found.last_done)}.")


def _waiting(found: "Status") -> str:
    return f" {found.users_waiting:,} of them were never read." if found.users_waiting else ""


def _print_prometheus(found: "Status") -> None:
    from dlt_authsignal.cli.metrics import exposition

    click.echo(exposition(found), nl=False)
