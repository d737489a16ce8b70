"""`dlt-authsignal models`."""

from typing import TYPE_CHECKING

import click

from dlt_authsignal.cli import options

if TYPE_CHECKING:
    from dlt_authsignal.models.opened import Stored


@click.group(short_help="KPI views: list, show, install.")
def models() -> None:
    """KPI views: list them, show their definition and SQL, install them in your dataset."""


@models.command(name="list")
@options.loaded_data_options
@options.wait_option
def list_(destination: str, dataset: str | None, pipeline_name: str | None) -> None:
    """List the KPIs with the question that each answers, and whether the dataset has what they need."""
    from rich.console import Console
    from rich.table import Table

    from dlt_authsignal.models import all_models, availability

    stored = _stored(destination, dataset, pipeline_name)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right")
    for heading in ("name", "question", "in this dataset"):
        table.add_column(heading)
    for model in all_models():
        there = "no data yet" if stored is None else availability(model, stored)
        table.add_row(str(model.number), model.name, model.question, there)
    Console(highlight=False).print(table)


def _stored(destination: str, dataset: str | None, pipeline_name: str | None) -> "Stored | None":
    """Return the tables of the dataset; None if nothing was loaded yet."""
    from dlt_authsignal.destination.errors import translate_errors
    from dlt_authsignal.errors import NoData
    from dlt_authsignal.models.tables import existing
    from dlt_authsignal.pipeline.attach import attach

    try:
        with translate_errors(destination):
            return existing(attach(destination=destination, dataset=dataset, pipeline_name=pipeline_name)) or None
    except NoData:
        return None


@models.command()
@click.argument("name")
def show(name: str) -> None:
    """Show the definition and SQL of a KPI."""
    from dlt_authsignal.models import find_model
    from dlt_authsignal.models.kpis.queries import explained

    model = find_model(name)
    click.echo(f"-- {model.number}. {model.title}: {model.question}")
    for part, text in model.facts.items():
        click.echo(f"-- {part}: {text}")
    click.echo(f"-- The query is in DuckDB's dialect. The view {model.view} is based on it.\n{explained(model)}")


@models.command()
@options.loaded_data_options
@options.wait_option
@click.option(
    "--materialize",
    is_flag=True,
    help="Create tables instead of views. They are read faster, and keep their values until the command runs again.",
)
def install(destination: str, dataset: str | None, pipeline_name: str | None, materialize: bool) -> None:
    """Create or replace the KPI views in the destination, and print the KPIs."""
    from dlt_authsignal.cli.output.kpis import print_kpis
    from dlt_authsignal.destination.errors import translate_errors
    from dlt_authsignal.pipeline.attach import attach

    with translate_errors(destination):
        pipeline = attach(destination=destination, dataset=dataset, pipeline_name=pipeline_name)
        print_kpis(pipeline, materialize=materialize)


@models.group()
def export() -> None:
    """Write the KPIs as files for other tools."""


@export.command()
@options.loaded_data_options
@options.wait_option
@click.option(
    "--out", default="authsignal_dbt", show_default=True, type=click.Path(file_okay=False), help="Folder to write."
)
def dbt(destination: str, dataset: str | None, pipeline_name: str | None, out: str) -> None:
    """Write a dbt package with a model for each available KPI, in the SQL of the destination.

    Files of an earlier export in the folder are replaced. dbt runs the package with your own profile.
    """
    from pathlib import Path

    from dlt_authsignal.destination.errors import translate_errors
    from dlt_authsignal.models.export_dbt import export as write
    from dlt_authsignal.pipeline.attach import attach

    with translate_errors(destination):
        written = write(attach(destination=destination, dataset=dataset, pipeline_name=pipeline_name), Path(out))
    click.echo(f"Wrote {len(written)} models to {out}. Add the folder to packages.yml of your dbt project:")
    click.echo(f"packages:\n  - local: {out}")
