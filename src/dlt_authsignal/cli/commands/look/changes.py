"""`dlt-authsignal changes`."""

import json
from dataclasses import asdict
from typing import Any

import click

from dlt_authsignal.cli import options
from dlt_authsignal.errors import ConfigurationError


@click.command(short_help="Show what was changed in the configuration, and the effect of each change.")
@options.loaded_data_options
@click.option(
    "--days",
    type=click.IntRange(1, 365),
    default=7,
    show_default=True,
    help="Longest window before and after a change.",
)
@click.option("--last", type=click.IntRange(1), default=20, show_default=True, help="Number of changes to show.")
@options.wait_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with all changes.")
def changes(
    destination: str, dataset: str | None, pipeline_name: str | None, days: int, last: int, as_json: bool
) -> None:
    """Show what was changed in the tenant's configuration, and the effect of each change on its actions.

    A change happened between the last sync that did not show it and the first one that did. Its effect is the
    difference between the attempts of the action before and after that interval, over windows of equal length, with a
    95 % confidence interval. The command cannot separate other causes in the same window; it counts the other changes.

    Needs a management_secret_key in earlier syncs. The views config_changes and config_change_effects have the same
    figures.
    """
    from dlt_authsignal.cli.output.changes import print_changes
    from dlt_authsignal.destination.errors import translate_errors
    from dlt_authsignal.models.configuration.timeline import timeline
    from dlt_authsignal.pipeline.attach import attach

    with translate_errors(destination):
        pipeline = attach(destination=destination, dataset=dataset, pipeline_name=pipeline_name)
        found = timeline(pipeline, days)
    if found.read_at is None:
        raise ConfigurationError(
            f'Dataset "{pipeline.dataset_name}" of pipeline "{pipeline.pipeline_name}" has no configuration of the'
            " tenant. Put management_secret_key (Authsignal portal: Settings, API keys) under"
            " [sources.authsignal_source] in .dlt/secrets.toml, and run: dlt-authsignal sync"
        )
    if as_json:
        click.echo(json.dumps(asdict(found), default=_plain))
    else:
        print_changes(found, last)


def _plain(value: Any) -> str:
    return str(value.isoformat())
