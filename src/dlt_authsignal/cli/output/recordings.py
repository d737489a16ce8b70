"""What `sandbox replay` and `sandbox compare` print."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from dlt_authsignal.pipeline.wording import counted

if TYPE_CHECKING:
    from dlt_authsignal.recordings.compare import Comparison
    from dlt_authsignal.recordings.replay import Outcome
    from dlt_authsignal.recordings.values import Difference


def print_replay(outcomes: "Sequence[Outcome]", *, as_json: bool) -> None:
    """Print requests whose responses differ, requests that were not sent, and how many there are of each."""
    if as_json:
        click.echo(json.dumps({"requests": [asdict(outcome) for outcome in outcomes]}))
        return
    for outcome in outcomes:
        if outcome.differences:
            click.echo(f"{outcome.number:>5}  differs   {outcome.request}")
            for difference in outcome.differences:
                click.echo(f"{'':17}{_line(difference)}")
        elif outcome.skipped:
            click.echo(f"{outcome.number:>5}  not sent  {outcome.request}: {outcome.skipped}")
    different = sum(bool(outcome.differences) for outcome in outcomes)
    skipped = sum(outcome.skipped is not None for outcome in outcomes)
    equal = len(outcomes) - different - skipped
    click.echo(
        f"{counted(len(outcomes), 'request')}: {equal:,} as recorded, {different:,} differ, {skipped:,} not sent."
    )


def _line(found: "Difference") -> str:
    if found.now is None:
        return f"{found.path}: was {found.recorded}, is missing now"
    if found.recorded is None:
        return f"{found.path}: is {found.now}, was missing"
    return f"{found.path}: was {found.recorded}, is {found.now}"


def print_comparison(found: "Comparison", *, as_json: bool) -> None:
    """Print differences in form, and which requests were sent and which were not."""
    if as_json:
        differences = [asdict(difference) for difference in found.differences]
        click.echo(
            json.dumps({"host": found.host, "sent": found.sent, "differences": differences, "skipped": found.skipped})
        )
        return
    route = ""
    for difference in found.differences:
        if difference.route != route:
            click.echo(difference.route)
        route = difference.route
        sandbox, tenant = difference.sandbox or "never returned", difference.tenant or "never returned"
        click.echo(f"    {difference.path}: sandbox {sandbox}, tenant {tenant}")
    for reason, number in found.skipped.most_common():
        click.echo(f"Not sent: {number:,} × {reason}.")
    click.echo(
        f"{counted(sum(found.sent.values()), 'GET request')} to {found.host}, {counted(len(found.sent), 'route')}:"
        f" {counted(len(found.differences), 'difference')}."
    )
