"""The closing summary of a sync: for people, and as JSON."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from dlt_authsignal.source.sync import SyncReport


def print_json(report: "SyncReport") -> None:
    """The report as one JSON object on one line of stdout."""
    click.echo(json.dumps(asdict(report)))


def print_summary(report: "SyncReport") -> None:
    """The report as a table, what happened on the way, and the next commands."""
    console = Console(highlight=False, soft_wrap=True)
    table = Table("table", title=None, box=None, pad_edge=False, header_style="bold")
    for heading in ("rows", "new", "changed"):
        table.add_column(heading, justify="right")
    for name, counts in report.tables.items():
        table.add_row(name, f"{counts.total:,}", f"{counts.new:,}", f"{counts.changed:,}")
    console.print(table)
    console.print()
    for line in [*_notes(report), _effort(report), f"Data      {report.location}, dataset {report.dataset}"]:
        console.print(line)
    console.print(f"Next      {next_query(report)}")


def _effort(report: "SyncReport") -> str:
    retries = f", {report.retries:,} of them retries ({report.throttled:,} asked for by 429)" if report.retries else ""
    return f"Done      {report.users_read:,} users in {report.seconds:,.1f} s, {report.requests:,} requests{retries}"


def _notes(report: "SyncReport") -> list[str]:
    notes = []
    if report.finished_pending:
        notes.append("Note      first completed the load that an earlier run had left unfinished")
    if report.unknown_users:
        where = ", ".join(map(str, report.unknown_positions))
        lines = (
            f" (lines {where}{', …' if len(report.unknown_positions) < report.unknown_users else ''})" if where else ""
        )
        notes.append(
            f"Note      {report.unknown_users:,} ids are not known to Authsignal{lines};"
            " they are in unknown_user_ids, not in users"
        )
    return notes


def next_query(report: "SyncReport") -> str:
    """A command that shows the data."""
    if report.destination == "duckdb":
        path = report.location.removeprefix("duckdb:///")
        query = (
            f"select user_id, verification_method, last_verified_at from {report.dataset}.user_authenticators limit 5"
        )
        return f"""python -c "import duckdb; duckdb.connect('{path}').sql('{query}').show()" """.strip()
    return f"""python -c "import dlt; print(dlt.pipeline('{report.pipeline}').dataset().users.df().head())" """.strip()
