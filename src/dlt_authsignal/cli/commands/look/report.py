"""`dlt-authsignal report`."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from dlt_authsignal.cli import options

if TYPE_CHECKING:
    from dlt_authsignal.dashboard.export import Format

_DAY: Final = click.DateTime(["%Y-%m-%d"])


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that limit the figures."""
    for option in (
        click.option("--country", metavar="CODE", help="Only attempts from this country, such as NZ."),
        click.option("--method", metavar="METHOD", help="Only this verification method, such as PASSKEY."),
        click.option("--action", metavar="CODE", help="Only this action, such as signIn."),
        click.option(
            "--until", type=_DAY, metavar="DAY", help="Last day, as 2026-01-31. Default: the last loaded day."
        ),
        click.option(
            "--since", type=_DAY, metavar="DAY", help="First day, as 2026-01-01. Default: the first loaded day."
        ),
    ):
        command = option(command)
    return command


@click.command(short_help="Write the KPIs to one file: HTML, a picture or a PDF.")
@click.option(
    "--out",
    default=None,
    type=click.Path(path_type=Path),
    help="File to write. An earlier report is replaced.  [default: report.html]",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["html", "png", "pdf"]),
    help="html and pdf have all pages; png is a picture of one.  [default: by the ending of --out]",
)
@click.option("--page", default="overview", show_default=True, help="Page to open first, or to draw as a picture.")
@_filters
@options.loaded_data_options
@options.wait_option
def report(
    out: Path | None,
    format_: "Format | None",
    page: str,
    since: datetime | None,
    until: datetime | None,
    action: str | None,
    method: str | None,
    country: str | None,
    destination: str,
    dataset: str | None,
    pipeline_name: str | None,
) -> None:
    """Write the KPIs to one file that you can open from disk, read offline, and e-mail.

    The file contains totals only, and no user. It loads nothing from a network. Numbers, trend lines and tables are
    readable without scripts. A picture or a PDF needs an installed Chromium, Chrome or Edge.

    \b
        dlt-authsignal report
        dlt-authsignal report --out october.pdf --since 2026-10-01 --until 2026-10-31
        dlt-authsignal report --format png --page security
    """
    from dlt_authsignal.dashboard.export import write_report
    from dlt_authsignal.dashboard.page import Filters
    from dlt_authsignal.destination.errors import translate_errors
    from dlt_authsignal.pipeline.attach import attach

    path = out or Path(f"report.{format_ or 'html'}")
    filters = Filters(since=_day(since), until=_day(until), action=action, method=method, country=country)
    with translate_errors(destination):
        pipeline = attach(destination=destination, dataset=dataset, pipeline_name=pipeline_name)
        click.echo(f"Reading the figures of {pipeline.dataset_name} …", err=True)
        write_report(pipeline, path, format=format_, filters=filters, page=page)
    _say(path, pipeline.pipeline_name)


def _day(chosen: datetime | None) -> date | None:
    return chosen.date() if chosen else None


def _say(path: Path, pipeline_name: str) -> None:
    from dlt_authsignal.pipeline.wording import runnable

    named = "" if pipeline_name == "authsignal_pipeline" else f" --pipeline-name {pipeline_name}"
    click.echo(f"Report: {path}  ({path.stat().st_size / 1_000_000:,.1f} MB, totals only, no user)")
    click.echo("Open it in a browser, or mail it: it needs no network.")
    click.echo(f"The same pages with filters: {runnable('dlt-authsignal')} dashboard{named}")
