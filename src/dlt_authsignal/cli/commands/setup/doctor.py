"""`dlt-authsignal doctor`."""

import json
from typing import TYPE_CHECKING, Any, Final

import click

from dlt_authsignal.cli import names, options

if TYPE_CHECKING:
    from dlt_authsignal.cli.output.doctor.diagnosis import Check, Diagnosis

_MARKS: Final = {"ok": click.style("✓", fg="green"), "note": "-", "problem": click.style("✗", fg="red")}


@click.command(short_help="Check keys and destination: what works, and how to fix the rest.")
@click.option("--destination", default="duckdb", show_default=True, help="dlt destination to check.")
@click.option("--dataset", show_default=names.DATASET, help="Dataset (schema) that the sync will load into.")
@click.option("--pipeline-name", show_default=names.PIPELINE, help="Name of the pipeline that will sync.")
@click.option(
    "--events",
    is_flag=True,
    help="Instead, send a signed test event to the receiver, and check that it reaches the spool and the table.",
)
@click.option(
    "--url",
    metavar="URL",
    help="With --events: the receiver, as Authsignal reaches it. The path may be left out. Default: this machine.",
)
@click.option("--tenant", metavar="NAME", default="default", help="With --events: the tenant in the settings.")
@click.option(
    "--load-within",
    metavar="SPAN",
    default="75s",
    show_default=True,
    help="With --events: how long to wait for the event in the table. 0s skips this check.",
)
@options.wait_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(
    destination: str,
    dataset: str | None,
    pipeline_name: str | None,
    events: bool,
    url: str | None,
    tenant: str,
    load_within: str,
    as_json: bool,
) -> None:
    """Check what a sync needs: the settings, the address of Authsignal, each key, the destination, and how long a sync
    will take.

    Reads a little with each key, and writes nothing to Authsignal. In the destination it writes into a temporary
    dataset and drops it. Prints one line per check, and how to fix what does not work. Exits with 2 if a key is missing
    or refused or a setting is wrong, with 1 if Authsignal or the destination does not respond.
    """
    from dlt_authsignal.cli.output.doctor.diagnosis import Diagnosis

    where: dict[str, Any] = {"destination": destination, "dataset": dataset, "pipeline_name": pipeline_name}
    diagnosis = _of_events(where, url, tenant, load_within) if events else Diagnosis(**where)
    for check in diagnosis.run():
        if not as_json:
            click.echo(_line(check))
    if as_json:
        click.echo(json.dumps(diagnosis.to_dict()))
    diagnosis.raise_problems()
    if not (as_json or events):
        click.echo(f"\nNext: {_next(diagnosis, dataset, pipeline_name)}")


def _of_events(where: dict[str, Any], url: str | None, tenant: str, load_within: str) -> "Diagnosis":
    from dlt_authsignal.cli.output.doctor.event_diagnosis import EventDiagnosis
    from dlt_authsignal.source.config.durations import duration

    seconds = duration("--load-within", load_within).total_seconds()
    return EventDiagnosis(**where, url=url, tenant=tenant, load_within=seconds)


def _line(check: "Check") -> str:
    return f"{_MARKS[check.level]} {check.name}: {check.message} {check.fix}".rstrip()


def _next(diagnosis: "Diagnosis", dataset: str | None, pipeline_name: str | None) -> str:
    given = {"--destination": diagnosis.destination, "--dataset": dataset, "--pipeline-name": pipeline_name}
    options = "".join(f" {name} {value}" for name, value in given.items() if value)
    return f"dlt-authsignal sync{options}{' --users-from ids.csv' if diagnosis.needs_ids else ''}"
