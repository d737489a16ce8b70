"""`dlt-authsignal sync`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from dlt_authsignal.cli import names, options
from dlt_authsignal.cli.shell import stoppable
from dlt_authsignal.schema.tables.server import TABLES

STOPPED: Final = "Rows that were being read were not loaded. A load that had started is finished by the next sync."


@click.command(short_help="Bring the database up to date with Authsignal.")
@click.option(
    "--destination",
    default="duckdb",
    show_default=True,
    help="Destination: duckdb, postgres, filesystem, snowflake, bigquery, redshift, databricks, or another one of dlt.",
)
@click.option("--staging", help="Load through a bucket: filesystem. For Redshift.")
@click.option("--dataset", show_default=names.DATASET, help="Dataset (schema) to load into.")
@click.option("--pipeline-name", show_default=names.PIPELINE, help="Name of the pipeline.")
@click.option(
    "--apis", help="APIs to read, comma-separated: server, client, management. Default: all with credentials."
)
@click.option("--tables", help="Tables to load, comma-separated. Default: all except action_details.")
@click.option(
    "--users-from",
    metavar="SOURCE",
    multiple=True,
    help="Source of user ids: listing (the user list, the default), FILE (txt, csv, tsv, jsonl, parquet),"
    " 'DATABASE?query=SQL', known (ids from earlier syncs). Repeatable, to combine sources.",
)
@click.option(
    "--users-column",
    metavar="NAME",
    help="Column with the ids in files and queries. Default: the only column, otherwise user_id, userId or id.",
)
@click.option(
    "--exclude-user",
    "exclude_users",
    metavar="ID",
    multiple=True,
    help="Skip this user, such as the probe's canary. Repeatable.",
)
@click.option("--region", type=click.Choice(["us", "au", "eu", "ca"]), help="Region of the tenant. Default: us.")
@click.option("--concurrency", type=click.IntRange(1, 256), help="Maximum requests in flight. Default: 8.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Processes that read users. Default: chosen by rate and cores; 1 below 200 requests per second.",
)
@click.option(
    "--engine",
    type=click.Choice(["processes", "ray"]),
    help="What runs the workers: processes on this machine, or Ray. Default: processes.",
)
@click.option(
    "--ray-address",
    metavar="HOST:PORT",
    help="Ray cluster that runs the workers: an address such as ray-head:6379, or auto. Default: RAY_ADDRESS. If it is"
    " not set, the sync starts Ray on this machine.",
)
@click.option("--rate", metavar="N|max", help="Maximum requests per second; max: Authsignal's limit only. Default: 20.")
@click.option("--full", is_flag=True, default=None, help="Read all users, and all actions that the API returns.")
@click.option(
    "--max-staleness",
    metavar="SPAN",
    help="Re-read users who were last read longer ago than this: 7d, 12h. Default: 7d; at most 25d.",
)
@click.option(
    "--refresh-user",
    "refresh_users",
    metavar="ID",
    multiple=True,
    help="Read this user now, whether or not they are due. Repeatable.",
)
@click.option(
    "--max-requests",
    type=click.IntRange(1),
    help="Maximum requests of this run. Users who would exceed it are left for the next sync. Default: no limit.",
    metavar="N",
)
@click.option(
    "--max-duration",
    metavar="SPAN",
    help="Stop starting users after this long (1h, 30m). Reading the user list is not counted. Default: no limit.",
)
@click.option(
    "--accept-deletes",
    is_flag=True,
    default=None,
    help="Continue even if more rows would be marked as deleted than max_deletes allows (default: 5 %, at least 20), or"
    " all rows of a table.",
)
@click.option(
    "--accept-new-key",
    is_flag=True,
    default=None,
    help="Confirm, once, that api_secret_key is a new key of the same tenant that replaced the old one.",
)
@click.option(
    "--shard",
    metavar="K/N",
    help="Read one of N parts of the users and write it to the shard folder. --load-shards then loads all parts.",
)
@click.option(
    "--load-shards",
    is_flag=True,
    help="Load all shards of a round in one run. If one is missing, nothing is loaded.",
)
@click.option(
    "--shard-folder",
    metavar="URL",
    help="Folder for the shards: a path, or s3://, gs:// or az:// with bucket and folder (extra [spool]).",
)
@click.option(
    "--round",
    "round_",
    metavar="NAME",
    help="Name of the round, the same for all of its shards and their load. Default: the day in UTC. With"
    " --load-shards: the only round in the folder.",
)
@click.option(
    "--accept-missing-shards",
    is_flag=True,
    help="With --load-shards: load even if shards are missing. Then no rows of users are marked as deleted.",
)
@options.wait_option
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object, without progress.")
def sync(
    destination: str,
    staging: str | None,
    dataset: str | None,
    pipeline_name: str | None,
    apis: str | None,
    tables: str | None,
    as_json: bool,
    shard: str | None,
    load_shards: bool,
    round_: str | None,
    accept_missing_shards: bool,
    **settings: Any,
) -> None:
    """Bring the database up to date with Authsignal.

    Reads users, their authenticators, actions (the last 30 days) and devices, and merges them into the tables: a second
    sync adds new rows and updates changed ones, without duplicates. Sends only GET requests
    to Authsignal, unless you select one of the five passkey calls with --tables.

    A user is read again when the user list shows a change, or when they were last read more than --max-staleness
    ago. Sign-ins appear in the database after at most that time. --full reads all users.

    To share the work, run sync --shard K/N on several machines. Then run sync --load-shards on one of them.

    Credentials are read from .dlt/secrets.toml or the environment:

    \b
        [sources.authsignal_source]
        api_secret_key = "…"    # Authsignal portal: Settings, API keys
        region = "us"           # us, au, eu, ca
    """
    given = {name: value for name, value in settings.items() if value not in (None, ())}
    given |= {name: list(given[name]) for name in ("users_from", "exclude_users", "refresh_users") if name in given}
    if apis:
        given["apis"] = _apis(apis)
    into = {"destination": destination, "staging": staging, "dataset": dataset, "pipeline_name": pipeline_name}
    _check_shards(shard=shard, load=load_shards, round=round_, accept_missing=accept_missing_shards)
    if shard is not None:
        from dlt_authsignal.cli.commands.load.shards import read

        read(shard, round_, into, given, tables=_tables(tables), as_json=as_json)
        return
    how = None
    if load_shards:
        how = {"round": round_, "accept_missing_shards": accept_missing_shards}
    run(into, given, tables=_tables(tables), as_json=as_json, shards=how)


def run(
    into: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    tables: Sequence[str] | None = None,
    as_json: bool = False,
    shards: Mapping[str, Any] | None = None,
) -> None:
    """Run a sync with a progress display, and print its summary.

    Args:
        into: Arguments of `make_pipeline`.
        settings: Settings of the source that win over those that dlt finds; `sync` checks them.
        tables: Tables to load; None for all.
        as_json: Print only the report, as JSON.
        shards: Arguments of `load_shards`, to load shards instead of reading users.
    """
    from dlt_authsignal.cli.output.sync.notice import noticed
    from dlt_authsignal.cli.output.sync.progress import showing
    from dlt_authsignal.cli.output.sync.summary import print_report
    from dlt_authsignal.source.metrics.run_metrics import RunMetrics

    metrics = RunMetrics()
    with stoppable(STOPPED), noticed("sync"), showing(metrics, silent=as_json) as on_planned:
        from dlt_authsignal.pipeline.attach import make_pipeline
        from dlt_authsignal.pipeline.shards.load import load_shards
        from dlt_authsignal.pipeline.sync.run import sync
        from dlt_authsignal.pipeline.sync.stages import StageCollector
        from dlt_authsignal.project.settings import remember
        from dlt_authsignal.project.working_folder import working_folder

        notes: list[str] = []
        pipeline = make_pipeline(**into, progress=StageCollector(metrics), notes=notes)
        if shards is None:
            report = sync(pipeline, tables=tables, metrics=metrics, on_planned=on_planned, **settings)
        else:
            report = load_shards(pipeline, tables=tables, metrics=metrics, **shards, **settings)
        written = remember(working_folder(pipeline.pipeline_name))
        report.notes += [*notes, *([written] if written else [])]
    print_report(report, as_json=as_json)
    if report.refused:
        raise click.exceptions.Exit(1)  # the report says which tables are missing, and why


def _check_shards(*, shard: str | None, load: bool, round: str | None, accept_missing: bool) -> None:
    """Refuse combinations of shard options that make no sense."""
    if shard is not None and load:
        raise click.UsageError(
            "--shard reads one shard, and --load-shards loads all of them. Pass only one of the two."
        )
    if round is not None and shard is None and not load:
        raise click.UsageError("--round needs --shard or --load-shards.")
    if accept_missing and not load:
        raise click.UsageError("--accept-missing-shards needs --load-shards.")


def _apis(text: str) -> list[str]:
    names = _names(text)
    if not names:
        raise click.BadParameter("it names no API. APIs: server, client.", param_hint="--apis")
    return names


def _tables(text: str | None) -> list[str] | None:
    if text is None:
        return None
    names = _names(text)
    unknown = [name for name in names if name not in TABLES]
    if unknown or not names:
        fault = f'no table "{unknown[0]}".' if unknown else "it names no table."
        raise click.BadParameter(f"{fault} Known: {', '.join(TABLES)}.", param_hint="--tables")
    return names


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
