"""`dlt-authsignal demo`."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import click

from dlt_authsignal.cli import options
from dlt_authsignal.errors import ExtraMissing
from dlt_authsignal.pipeline.wording import runnable

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

    from dlt_authsignal.sandbox import RunningSandbox

REPORT: Final = "report.html"
DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)
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
@click.option(
    "--events/--no-events",
    default=True,
    show_default=True,
    help="Send past events, signed, to a receiver and load them. Without events, about a third of the KPIs is missing.",
)
@click.option(
    "--stories/--no-stories",
    default=True,
    show_default=True,
    help="Add stories to the invented data: a rollout of passkeys, a broken release, an SMS attack.",
)
@options.wait_option
def demo(users: int, days: int, seed: int, pipeline_name: str, events: bool, stories: bool) -> None:
    """Start a local Authsignal with invented people, load it into DuckDB and print what happened there.

    Writes authsignal_demo.duckdb and report.html to the current folder, and dlt's state to .dlt/.var. No data leaves
    this machine.
    """
    try:
        from dlt_authsignal.sandbox import SandboxConfig, run_in_thread
    except ModuleNotFoundError as missing:
        raise ExtraMissing("The demo", "sandbox") from missing
    if events:
        check_receiver()
    from dlt_authsignal.cli.commands.load.sync import run
    from dlt_authsignal.cli.commands.local.demo_events import load_past, print_comparison
    from dlt_authsignal.cli.commands.local.demo_prices import put_prices
    from dlt_authsignal.destination.duckdb_file import keep_open
    from dlt_authsignal.pipeline.alerts.detect import detect
    from dlt_authsignal.pipeline.attach import attach, make_pipeline

    # other data gets a separate dataset, so that two demos do not mix
    dataset = "authsignal_data" if (users, days, seed) == (500, 45, 7) else f"authsignal_{users}x{days}_seed{seed}"
    dataset += "" if stories else "_plain"
    steps = count(1)
    _heading(steps, f"A local Authsignal with {users:,} people and {days} days of sign-ins")
    with run_in_thread(SandboxConfig(users=users, days=days, seed=seed, stories=stories)) as running:
        click.echo(f"   {running.url}, seed {seed}\n")
        into: dict[str, Any] = {"pipeline_name": pipeline_name, "dataset": dataset}
        settings = settings_of(running, seed)
        if events:
            _heading(steps, "Past events, through a receiver into DuckDB")
            load_past(running, into, settings, days=days, seed=seed)
        _heading(steps, "Sync into DuckDB")
        with keep_open(make_pipeline(**into)):  # opened 60 times otherwise, and no other program needs it yet
            sync_earlier_configurations(running, into, settings)
            run(into, settings)
        told = {story.name: (story.days.first, story.days.last) for story in running.told_stories() if story.days}
    with keep_open(make_pipeline(**into)):
        detect(make_pipeline(**into))
        pipeline = attach(**into)
        if events:
            put_prices(pipeline)
            print_comparison(pipeline)
        _print_figures(steps, pipeline, _of(pipeline_name, dataset), told if events else {})


def _print_figures(steps: Iterator[int], pipeline: "Pipeline", of: str, told: Mapping[str, tuple[date, date]]) -> None:
    """Print what the loaded tables show.

    Args:
        steps: Numbers of the headings.
        pipeline: Pipeline that loaded them.
        of: Options of a command that name them.
        told: First and last day of each story. The queries about stories need events and detections.
    """
    from dlt_authsignal.cli.output.changes import print_main_changes
    from dlt_authsignal.cli.output.kpis import print_headlines
    from dlt_authsignal.cli.output.stories import print_stories
    from dlt_authsignal.models.configuration.timeline import timeline

    program = runnable("dlt-authsignal")
    click.echo()
    _heading(steps, "KPIs")
    print_headlines(pipeline)
    click.echo(f"All KPIs with their slices: {program} models install {of}\n")
    _heading(steps, "Configuration changes, and what has been different since")
    print_main_changes(timeline(pipeline, 7))
    click.echo(f"All changes: {program} changes {of}\n")
    if told:
        _heading(steps, "What happened")
        print_stories(pipeline, told)
        click.echo()
    _heading(steps, "The KPIs in a browser")
    write_pages(pipeline, program, of)
    click.secho("In Python", bold=True)
    click.echo(f'   import dlt\n   dlt.pipeline("{pipeline.pipeline_name}").dataset().user_authenticators.df()\n')
    click.secho("Next", bold=True)
    for arguments, meaning in NEXT:
        click.echo(f"   {program} {arguments:<42}{meaning}")


def check_receiver() -> None:
    """Refuse early if the packages of the receiver are missing."""
    try:
        import cryptography  # noqa: F401
        import prometheus_client  # noqa: F401
    except ModuleNotFoundError as missing:
        raise ExtraMissing("Without --no-events, the demo", "receiver") from missing


def write_pages(pipeline: "Pipeline", program: str, of: str) -> None:
    """Write the report, if the packages for it are installed, and print how to open the pages."""
    from dlt_authsignal.dashboard.export import write_report

    try:
        path = write_report(pipeline, REPORT)
        click.echo(f"   As one file, without users, readable offline: {path}")
    except ExtraMissing as missing:
        click.echo(f"   {missing}")
    click.echo(f"   As a local site with filters: {program} dashboard {of}\n")


def _heading(steps: Iterator[int], text: str) -> None:
    click.secho(f"{next(steps)}. {text}", bold=True)


def _of(pipeline_name: str, dataset: str) -> str:
    """Return the options that name the demo's data."""
    return f"--pipeline-name {pipeline_name}" + ("" if dataset == "authsignal_data" else f" --dataset {dataset}")


