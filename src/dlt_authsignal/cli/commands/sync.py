"""`dlt-authsignal sync`."""

from typing import Any, Final

import click

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
@click.option("--dataset", default="authsignal_data", show_default=True, help="Dataset (schema) in it.")
@click.option("--pipeline-name", default="authsignal_pipeline", show_default=True, help="Names dlt's state.")
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
    "--refresh-user", metavar="ID", multiple=True, help="Read this user in any case: somebody has heard of a change."
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
    dataset: str,
    pipeline_name: str,
    apis: str | None,
    tables: str | None,
    as_json: bool,
    **source: Any,
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
    given = {name: value for name, value in source.items() if value not in (None, ())}
    given |= {name: list(given[name]) for name in ("users_from", "exclude_users", "refresh_users") if name in given}
    if apis:
        given["apis"] = _names(apis)
    run(
        as_json=as_json,
        destination=destination,
        staging=staging,
        dataset=dataset,
        pipeline_name=pipeline_name,
        resources=_tables(tables),
        **given,
    )


def run(*, as_json: bool, **arguments: Any) -> None:
    """One sync with a display that suits the terminal, and its summary."""
    from dlt_authsignal.cli.report.notice import noticed
    from dlt_authsignal.cli.report.progress import showing
    from dlt_authsignal.cli.report.summary import print_json, print_summary
    from dlt_authsignal.source.metrics.run_metrics import RunMetrics

    meter = RunMetrics()
    with stoppable(STOPPED), noticed("sync"), showing(meter, silent=as_json):
        from dlt_authsignal.pipeline.sync import run as engine

        report = engine.sync(meter=meter, **arguments)
    (print_json if as_json else print_summary)(report)


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
