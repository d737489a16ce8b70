"""`dlt-authsignal alerts`."""

import click

from dlt_authsignal.cli import options
from dlt_authsignal.cli.shell import stoppable

STOPPED = "The detections that were found are in the table. The next run sends what this one did not."


@click.command(short_help="Look for attacks, and send each new detection once to Slack or a webhook.")
@click.option("--to", type=click.Choice(["slack", "webhook"]), help="Receiver. Default: the one that is configured.")
@click.option(
    "--since",
    metavar="SPAN",
    help="Send only detections whose last event is at most this old: 24h, 7d. Default: all that were not sent yet.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be sent. Changes and sends nothing.")
@options.loaded_data_options
@options.wait_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def alerts(
    to: str | None,
    since: str | None,
    dry_run: bool,
    destination: str,
    dataset: str | None,
    pipeline_name: str | None,
    as_json: bool,
) -> None:
    """Look for attacks in the loaded data, store them in the table detections, and send each new one once.

    There are six rules: MFA fatigue, one phone for many users, OTP pumping, brute force, a new authenticator after a
    recovery, impossible travel. Their thresholds are settings: [detections.RULE] in .dlt/config.toml. The receiver's
    address is slack_url or webhook_url under [alerts] in .dlt/secrets.toml. Without a receiver, nothing is sent.

    Run it after each sync.
    """
    from dlt_authsignal.cli.output.events.alerts import print_alerts, print_preview
    from dlt_authsignal.pipeline.alerts.detect import preview
    from dlt_authsignal.pipeline.alerts.send import send_alerts, to_send
    from dlt_authsignal.pipeline.attach import attach
    from dlt_authsignal.source.config.durations import duration

    oldest = duration("--since", since) if since else None
    pipeline = attach(destination=destination, dataset=dataset, pipeline_name=pipeline_name)
    if dry_run:
        found = preview(pipeline)
        print_preview(found, to_send(found, oldest), as_json=as_json)
        return
    from dlt_authsignal.pipeline.attach import make_pipeline

    with stoppable(STOPPED):
        pipeline = make_pipeline(destination=destination, dataset=dataset, pipeline_name=pipeline_name)
        report = send_alerts(pipeline, to=to, since=oldest)
    print_alerts(report, as_json=as_json)