def settings_of(running: "RunningSandbox", seed: int) -> dict[str, Any]:
    config = running.sandbox.config
    return {
        "apis": ["server", "management"],
        "base_url": running.url,
        "region": None,  # a project's own region would contradict it
        "api_secret_key": config.api_secret_key,
        "management_secret_key": config.management_secret_key,
        "tenant_id": config.tenant_id,
        "privacy_key": hashlib.sha256(f"invented people, seed {seed}".encode()).hexdigest(),  # fixed per seed
        "rate": "max",
        "concurrency": 16,
    }


def sync_earlier_configurations(running: "RunningSandbox", into: dict[str, Any], settings: dict[str, Any]) -> None:
    """Sync the configuration as daily syncs would have found it around each change, where no earlier demo has."""
    from dlt_authsignal.destination.duckdb_file import database_file
    from dlt_authsignal.destination.stores.queries import columns_of
    from dlt_authsignal.pipeline.attach import make_pipeline
    from dlt_authsignal.pipeline.sync.run import sync
    from dlt_authsignal.schema.tables.bookkeeping import CONFIGURATION_READS
    from dlt_authsignal.source.clock import dated

    pipeline = make_pipeline(**into)
    file = database_file(pipeline)
    reads = columns_of(pipeline, CONFIGURATION_READS.name, "read_at") if file and file.exists() else ()
    newest = max((row[0] for row in reads), default=datetime.min.replace(tzinfo=UTC))
    days = [day for day in days_around([each.at for each in running.configuration_changes()]) if day > newest]
    for number, day in enumerate(days, 1):
        click.echo(f"\r   configuration of {number} of {len(days)} earlier days", nl=False, err=True)
        running.configuration_as_of(day)
        with dated(day):
            sync(pipeline, **{**settings, "apis": ["management"]})
    running.configuration_as_of(None)
    if days:
        click.echo("\r" + " " * 50 + "\r", nl=False, err=True)
        click.echo(f"   The configuration on {len(days)} earlier days was read first. Then the sync of today:\n")


def days_around(changes: list[datetime]) -> list[datetime]:
    """Return midnights between which each change lies, close together where changes are, or after a week without."""
    days: list[datetime] = []
    for before in sorted({change.replace(hour=0, minute=0, second=0, microsecond=0) for change in changes}):
        if not days or not DAY < before - days[-1] <= WEEK:
            days.append(before)
        days.append(before + DAY)
    return sorted(set(days))


NEXT: Final = (
    ("status --pipeline-name authsignal_demo", "recent runs, and a comparison of events with the API"),
    ("models show drop_off_rate", "how a KPI is defined"),
    ("sandbox --users 500 --seed 7", "a local Authsignal that keeps running"),
    ("init", "use your own tenant: asks for its region and key"),
)
