"""`dlt-authsignal models`."""

import click

from dlt_authsignal.cli import names, options


@click.group(short_help="KPI views: list, show, install.")
def models() -> None:
    """KPI views: list them, show their SQL, install them in your dataset."""


@models.command(name="list")
def list_() -> None:
    """List the KPIs with the question that each answers."""
    from rich.console import Console
    from rich.table import Table

    from dlt_authsignal.models import all_models

    table = Table.grid(padding=(0, 2))
    for model in all_models():
        table.add_row(model.name, model.question)
    Console(highlight=False).print(table)


@models.command()
@click.argument("name")
def show(name: str) -> None:
    """Show the definition and SQL of a KPI."""
    from dlt_authsignal.models import find_model

    model = find_model(name)
    click.echo(f"-- {model.title}: {model.question}\n-- {model.definition}\n{model.sql}")


@models.command()
@click.option("--destination", default="duckdb", show_default=True, help="dlt destination that holds the data.")
@click.option("--dataset", show_default=names.DATASET, help="Dataset (schema) in the destination.")
@click.option(
    "--pipeline-name",
    show_default=names.PIPELINE,
    help="Name of the pipeline that loaded the data.",
)
@options.wait_option
def install(destination: str, dataset: str | None, pipeline_name: str | None) -> None:
    """Create or replace the KPI views in the destination."""
    from dlt_authsignal.cli.report.kpis import print_kpis
    from dlt_authsignal.destination.errors import translate_errors
    from dlt_authsignal.pipeline.attach import attach

    with translate_errors(destination):
        print_kpis(attach(destination=destination, dataset=dataset, pipeline_name=pipeline_name))
