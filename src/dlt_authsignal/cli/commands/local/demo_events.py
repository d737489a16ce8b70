"""The part of `dlt-authsignal demo` about events: a receiver gets the past of the invented people."""

import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from dlt_authsignal.errors import RunFailed

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

    from dlt_authsignal.sandbox import RunningSandbox

PATH: Final = "/webhooks/demo"
DUPLICATES: Final = 0.05
START_SECONDS: Final = 10.0
STOP_SECONDS: Final = 15.0
_PREFIX: Final = "SOURCES__AUTHSIGNAL_SOURCE__"


def load_past(
    running: "RunningSandbox", into: Mapping[str, Any], settings: Mapping[str, Any], *, days: int, seed: int
) -> None:
    """Send the past to a receiver, with repetitions and in random order, and load what it kept.

    Receiver and spool are removed at the end.
    """
    from dlt_authsignal.pipeline.attach import make_pipeline
    from dlt_authsignal.pipeline.events.load import load_events
    from dlt_authsignal.sandbox.webhooks.settings import WebhookFaults

    own = {"path": PATH, "api_secret_key": settings["api_secret_key"], "tenant_id": settings["tenant_id"]}
    webhooks = running.sandbox.webhooks
    with tempfile.TemporaryDirectory(prefix="authsignal-spool-") as spool, _configured(settings):
        with _receiver({**own, "spool": spool}) as url:
            webhooks.configure(log_events_url=url, authenticator_events_url=url)
            webhooks.set_faults(WebhookFaults(duplicates=DUPLICATES, shuffle=True, seed=seed))
            sent = running.sandbox.history.send_and_wait(days)
            webhooks.configure(log_events_url=None, authenticator_events_url=None)
        if sent.failed:
            raise RunFailed(f"The receiver accepted {sent.events:,} events, then no more ({sent.failed}).")
        click.echo(
            f"   {sent.events:,} events from {days} days in {sent.deliveries:,} deliveries, signed,"
            " shuffled, some twice: verified and stored"
        )
        report = load_events(make_pipeline(**into), **own, spool=spool)
    tables = ", ".join(f"{name} {rows:,}" for name, rows in report.tables.items() if rows)
    click.echo(f"   Loaded in {report.seconds:.1f} s, {report.copies:,} duplicates left out: {tables}\n")


def print_comparison(pipeline: "Pipeline") -> None:
    """Print on how many attempts events and the API agree."""
    from rich.console import Console

    from dlt_authsignal.cli.output.events.reconciliation import event_lines
    from dlt_authsignal.models.events.reconciliation import read_reconciliation

    found = read_reconciliation(pipeline)
    for line in list(event_lines(found))[1:2] if found else ():
        Console(highlight=False, soft_wrap=True).print(f"\n{line}")


@contextmanager
def _configured(settings: Mapping[str, Any]) -> Iterator[None]:
    """Set the source's settings for everything that runs in the block, above the project's own."""
    names = ("base_url", "api_secret_key", "tenant_id", "privacy_key")
    values = {f"{_PREFIX}{name.upper()}": str(settings[name]) for name in names}
    values[f"{_PREFIX}REGION"] = ""  # a project's own region would contradict the URL
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _receiver(settings: Mapping[str, Any]) -> Iterator[str]:
    """Run a receiver in a thread; give the URL of its webhook."""
    from dlt_authsignal.receiver import create_app
    from dlt_authsignal.receiver.serve import listen, server
    from dlt_authsignal.source.config.event_settings import resolved_event_settings

    running = server(create_app(resolved_event_settings(**settings)))
    bound = listen("127.0.0.1", 0)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]}, name="demo-receiver", daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + START_SECONDS
        while not running.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise RunFailed("The receiver did not start. Nothing was sent.")
            time.sleep(0.01)
        yield f"http://127.0.0.1:{bound.getsockname()[1]}{PATH}"
    finally:
        running.should_exit = True
        thread.join(STOP_SECONDS)
        bound.close()
