"""Print what a load or an import of events did."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from dlt_authsignal.pipeline.wording import counted

if TYPE_CHECKING:
    from dlt_authsignal.pipeline.events.archive import Imported
    from dlt_authsignal.pipeline.events.report import EventsReport

MOST_NAMES: Final = 20
"""Files that are listed by name."""


def print_events(report: "EventsReport", *, as_json: bool) -> None:
    """Print the report of a load."""
    if as_json:
        click.echo(json.dumps(asdict(report)))
        return
    width = max(map(len, report.tables))
    click.secho(f"{'table':{width}}  {'rows':>12}  {'new':>12}", bold=True)
    for name, rows in report.tables.items():
        click.echo(f"{name:{width}}  {rows:>12,}  {report.new[name]:>12,}")
    click.echo()
    for line in _lines(report):
        click.echo(line)


def _is_missing_folder(spool: str) -> bool:
    """Return whether the spool is a folder that does not exist."""
    return "://" not in spool and not Path(spool).exists()


def _lines(report: "EventsReport") -> Iterator[str]:
    from dlt_authsignal.source.metrics.schema_drift import sentences

    yield (
        f"{counted(report.files, 'file')} with {counted(report.events, 'event')} loaded from {report.spool} in"
        f" {report.seconds:,.1f} s."
    )
    if _is_missing_folder(report.spool):
        yield "This folder does not exist yet: the receiver creates it. If it has received events, correct spool."
    if report.copies:
        yield f"Duplicates left out (of stored events, or of later events in the same load): {report.copies:,}."
    if report.erased:
        yield f"{counted(report.erased, 'event')} of erased users left out."
    if report.finished_pending:
        yield "First completed the unfinished load of an earlier run."
    if report.dropped_pending:
        yield "Dropped the unfinished load of an earlier run: newer rows have been loaded. Its files were read again."
    if report.recreated:
        yield f"Recreated tables that were missing or incomplete in the database: {', '.join(report.recreated)}."
    if report.deleted_files:
        yield f"Deleted {counted(report.deleted_files, 'loaded file')} older than spool_retention."
    yield from sentences(report.drift)
    yield from _refused(report)


def _refused(report: "EventsReport") -> Iterator[str]:
    if not report.refused:
        return
    yield (
        f"{counted(len(report.refused), 'file')} could not be used and was skipped. The next load tries again. If this"
        " package did not write a file, move it out of the spool:"
    )
    for name, why in list(report.refused.items())[:MOST_NAMES]:
        yield f"  {name}: {why}"
    if len(report.refused) > MOST_NAMES:
        yield f"  and {len(report.refused) - MOST_NAMES:,} more"


def print_import(done: "Imported", spool: str, *, as_json: bool) -> None:
    """Print the report of an import."""
    if as_json:
        click.echo(json.dumps({**asdict(done), "spool": spool}))
        return
    click.echo(f"{counted(done.events, 'event')} of {counted(done.lines, 'line')} are in {spool}.")
    if done.skipped:
        click.echo(
            f"{counted(done.skipped, 'event')} left out: they belong to synchronous webhooks (email.created, …), which"
            " contain codes and are never stored."
        )
    click.echo("Load them: dlt-authsignal events load")
