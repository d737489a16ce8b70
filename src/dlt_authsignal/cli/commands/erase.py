"""`dlt-authsignal erase`."""

import json
import sys
from dataclasses import asdict
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

import click

from dlt_authsignal.cli import names
from dlt_authsignal.cli.shell import stoppable
from dlt_authsignal.pipeline.wording import counted

if TYPE_CHECKING:
    from dlt_authsignal.pipeline.erase.run import ErasureReport

STOPPED: Final = "Some of it may be left: run it again."


@click.command(short_help="Remove one person from everything that a pipeline keeps.")
@click.argument("user_id")
@click.option("--destination", default="duckdb", show_default=True, help="dlt destination that holds the data.")
@click.option("--dataset", show_default=names.DATASET, help="Dataset (schema) in it.")
@click.option("--pipeline-name", show_default=names.PIPELINE, help="The pipeline that loaded it.")
@click.option("--lift", is_flag=True, help="Take the tombstone away: the next sync reads the person again.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def erase(
    user_id: str, destination: str, dataset: str | None, pipeline_name: str | None, lift: bool, yes: bool, as_json: bool
) -> None:
    """Remove one person from everything that a pipeline keeps: the tables of its dataset, pending load packages, the
    record of runs. Leaves a dated tombstone, a hash that names nobody, so that no sync brings them back. Changes
    nothing at Authsignal, and asks it nothing.

    USER_ID is the id that the user has at Authsignal; - reads it from the standard input, where no list of processes
    shows it. A second run removes what a first one that was stopped has left.
    """
    from dlt_authsignal.destination.errors import translate_errors
    from dlt_authsignal.project.names import dataset_name_or

    with translate_errors(destination):
        dataset = dataset_name_or(dataset)
    wanted: dict[str, Any] = {"destination": destination, "dataset": dataset, "pipeline_name": pipeline_name}
    person = _from_stdin() if user_id == "-" else user_id
    if not (lift or yes):
        _confirm(destination, dataset)
    with stoppable(STOPPED):
        from dlt_authsignal.pipeline.erase import run as engine

        if lift:
            _print_lifted(engine.lift(person, **wanted), as_json=as_json)
            return
        report = engine.erase(person, **wanted)
    (_print_json if as_json else _print)(report)


def _from_stdin() -> str:
    typed = sys.stdin.isatty()  # then the question is answered there too
    said = sys.stdin.buffer.readline() if typed else sys.stdin.buffer.read()
    first, *others = said.decode("utf-8", "surrogateescape").split("\n")
    if any(line.strip() for line in others):
        raise click.UsageError("One user id at a time: the standard input has several lines. Nobody was erased.")
    return first.rstrip("\r")


def _confirm(destination: str, dataset: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody is there to ask whether this is meant. Say --yes.")
    click.confirm(f"Remove this person from dataset {dataset} ({destination}) for good?", abort=True)


def _print_lifted(was_there: bool, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"lifted": was_there}))
    else:
        click.echo("The next sync reads this person again." if was_there else "There is no tombstone of this person.")


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
        notes.append(f"Nothing was found of this person in dataset {report.dataset}.")
    if report.finished_pending:
        notes.append("First completed the load that an earlier run had left unfinished.")
    if report.dropped_pending:
        notes.append("Dropped a load that an earlier run had left unfinished: the next sync reads it again.")
    if report.old_files:
        notes.append(f"{counted(report.old_files, 'file')} of earlier states of the tables removed.")
    if not report.is_rewritten:
        notes.append(f"{report.destination} removes the bytes of deleted rows in its own time: see docs/erase.md.")
    date = f"{report.erased_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    notes.append(f"Tombstone of {date}: syncs pass this person over, until erase --lift.")
    return notes
