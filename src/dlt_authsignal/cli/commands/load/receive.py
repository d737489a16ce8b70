"""`dlt-authsignal receive`."""

import logging
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import click

from dlt_authsignal.cli import names
from dlt_authsignal.cli.shell import signals_handled
from dlt_authsignal.errors import ConfigurationError

if TYPE_CHECKING:
    from dlt_authsignal.receiver.repeated_load import RepeatedLoad
    from dlt_authsignal.source.config.event_settings import EventSettings

LOAD_WAIT: Final = "60s"
"""How long a repeated load waits for a sync that is running, or for a program that has the DuckDB file open."""


@click.command(short_help="Receive events by webhook and store them.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. Put a proxy with TLS in front of it.",
)
@click.option(
    "--port",
    default=8480,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on. 0 chooses a free port.",
)
@click.option(
    "--spool",
    metavar="URL",
    help="Where to store deliveries: a folder, or an s3://, gs:// or az:// URL. Default: the setting spool.",
)
@click.option(
    "--load-every",
    metavar="SPAN",
    help="Also run `dlt-authsignal events load` at this interval (60s, 5m), in a separate process. Default: never.",
)
@click.option(
    "--tenant",
    "tenants",
    metavar="NAME",
    multiple=True,
    help="Receive events of this tenant only. Repeatable. Default: all tenants that have a path.",
)
@click.option(
    "--destination", default="duckdb", show_default=True, help="dlt destination that --load-every loads into."
)
@click.option("--dataset", show_default=names.DATASET, help="Dataset (schema) that --load-every loads into.")
@click.option(
    "--pipeline-name",
    show_default=names.PIPELINE,
    help="Name of the pipeline whose settings are used, and that --load-every loads with.",
)
def receive(
    host: str,
    port: int,
    spool: str | None,
    load_every: str | None,
    tenants: tuple[str, ...],
    destination: str,
    dataset: str | None,
    pipeline_name: str | None,
) -> None:
    """Receive events by webhook and store them.

    The receiver verifies each delivery, protects its identifiers, writes it to the spool, and only then answers 200.
    Authsignal sends a delivery again after any other answer. `dlt-authsignal events load` loads the spool into
    the database.

    GET /healthz says whether deliveries are accepted. GET /metrics has metrics for Prometheus.

    \b
        dlt-authsignal receive --load-every 60s
    """
    from dlt_authsignal.project.names import pipeline_name_or
    from dlt_authsignal.receiver import create_app
    from dlt_authsignal.source.config.event_settings import resolved_event_settings
    from dlt_authsignal.source.config.resolve import resolved_settings

    _log_to_stderr()
    name = pipeline_name_or(pipeline_name)
    source = resolved_settings(name)
    settings = resolved_event_settings(name, source, **({"spool": spool} if spool else {}))
    into = {"--destination": destination, "--dataset": dataset, "--pipeline-name": pipeline_name, "--spool": spool}
    load = _load(load_every, settings, tenants, into)
    app = create_app(settings, source, tenants=tenants or None, load=load)

    from dlt_authsignal.receiver.serve import listen, server

    bound = listen(host, port)
    address, chosen = bound.getsockname()[:2]
    click.echo(f"Receiving on http://{f'[{address}]' if ':' in address else address}:{chosen}, spool {settings.spool}")
    running = server(app)
    with signals_handled(lambda *_: None, "SIGINT", "SIGTERM"):  # uvicorn raises the signal again when it has stopped
        running.run(sockets=[bound])
    if not running.started:
        raise click.exceptions.Exit(1)
    click.echo("Receiver stopped. Accepted deliveries are in the spool.", err=True)


def _load(
    every: str | None, settings: "EventSettings", tenants: tuple[str, ...], into: Mapping[str, str | None]
) -> "RepeatedLoad | None":
    if every is None:
        return None
    from dlt_authsignal.receiver.repeated_load import RepeatedLoad
    from dlt_authsignal.source.config.durations import duration

    span = duration("--load-every", every)
    if span < timedelta(seconds=1):
        raise ConfigurationError("--load-every must be at least 1s.")
    received = tenants or tuple(name for name, tenant in settings.tenants.items() if tenant.path)
    if len(received) > 1:
        raise ConfigurationError(
            "--load-every loads one tenant, because a dataset belongs to one, and this receiver has several:"
            f" {', '.join(received)}. Nothing is received. Run dlt-authsignal events load --tenant NAME for each"
            " of them from a scheduler."
        )
    options = {"--wait": LOAD_WAIT, "--tenant": received[0] if received else None, **into}
    given = [part for name, value in options.items() if value for part in (name, value)]
    program = "from dlt_authsignal.cli.main import main; main('dlt-authsignal')"
    return RepeatedLoad([sys.executable, "-c", program, "events", "load", *given], span.total_seconds())


def _log_to_stderr() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    for name in ("dlt_authsignal.receiver", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.INFO if name.startswith("dlt") else logging.WARNING)
