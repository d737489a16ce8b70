"""The summary of a sync, as text and as JSON."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from dlt_authsignal.cli.shell import counted, place, runnable

if TYPE_CHECKING:
    from dlt_authsignal.pipeline.sync.report import SyncReport


def print_json(report: "SyncReport") -> None:
    """Print the report as one JSON object on one line of stdout."""
    click.echo(json.dumps(asdict(report)))


def print_summary(report: "SyncReport") -> None:
    """Print the report as a table, notes on the run, and the next command."""
    console = Console(highlight=False, soft_wrap=True)
    table = Table("table", title=None, box=None, pad_edge=False, header_style="bold")
    for heading in ("rows", "new", "changed", "deleted"):
        table.add_column(heading, justify="right")
    for name, counts in report.tables.items():
        table.add_row(name, *(f"{count:,}" for count in (counts.total, counts.new, counts.changed, counts.deleted)))
    console.print(table)
    console.print()
    for line in (
        _effort(report),
        *_notes(report),
        *_drift(report),
        f"The data is in {place(report.destination, report.location)}, dataset {report.dataset}.",
    ):
        console.print(line)
    console.print(f"\nLook at it:\n{next_query(report)}")


def _effort(report: "SyncReport") -> str:
    users = f"{_users(report)} in " if report.users_found else "Done in "
    effort = f"{users}{report.seconds:,.1f} s with {counted(report.requests, 'request')}"
    if not report.retries:
        return f"{effort}."
    throttled = f", {report.throttled:,} after a 429" if report.throttled else ""
    return f"{effort}, {report.retries:,} of them repeated{throttled}."


def _users(report: "SyncReport") -> str:
    if report.users_read == report.users_found:
        return f"{counted(report.users_read, 'user')} read"
    due = "" if report.users_remaining else "were due and "
    return f"{report.users_read:,} of {counted(report.users_found, 'user')} {due}read"


def _notes(report: "SyncReport") -> list[str]:
    notes = []
    if report.users_remaining:
        notes.append(
            f"{counted(report.users_remaining, 'due user')} {'is' if report.users_remaining == 1 else 'are'} left for"
            " the next sync, because this run's budget is used up. Users who have waited longest are read first."
        )
        if not report.users_read:
            notes.append("Listing users used the whole budget, so no user was read. Raise --max-requests.")
    if report.finished_pending:
        notes.append("First completed the unfinished load of an earlier run.")
    if report.dropped_pending:
        notes.append(
            "Dropped the unfinished load of an earlier run on this machine:"
            " another machine has loaded newer rows since."
        )
    if report.recreated:
        notes.append(
            f"Recreated tables that were missing or incomplete in the database: {', '.join(report.recreated)}."
        )
    if report.elsewhere:
        notes.append(
            "This pipeline was first run in another folder and keeps its database there."
            " Pass --pipeline-name NAME to give this folder a database of its own."
        )
    if report.users_with_old_privacy:
        them = counted(report.users_with_old_privacy, "user")
        notes.append(f"Privacy settings changed: {them} due, so that their rows are stored under the new settings.")
    if report.identifiers_left_out:
        notes.append(_left_out())
    if report.unknown_users:
        places = ", ".join(map(str, report.unknown_positions))
        more = ", …" if len(report.unknown_positions) < report.unknown_users else ""
        where = f" (line or row {places}{more})" if places else ""
        listed = ": see unknown_user_ids" if "unknown_user_ids" in report.tables else ""
        notes.append(
            f"{counted(report.unknown_users, 'id')} unknown to Authsignal{where}, not loaded as users{listed}."
        )
    return notes


def _left_out() -> str:
    from dlt_authsignal.source.privacy.settings import LEFT_OUT

    return LEFT_OUT


def _drift(report: "SyncReport") -> list[str]:
    from dlt_authsignal.source.metrics.schema_drift import sentences

    return sentences(report.drift)


def next_query(report: "SyncReport") -> str:
    """Return a command that shows the data."""
    python = runnable("python")
    table = "user_authenticators" if "user_authenticators" in report.tables else next(iter(report.tables))
    if report.destination == "duckdb":
        where = place(report.destination, report.location)
        wanted = "user_id, verification_method, last_verified_at" if table == "user_authenticators" else "*"
        query = f"select {wanted} from {report.dataset}.{table} limit 5"
        return f"""{python} -c "import duckdb; duckdb.connect('{where}').sql('{query}').show()" """.strip()
    return f"""{python} -c "{_frame(report, table)}" """.strip()


def _frame(report: "SyncReport", table: str) -> str:
    """Return Python code that prints a table. DuckDB would download an extension to read Delta or Iceberg."""
    pipeline = f"dlt.pipeline('{report.pipeline}', dataset_name='{report.dataset}')"
    if report.table_format == "delta":
        opened = f"get_delta_tables({pipeline}, '{table}')['{table}'].to_pandas()"
        return f"import dlt; from dlt.common.libs.deltalake import get_delta_tables; print({opened}.head())"
    if report.table_format == "iceberg":
        opened = f"get_iceberg_tables({pipeline}, '{table}')['{table}'].scan().to_pandas()"
        return f"import dlt; from dlt.common.libs.pyiceberg import get_iceberg_tables; print({opened}.head())"
    return f"import dlt; print({pipeline}.dataset().{table}.df().head())"
