"""`dlt-authsignal demo`."""

import hashlib
from typing import Final

import click

from dlt_authsignal.errors import ExtraMissing
from dlt_authsignal.pipeline.wording import runnable

PIPELINE_NAME: Final = "authsignal_demo"
"""A pipeline of its own, so that invented people never mix with real ones."""


@click.command(short_help="See it work: a local Authsignal, synced into DuckDB. No account needed.")
@click.option("--users", default=500, show_default=True, type=click.IntRange(1, 100_000), help="People to invent.")
@click.option("--days", default=45, show_default=True, type=click.IntRange(1, 3650), help="Days of history for them.")
@click.option("--seed", default=7, show_default=True, help="Another number invents other people.")
@click.option(
    "--pipeline-name", default=PIPELINE_NAME, show_default=True, help="Names dlt's state and the DuckDB file."
)
def demo(users: int, days: int, seed: int, pipeline_name: str) -> None:
    """See it work: start a local Authsignal with invented people, sync it into DuckDB, print the KPIs.

    Writes authsignal_demo.duckdb in the current folder, and dlt's state into .dlt/.var. Nothing leaves this machine.
    """
    try:
        from dlt_authsignal.sandbox import SandboxConfig, run_in_thread
    except ModuleNotFoundError as missing:
        raise ExtraMissing("The demo", "sandbox") from missing
    from dlt_authsignal.cli.commands.sync import run
    from dlt_authsignal.cli.report.kpis import print_kpis

    # other people get a dataset of their own, or two demos would mix
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
                "api_secret_key": running.sandbox.config.api_secret_key,
                "tenant_id": running.sandbox.config.tenant_id,
                "privacy_key": hashlib.sha256(f"invented people, seed {seed}".encode()).hexdigest(),  # always the same
                "rate": "max",
                "concurrency": 16,
            },
        )
    from dlt_authsignal.pipeline.attach import attach

    click.echo()
    click.secho("3. What the data says", bold=True)
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
    ("sandbox --users 500 --seed 7", "a local Authsignal to keep"),
    ("init", "your own tenant: asks for its region and key"),
)
