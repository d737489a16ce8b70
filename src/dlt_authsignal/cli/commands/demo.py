"""`dlt-authsignal demo`."""

import hashlib
from typing import Final

import click

from dlt_authsignal.errors import ExtraMissing
from dlt_authsignal.pipeline.wording import runnable

PIPELINE_NAME: Final = "authsignal_demo"
"""Separate pipeline name, so that invented people are never mixed with real users."""


@click.command(short_help="Try it: sync a local Authsignal into DuckDB. No account needed.")
@click.option(
    "--users", default=500, show_default=True, type=click.IntRange(1, 100_000), help="Number of invented people."
)
@click.option("--days", default=45, show_default=True, type=click.IntRange(1, 3650), help="Days of history.")
@click.option("--seed", default=7, show_default=True, help="Seed of the invented data.")
@click.option(
    "--pipeline-name", default=PIPELINE_NAME, show_default=True, help="Name of the pipeline and of the DuckDB file."
)
def demo(users: int, days: int, seed: int, pipeline_name: str) -> None:
    """Start a local Authsignal with invented people, sync it into DuckDB and print the KPIs.

    Writes authsignal_demo.duckdb to the current folder, and dlt's state to .dlt/.var. No data leaves this machine.
    """
    try:
        from dlt_authsignal.sandbox import SandboxConfig, run_in_thread
    except ModuleNotFoundError as missing:
        raise ExtraMissing("The demo", "sandbox") from missing
    from dlt_authsignal.cli.commands.sync import run
    from dlt_authsignal.cli.report.kpis import print_kpis

    # other data gets a separate dataset, so that two demos do not mix
    dataset = "authsignal_data" if (users, days, seed) == (500, 45, 7) else f"authsignal_{users}x{days}_seed{seed}"
    click.secho(f"1. A local Authsignal with {users:,} people and {days} days of sign-ins", bold=True)
    with run_in_thread(SandboxConfig(users=users, days=days, seed=seed)) as running:
        click.echo(f"   {running.url}, seed {seed}\n")
        click.secho("2. Sync into DuckDB", bold=True)
        run(
            {"pipeline_name": pipeline_name, "dataset": dataset},
            {
                "apis": ["server"],
                "base_url": running.url,
                "region": None,  # a project's own region would contradict it
                "api_secret_key": running.sandbox.config.api_secret_key,
                "tenant_id": running.sandbox.config.tenant_id,
                "privacy_key": hashlib.sha256(f"invented people, seed {seed}".encode()).hexdigest(),  # fixed per seed
                "rate": "max",
                "concurrency": 16,
            },
        )
    from dlt_authsignal.pipeline.attach import attach

    click.echo()
    click.secho("3. KPIs", bold=True)
    print_kpis(attach(pipeline_name=pipeline_name, dataset=dataset))
    click.echo()
    click.secho("In Python", bold=True)
    click.echo(f'   import dlt\n   dlt.pipeline("{pipeline_name}").dataset().user_authenticators.df()\n')
    click.secho("Next", bold=True)
    program = runnable("dlt-authsignal")
    for arguments, meaning in NEXT:
        click.echo(f"   {program} {arguments:<36}{meaning}")


NEXT: Final = (
    ("models show drop_off_rate", "how a KPI is defined"),
    ("sandbox --users 500 --seed 7", "a local Authsignal that keeps running"),
    ("init", "use your own tenant: asks for its region and key"),
)
