"""`dlt-authsignal show`: run dlt's dashboard in a process that ends with this one."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

import click

from dlt_authsignal.cli import names, options
from dlt_authsignal.cli.shell import signals_handled
from dlt_authsignal.errors import ConfigurationError, ExtraMissing, RunFailed
from dlt_authsignal.pipeline.wording import runnable

HOST: Final = "127.0.0.1"
READY_SECONDS: Final = 60
END_SECONDS: Final = 10


@click.command(short_help="Open dlt's dashboard on the loaded data.")
@click.option("--pipeline-name", show_default=names.PIPELINE, help="Pipeline that loaded the data.")
@click.option(
    "--port", default=2718, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 selects a free one."
)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@options.wait_option
def show(pipeline_name: str | None, port: int, no_browser: bool) -> None:
    """Open dlt's dashboard on the loaded data: tables, rows, SQL, schemas and the last runs.

    It listens on this machine only, and requires the key in the printed address. Press Ctrl-C to end it.
    """
    if not (find_spec("marimo") and find_spec("ibis")):
        raise ExtraMissing("The dashboard", "dashboard")
    pipeline_name, folder = _found(pipeline_name)
    port, key = _free_port(port), secrets.token_urlsafe(16)
    with signals_handled(signal.default_int_handler, "SIGTERM", "SIGHUP"):  # a closed terminal ends the child too
        _serve(pipeline_name, folder, port, key, browser=not no_browser)


def _serve(pipeline_name: str, folder: Path, port: int, key: str, *, browser: bool) -> None:
    dashboard = _start(pipeline_name, folder, port, key)
    try:
        _wait_until_ready(dashboard, port)
        address = f"http://{HOST}:{port}/?access_token={key}"
        click.echo(f"dlt's dashboard of {pipeline_name} (Ctrl-C ends it): {address}")
        if browser:
            webbrowser.open(address)
        raise RunFailed(f"The dashboard ended unexpectedly, with exit code {dashboard.wait()}.")
    except KeyboardInterrupt:
        click.echo("Dashboard ended.", err=True)
    finally:
        _end(dashboard)


def _found(name: str | None) -> tuple[str, Path]:
    """Return the pipeline's name, and the folder with the state of all pipelines of the project."""
    from dlt_authsignal.destination.errors import translate_errors
    from dlt_authsignal.project.names import pipeline_name_or
    from dlt_authsignal.project.pipelines import bring_state, check_is_ours
    from dlt_authsignal.project.working_folder import state_in, working_folder

    with translate_errors("duckdb"):
        pipeline_name = pipeline_name_or(name)
        bring_state(pipeline_name)
        where = working_folder(pipeline_name)
        states = (state.parent for state in where.parent.glob("*/state.json"))
        known = sorted(folder.name for folder in states if state_in(folder).get("schema_names"))
        if pipeline_name not in known:
            names = f" Known here: {', '.join(known)}." if known else ""
            command = f"{runnable('dlt-authsignal')} sync --pipeline-name {pipeline_name}"
            raise ConfigurationError(
                f'No pipeline "{pipeline_name}" has run in {where.parent}.{names} Run first: {command}'
            )
        state = state_in(where.path)
        kind = state.get("destination_name") or str(state.get("destination_type", "duckdb")).rpartition(".")[2]
        check_is_ours(where, kind)
        if kind == "duckdb":
            _wait_for_file(pipeline_name)
        return pipeline_name, where.parent


def _wait_for_file(pipeline_name: str) -> None:
    """With `--wait`, wait until no other program writes the DuckDB file: the dashboard does not wait."""
    from dlt_authsignal.pipeline.attach import attach_any
    from dlt_authsignal.project.waiting import is_set

    if is_set():
        with attach_any(pipeline_name=pipeline_name).sql_client():  # opens the file
            pass


def _free_port(wanted: int) -> int:
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError as error:
            raise ConfigurationError(
                f"Cannot listen on {HOST}:{wanted}: {error.strerror}. Choose another --port."
            ) from None
        return int(probe.getsockname()[1])


def _start(pipeline_name: str, folder: Path, port: int, key: str) -> "subprocess.Popen[bytes]":
    """Start marimo with dlt's notebook, in its own session: on the terminal's Ctrl-C it would ask a question."""
    options = ["--host", HOST, "--port", str(port), "--headless", "--token", "--token-password-file", "-"]
    about = ["--pipeline", pipeline_name, "--pipelines-dir", str(folder)]
    dashboard = subprocess.Popen(  # noqa: S603 - fixed arguments, no shell
        [sys.executable, "-m", "marimo", "run", str(_notebook()), *options, "--", *about],
        env={**os.environ, "MARIMO_SKIP_UPDATE_CHECK": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    if dashboard.stdin:
        dashboard.stdin.write(key.encode())  # not an argument: other users of this machine can read arguments
        dashboard.stdin.close()
    return dashboard


def _notebook() -> Path:
    """Return dlt's dashboard notebook: dlt's own command to open it needs the commercial dlthub package."""
    try:
        notebook = Path(str(files("dlt._workspace.helpers.dashboard"))) / "dlt_dashboard.py"
    except ModuleNotFoundError:
        notebook = Path()
    if not notebook.is_file():
        from importlib.metadata import version

        raise RunFailed(
            f"dlt {version('dlt')} does not have the dashboard of dlt 1.31. Run: pip install 'dlt>=1.31,<1.32'"
        )
    return notebook


def _wait_until_ready(dashboard: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if dashboard.poll() is not None:
            raise RunFailed(f"The dashboard did not start: marimo ended with exit code {dashboard.returncode}.")
        try:
            with urlopen(f"http://{HOST}:{port}/health", timeout=1):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise RunFailed(f"The dashboard was not ready after {READY_SECONDS} seconds.")


def _end(dashboard: "subprocess.Popen[bytes]") -> None:
    dashboard.terminate()
    try:
        dashboard.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        dashboard.kill()
        dashboard.wait()
