"""`dlt-authsignal doctor`."""

import os

import click


@click.command(short_help="Try out a destination: connect, write, merge, drop.")
@click.option("--destination", default="duckdb", show_default=True, help="dlt destination to try out.")
@click.option("--pipeline-name", default="authsignal_pipeline", show_default=True, help="The pipeline that will sync.")
def doctor(destination: str, pipeline_name: str) -> None:
    """Try out a destination as a sync would use it, in a dataset of its own that is dropped again.

    Says what works, one line each, and ends at the first thing that does not with what to do about it. Asks nothing
    of Authsignal.
    """
    os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")
    from dlt_authsignal.source.trial import try_out

    for done in try_out(destination, pipeline_name):
        click.echo(f"{click.style('✓', fg='green')} {destination}: {done}")
    click.echo(f"\nNext: dlt-authsignal sync --destination {destination}")
