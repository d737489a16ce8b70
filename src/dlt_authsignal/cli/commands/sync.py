"""`dlt-authsignal sync`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from dlt_authsignal.cli import names
from dlt_authsignal.cli.shell import stoppable
from dlt_authsignal.schema.tables import TABLES

STOPPED: Final = "What was being read is dropped; a load that had begun is finished by the next sync."


@click.command(short_help="Bring the database up to date with Authsignal.")
@click.option(
    "--destination",
    default="duckdb",
    show_default=True,
    help="Where to load: duckdb, postgres, filesystem, snowflake, bigquery, redshift, databricks, or another of dlt's.",
)
@click.option("--staging", help="Load by way of a bucket: filesystem. For Redshift.")
@click.option("--dataset", show_default=names.DATASET, help="Dataset (schema) in it.")
@click.option("--pipeline-name", show_default=names.PIPELINE, help="Names dlt's state.")
@click.option("--apis", help="Only these APIs, comma-separated: server, client. Default: all with credentials.")
@click.option("--tables", help="Only these tables, comma-separated. action_details is read only when named here.")
@click.option(
    "--users-from",
    metavar="SOURCE",
    multiple=True,
    help="Read the users whose ids are there: listing (the default), FILE (txt, csv, tsv, jsonl, parquet),"
    " 'DATABASE?query=SQL', known (from earlier runs). Repeat it to combine them.",
)
@click.option(
    "--users-column",
    metavar="NAME",
    help="Column of files and queries that holds the ids. Default: user_id, userId, id.",
)
@click.option(
    "--exclude-user", "exclude_users", metavar="ID", multiple=True, help="Pass over this user: a canary, say."
)
@click.option("--region", type=click.Choice(["us", "au", "eu", "ca"]), help="Where the tenant lives.")
@click.option("--concurrency", type=click.IntRange(1, 256), help="Requests in flight at once. Default: 8.")
@click.option(
    "--rate", metavar="N|max", help="At most so many requests a second; max: as many as Authsignal takes. Default: 20."
)
@click.option("--full", is_flag=True, default=None, help="Read everybody, and all of their actions that the API has.")
@click.option(
    "--max-staleness",
    metavar="SPAN",
    help="Read users again who were read longer ago: 7d, 12h. Default: 7d; at most 25d.",
)
@click.option(
    "--refresh-user",
    "refresh_users",
    metavar="ID",
    multiple=True,
    help="Read this user in any case: somebody has heard of a change.",
)
@click.option(
    "--max-requests",
    type=click.IntRange(1),
    help="Stop beginning users before so many requests; who is left comes first in the next run.",
)
@click.option("--max-duration", metavar="SPAN", help="Read users for so long at most: 1h, 30m. The list comes first.")
@click.option(
    "--accept-deletes",
    is_flag=True,
    default=None,
    help="Go on where more rows would be marked as deleted than max_deletes (5 %, at least 20) allows.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object; no progress.")
def sync(
    destination: str,
    staging: str | None,
    dataset: str | None,
    pipeline_name: str | None,
    apis: str | None,
    tables: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Bring the database up to date with Authsignal.

    Reads users, their authenticators, actions (the last 30 days) and devices, and merges them: a second run adds
    what is new, corrects what changed, and doubles nothing. Nothing is ever written to Authsignal.

    A user is read again when the list shows something new of them, or when they were last read more than
    --max-staleness ago: sign-ins are at most that old in the database. --full reads everybody.

    Credentials come from .dlt/secrets.toml or the environment, as dlt finds them:

    \b
        [sources.authsignal_source]
        api_secret_key = "…"    # Authsignal portal: Settings, API keys
        region = "us"           # us, au, eu, ca
    """
    given = {name: value for name, value in settings.items() if value not in (None, ())}
    given |= {name: list(given[name]) for name in ("users_from", "exclude_users", "refresh_users") if name in given}
    if apis:
        given["apis"] = _names(apis)
    into = {"destination": destination, "staging": staging, "dataset": dataset, "pipeline_name": pipeline_name}
    run(into, given, tables=_tables(tables), as_json=as_json)


def run(
    into: Mapping[str, Any], settings: Mapping[str, Any], *, tables: Sequence[str] | None = None, as_json: bool = False
) -> None:
    """One sync with a display that suits the terminal, and its summary.

    Args:
        into: Arguments of `make_pipeline`.
        settings: Settings of the source that win over those that dlt finds; `sync` checks them.
        tables: Tables to load; None for all.
        as_json: Print the report as JSON, and show nothing else.
    """
    from dlt_authsignal.cli.report.notice import noticed
    from dlt_authsignal.cli.report.progress import showing
    from dlt_authsignal.cli.report.summary import print_report
    from dlt_authsignal.source.metrics.run_metrics import RunMetrics

    metrics = RunMetrics()
    with stoppable(STOPPED), noticed("sync"), showing(metrics, silent=as_json) as on_planned:
        from dlt_authsignal.pipeline.attach import make_pipeline
        from dlt_authsignal.pipeline.sync.run import sync
        from dlt_authsignal.pipeline.sync.stages import StageCollector
        from dlt_authsignal.project.settings import remember
        from dlt_authsignal.project.working_folder import working_folder

        notes: list[str] = []
        pipeline = make_pipeline(**into, progress=StageCollector(metrics), notes=notes)
        report = sync(pipeline, tables=tables, metrics=metrics, on_planned=on_planned, **settings)
        written = remember(working_folder(pipeline.pipeline_name))
        report.notes += [*notes, *([written] if written else [])]
    print_report(report, as_json=as_json)


def _tables(text: str | None) -> list[str] | None:
    if text is None:
        return None
    names = _names(text)
    unknown = [name for name in names if name not in TABLES]
    if unknown or not names:
        raise click.BadParameter(
            f'no table "{"".join(unknown[:1])}". Known: {", ".join(TABLES)}.', param_hint="--tables"
        )
    return names


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
