"""`dlt-authsignal status`."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from dlt_authsignal.cli import options
from dlt_authsignal.errors import ConfigurationError, DataTooOld
from dlt_authsignal.pipeline.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.table import Table

    from dlt_authsignal.pipeline.monitor.staleness import Gap
    from dlt_authsignal.pipeline.monitor.status import Status


@click.command(short_help="Show how current the data is: last syncs, freshness, losses.")
@options.loaded_data_options
@click.option(
    "--max-age",
    metavar="HOURS",
    type=click.FloatRange(0, 876_000, min_open=True),
    help="Exit with 1 if the last successful sync is older than this many hours.",
)
@click.option(
    "--fail-if-stale",
    metavar="SPAN",
    help="Exit with 1 if any user was last read longer ago than this: 8d, 36h.",
)
@options.wait_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--prometheus", is_flag=True, help="Print metrics in Prometheus's text format.")
def status(
    destination: str,
    dataset: str | None,
    pipeline_name: str | None,
    max_age: float | None,
    fail_if_stale: str | None,
    as_json: bool,
    prometheus: bool,
) -> None:
    """Show how current the data is. Reads only the destination, so it works on every machine that can connect to it.

    To get an alert, from cron: dlt-authsignal status --max-age 24 --fail-if-stale 8d
    """
    if as_json and prometheus:
        raise click.UsageError("Pass --json or --prometheus, not both.")
    from dlt_authsignal.destination.errors import translate_errors
    from dlt_authsignal.pipeline.attach import attach_any
    from dlt_authsignal.pipeline.monitor import status as engine
    from dlt_authsignal.pipeline.older_layout import problem_of
    from dlt_authsignal.source.config.durations import duration

    longest = duration("--fail-if-stale", fail_if_stale) if fail_if_stale else None
    with translate_errors(destination):
        pipeline = attach_any(destination=destination, dataset=dataset, pipeline_name=pipeline_name)
        found = engine.status(pipeline)
    if not (found.runs or found.tables):
        raise ConfigurationError(
            f'Dataset "{pipeline.dataset_name}" of pipeline "{pipeline.pipeline_name}" has no synced data.'
            " Check --destination, --dataset and"
            " --pipeline-name, or run: dlt-authsignal sync"
        )
    (_print_json if as_json else _print_prometheus if prometheus else _print)(found)
    if problem := problem_of(pipeline):
        click.echo(f"The next sync will fail. {problem}", err=True)
    if max_age is not None and (found.age is None or found.age > timedelta(hours=max_age)):
        raise DataTooOld(f"No sync has succeeded in the last {max_age:g} hours; {_last(found)}.")
    if longest is not None and found.users.oldest_read and found.now - found.users.oldest_read > longest:
        raise DataTooOld(
            f"At least one user was last read on {_time(found.users.oldest_read)}, more than {fail_if_stale} ago."
            " Run a sync with a --max-staleness below that limit. If --max-requests or --max-duration stops it before"
            " all due users are read, raise them."
        )


def _last(found: "Status") -> str:
    return f"the last one ended {_time(found.last_done)}" if found.last_done else "none ever has"


def _time(moment: datetime | None) -> str:
    return f"{_minute(moment)} UTC" if moment else "-"


def _minute(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else "-"


def _print_json(found: "Status") -> None:
    click.echo(json.dumps(asdict(found), default=lambda value: value.isoformat()))


def _print(found: "Status") -> None:
    from rich.console import Console

    from dlt_authsignal.cli.output.events.reconciliation import event_lines

    console = Console(highlight=False, soft_wrap=True)
    console.print(
        _runs(found)
        if found.runs
        else "No sync is recorded in this dataset. Its rows came from events, a script or a probe."
    )
    for run in found.failed:
        console.print(f"\n{_time(run['started_at'])}, {run['outcome']}: {_reason(run)}", markup=False)
    console.print()
    console.print(_tables(found))
    console.print()
    for line in (*_users(found), *_losses(found)):
        console.print(line)
    if found.events:
        console.print()
        for line in (*event_lines(found.events), *_reported(found)):
            console.print(line)
        console.print()
    if found.configuration_read:
        console.print(f"Configuration of the tenant last read: {_time(found.configuration_read)}.")
    console.print(f"Last successful sync: {_time(found.last_done)}.")
    if found.key_is_known is False:
        console.print(
            "The configured api_secret_key has not loaded this dataset: it belongs to another tenant, or replaced"
            " an earlier key. A sync will ask for --accept-new-key."
        )


def _runs(found: "Status") -> "Table":
    from rich.table import Table

    runs = Table(box=None, pad_edge=False, header_style="bold")
    runs.add_column("last syncs", no_wrap=True)
    runs.add_column("")
    for heading in ("users", "new", "changed", "deleted", "errors", "seconds"):
        runs.add_column(heading, justify="right")
    for run in found.runs:
        colour = "green" if run["outcome"] == "done" else "red"
        counts = (run[name] or 0 for name in ("users_read", "rows_new", "rows_changed", "rows_deleted"))
        failed = sum(run["errors"].values())
        seconds = "-" if run["seconds"] is None else f"{run['seconds']:,.1f}"
        cells = (f"{count:,}" for count in (*counts, failed))
        runs.add_row(_time(run["started_at"]), f"[{colour}]{run['outcome']}[/]", *cells, seconds)
    return runs


def _reason(run: "Mapping[str, Any]") -> str:
    met = ", ".join(f"{kind} {times:,} times" for kind, times in run["errors"].items())
    if not run["error"]:
        return f"it was killed{f' (failed requests: {met})' if met else ''}."
    failed = f" Failed requests: {met}." if met else ""
    return f"{run['error']}: {run['error_message'] or 'see the log of that run.'}{failed}"


def _tables(found: "Status") -> "Table":
    from rich.table import Table

    tables = Table("table", box=None, pad_edge=False, header_style="bold")
    for heading in ("rows", "deleted", "newest read, UTC", "oldest read, UTC"):
        tables.add_column(heading, justify="right")
    for name, table in found.tables.items():
        read = (_minute(moment) for moment in (table.newest_read, table.oldest_read))
        tables.add_row(name, f"{table.rows:,}", f"{table.deleted:,}", *read)
    return tables


def _users(found: "Status") -> "Iterator[str]":
    if found.users.oldest_read:
        ages = [f"{days} days {count:,}" for days, count in found.users.ages.items() if count]
        yield f"Users by the age of their last read: {', '.join(ages)}; the oldest {_time(found.users.oldest_read)}."
    if found.users_due:
        yield f"{counted(found.users_due, 'user')} {'is' if found.users_due == 1 else 'are'} due.{_waiting(found)}"


def _reported(found: "Status") -> "Iterator[str]":
    if found.users_reported:
        them = counted(found.users_reported, "user")
        yield f"{them} named by events since their last read: the next sync reads them."


def _losses(found: "Status") -> "Iterator[str]":
    """Yield warnings about actions that are lost or soon will be: Authsignal returns them for 30 days only."""
    users = found.users
    if users.near_horizon:
        past = f", {users.past_horizon:,} of them more than 30" if users.past_horizon else ""
        yield (
            f"[red]{counted(users.near_horizon, 'user')} last read more than 25 days ago{past}: Authsignal returns"
            " actions for 30 days only. Sync now. If max_requests or max_duration stopped earlier syncs, raise it.[/]"
        )
    for gap in found.gaps:
        yield f"[red]{_gap(gap)}[/]"
    if users.with_hole:
        yield (
            f"[red]{counted(users.with_hole, 'user')} {'was' if users.with_hole == 1 else 'were'} once read too"
            " late, so"
            " some older actions may be lost permanently. Actions since"
            f" {_time(users.complete_from)} are complete; see user_reads.actions_complete_from.[/]"
        )


def _gap(gap: "Gap") -> str:
    ends = f"and {_time(gap.ends)}" if gap.ends else "and now"
    lost = (
        f"actions between {_time(gap.begins)} and {_time(gap.lost_until)} are permanently lost"
        if gap.lost_until
        else "actions of the users who had waited longest may be lost"
    )
    return f"No sync succeeded between {_time(gap.begins)} {ends}: {lost}."


def _waiting(found: "Status") -> str:
    return f" {found.users_waiting:,} of them were never read." if found.users_waiting else ""


def _print_prometheus(found: "Status") -> None:
    from dlt_authsignal.cli.output.metrics import exposition

    click.echo(exposition(found), nl=False)
