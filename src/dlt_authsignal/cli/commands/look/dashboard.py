"""`dlt-authsignal dashboard`."""

import click

from dlt_authsignal.cli import options
from dlt_authsignal.cli.shell import signals_handled
from dlt_authsignal.errors import ExtraMissing

_PARTS = ("jinja2", "starlette", "uvicorn")


@click.command(short_help="Open the KPIs in your browser: trends, funnel, changes, security.")
@click.option(
    "--port",
    default=8765,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port on this machine. If another program uses it, a free one is chosen.",
)
@click.option("--no-open", is_flag=True, help="Print the address only, and do not open the browser.")
@options.loaded_data_options
@options.wait_option
def dashboard(port: int, no_open: bool, destination: str, dataset: str | None, pipeline_name: str | None) -> None:
    """Show the KPIs in your browser, from your own database.

    The pages are served on this machine only, and no data leaves it. They show no users. A sync can run at the same
    time; the pages then show the new data. Ctrl-C stops the server.

    \b
        dlt-authsignal dashboard
        dlt-authsignal dashboard --no-open --port 9000
    """
    try:
        from dlt_authsignal.dashboard.serve.app import make_app
    except ModuleNotFoundError as missing:
        if (missing.name or "").split(".")[0] not in _PARTS:
            raise
        raise ExtraMissing("The dashboard", "dashboard") from None
    from dlt_authsignal.dashboard.serve.current import Current
    from dlt_authsignal.dashboard.serve.data import data_of
    from dlt_authsignal.dashboard.serve.server import listen, server
    from dlt_authsignal.destination.errors import translate_errors
    from dlt_authsignal.pipeline.attach import attach

    with translate_errors(destination):
        pipeline = attach(destination=destination, dataset=dataset, pipeline_name=pipeline_name)
        click.echo(f"Reading the figures of {pipeline.dataset_name} …", err=True)
        current = Current(data_of(pipeline, destination), in_background=True)
    bound = listen(port)
    chosen = bound.getsockname()[1]
    url = f"http://127.0.0.1:{chosen}/"
    if port not in (0, chosen):
        click.echo(f"Port {port} is in use by another program.", err=True)
    click.echo(f"Dashboard: {url}  (Ctrl-C ends it)")
    if not no_open:
        _open(url)
    running = server(make_app(current, chosen))
    current.start(on_failure=lambda: setattr(running, "should_exit", True))
    with signals_handled(lambda *_: None, "SIGINT", "SIGTERM"):  # uvicorn raises the signal again when it has stopped
        running.run(sockets=[bound])
    current.stop()
    if current.failure:
        with translate_errors(destination):
            raise current.failure
    click.echo("Dashboard stopped.", err=True)


def _open(url: str) -> None:
    import webbrowser

    if not webbrowser.open(url):
        click.echo("No browser could be opened. Open the address yourself.", err=True)
