"""`dlt-authsignal doctor`."""

import click

from dlt_authsignal.errors import ConfigurationError, ListingRefused


@click.command(short_help="Try out keys and destination: what works, and what to do about what does not.")
@click.option("--destination", default="duckdb", show_default=True, help="dlt destination to try out.")
@click.option("--pipeline-name", default="authsignal_pipeline", show_default=True, help="The pipeline that will sync.")
def doctor(destination: str, pipeline_name: str) -> None:
    """Try out the keys, by reading a little with each, and a destination, as a sync would use it: in a dataset of its
    own that is dropped again.

    Says what works, one line each, and what to do about what does not. Nothing is written to Authsignal.
    """
    from dlt_authsignal.pipeline.monitor.destination_check import try_out

    refused, reads_everybody = _keys()
    _privacy()
    for done in try_out(destination, pipeline_name):
        _tick(f"{destination}: {done}")
    if refused:
        raise ConfigurationError(refused)
    if reads_everybody:
        _due(destination, pipeline_name)
    named = "" if pipeline_name == "authsignal_pipeline" else f" --pipeline-name {pipeline_name}"
    click.echo(f"\nNext: dlt-authsignal sync --destination {destination}{named}")


def _due(destination: str, pipeline_name: str) -> None:
    """Says what a sync would have to do now."""
    from dlt_authsignal.cli.report.estimate import estimate
    from dlt_authsignal.pipeline.monitor.forecast import forecast

    try:
        _tick(f"sync: {estimate(forecast(destination, pipeline_name))}")
    except ListingRefused as refused:
        click.echo(f"- sync: {refused}")


def _privacy() -> None:
    """Says what is done to identifiers."""
    from dlt_authsignal.destination.errors import translate_errors
    from dlt_authsignal.source.privacy.settings import LEFT_OUT, privacy_settings

    with translate_errors("duckdb"):
        found = privacy_settings()
    if found.leaves_out:
        click.echo(f"- privacy: {LEFT_OUT}")
    elif found.mode == "keep":
        click.echo("- privacy: identifiers are loaded as they are (keep)")
    else:
        _tick("privacy: identifiers are hashed with privacy_key (pseudonymize)")
    if found.columns:
        click.echo(f"  but for {', '.join(f'{name}: {chosen}' for name, chosen in found.columns.items())}")


def _keys() -> tuple[str, bool]:
    """Says what each key unlocks; returns what is wrong with those that do not work, and whether everybody can be
    read."""
    from dlt_authsignal.destination.errors import translate_errors
    from dlt_authsignal.pipeline.monitor.key_check import check
    from dlt_authsignal.source.config.connection import settings

    with translate_errors("duckdb"):
        found = settings()
    if not (found.api_secret_key or found.tenant_id or found.token):
        click.echo("- no keys found: dlt-authsignal init sets them up")
        return "", False
    wrong = []
    for finding in check(found):
        if finding.works:
            _tick(f"{finding.setting}: {', '.join(finding.tables)}. {' '.join(finding.notes)}")
        else:
            click.echo(f"{click.style('✗', fg='red')} {finding.setting}: {' '.join(finding.notes)}")
            wrong.append(f"{finding.setting} does not work at {found.base.host}: {' '.join(finding.notes)}")
    return " ".join(wrong), bool(found.api_secret_key) and not wrong


def _tick(text: str) -> None:
    click.echo(f"{click.style('✓', fg='green')} {text}")
