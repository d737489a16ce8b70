"""Options that several commands share."""

from typing import Any

import click

from dlt_authsignal.cli import names
from dlt_authsignal.project.waiting import seconds_of, wait_at_most


def _wait(_context: click.Context, _option: click.Parameter, value: str | None) -> None:
    seconds = seconds_of(value)
    if seconds is not None:
        wait_at_most(seconds)


def wait_option(command: Any) -> Any:
    """Add `--wait` to a command that opens the DuckDB file."""
    return click.option(
        "--wait",
        metavar="SPAN",
        expose_value=False,
        callback=_wait,
        help="Wait at most this long (60s, 5m) while another program has the DuckDB file open. Default: no wait.",
    )(command)


def loaded_data_options(command: Any) -> Any:
    """Add the options that name loaded data: `--destination`, `--dataset` and `--pipeline-name`."""
    for option in (
        click.option("--pipeline-name", show_default=names.PIPELINE, help="Name of the pipeline that loaded the data."),
        click.option("--dataset", show_default=names.DATASET, help="Dataset (schema) in the destination."),
        click.option("--destination", default="duckdb", show_default=True, help="dlt destination that holds the data."),
    ):
        command = option(command)
    return command
