"""`dlt-authsignal erase`."""

import json
import sys
from codecs import BOM_UTF8
from dataclasses import asdict
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

import click

from dlt_authsignal.cli import options
from dlt_authsignal.cli.shell import stoppable
from dlt_authsignal.errors import DOCS
from dlt_authsignal.pipeline.wording import counted

if TYPE_CHECKING:
    from dlt_authsignal.pipeline.erase.run import ErasureReport

STOPPED: Final = "The erasure may be incomplete. Run the same command again."


@click.command(short_help="Remove one person's data from everything that a pipeline stores.")
@click.argument("user_id")
@options.loaded_data_options
@click.option("--tenant", default="default", show_default=True, help="Name of the tenant in the settings of events.")
@click.option("--lift", is_flag=True, help="Remove the tombstone instead: the next sync reads the person again.")
@click.option("--accept-new-key", is_flag=True, help="Confirm that the key is a new one of the dataset's tenant.")
@click.option("--yes", is_flag=True, help="Erase without asking for confirmation.")
@options.wait_option
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def erase(
    user_id: str,
    destination: str,
    dataset: str | None,
    pipeline_name: str | None,
    tenant: str,
    lift: bool,
    accept_new_key: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove one person's data from everything that a pipeline stores: the tables of its dataset, the spool of events,
    pending load packages and the record of runs. A dated tombstone (a hash that does not reveal the id) stays, so that
    no sync and no load of events brings the person back. The command sends no request to Authsignal and changes nothing
    there.

    USER_ID is the user's id at Authsignal. Pass - to read it from standard input, so that it does not appear in the
    list of processes. If a run was interrupted, run the command again to remove the rest.
    """
    from dlt_authsignal.destination.errors import translate_errors
    from dlt_authsignal.project.names import dataset_name_or

    with translate_errors(destination):
        dataset = dataset_name_or(dataset)
    wanted: dict[str, Any] = {"destination": destination, "dataset": dataset, "pipeline_name": pipeline_name}
    wanted["accept_new_key"] = accept_new_key
    person = _from_stdin() if user_id == "-" else user_id
    if not (lift or yes):
        _confirm(destination, dataset)
    with stoppable(STOPPED):
        from dlt_authsignal.pipeline.erase import run as engine

        if lift:
            _print_lifted(engine.lift(person, **wanted), as_json=as_json)
            return
        report = engine.erase(person, tenant=tenant, **wanted)
    (_print_json if as_json else _print)(report)


def _from_stdin() -> str:
    typed = sys.stdin.isatty()  # then the confirmation is read from there too
    said = sys.stdin.buffer.readline() if typed else sys.stdin.buffer.read()
    first, *others = said.removeprefix(BOM_UTF8).decode("utf-8", "surrogateescape").split("\n")
    if any(line.strip() for line in others):
        raise click.UsageError(
            "Standard input has several lines, but only one user id can be erased at a time. No user was erased."
        )
    return first.rstrip("\r")


def _confirm(destination: str, dataset: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError(
            "Cannot ask for confirmation: standard input is not a terminal. Pass --yes to erase without asking."
        )
    click.confirm(f"Permanently remove this person from dataset {dataset} ({destination})?", abort=True)


def _print_lifted(was_there: bool, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"lifted": was_there}))
    else:
        click.echo(
            "Removed the tombstone. The next sync reads this person again."
            if was_there
            else "This person has no tombstone. Nothing was changed."
        )


def _print_json(report: "ErasureReport") -> None:
    click.echo(json.dumps(asdict(report), default=lambda moment: moment.isoformat()))


def _print(report: "ErasureReport") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    table = Table("removed", "", box=None, pad_edge=False, header_style="bold")
    table.columns[1].justify = "right"
    for name, count in {**report.rows, **report.places}.items():
        if count:
            table.add_row(name, f"{count:,}")
    if table.row_count:
        console.print(table)
        console.print()
    for line in _notes(report):
        console.print(line)


def _notes(report: "ErasureReport") -> list[str]:
    notes = []
    if report.is_empty:
        notes.append(f"Dataset {report.dataset} has no data of this person.")
    if report.finished_pending:
        notes.append("First completed the unfinished load of an earlier run.")
    if report.dropped_pending:
        notes.append("Dropped the unfinished load of an earlier run: the next sync reads its users again.")
    if report.old_files:
        notes.append(f"Removed {counted(report.old_files, 'file')} with earlier states of the tables.")
    if not report.is_rewritten:
        notes.append(f"{report.destination} removes the bytes of deleted rows eventually: see {DOCS}/erase.md")
    notes += [
        f"Not searched: {place}. It may still contain this person; check it yourself." for place in report.not_searched
    ]
    date = f"{report.erased_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    notes.append(f"Tombstone written on {date}: syncs skip this person until you run erase --lift.")
    return notes
