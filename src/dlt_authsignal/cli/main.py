"""`dlt-authsignal`: the group, and what an error looks like."""

import os
import sys

import click

from dlt_authsignal.cli.commands.load.erase import erase
from dlt_authsignal.cli.commands.load.events import events
from dlt_authsignal.cli.commands.load.probe import probe
from dlt_authsignal.cli.commands.load.receive import receive
from dlt_authsignal.cli.commands.load.sync import sync
from dlt_authsignal.cli.commands.local.demo import demo
from dlt_authsignal.cli.commands.local.sandbox import sandbox
from dlt_authsignal.cli.commands.look.alerts import alerts
from dlt_authsignal.cli.commands.look.changes import changes
from dlt_authsignal.cli.commands.look.dashboard import dashboard
from dlt_authsignal.cli.commands.look.models import models
from dlt_authsignal.cli.commands.look.report import report
from dlt_authsignal.cli.commands.look.show import show
from dlt_authsignal.cli.commands.look.status import status
from dlt_authsignal.cli.commands.setup.ai import ai
from dlt_authsignal.cli.commands.setup.doctor import doctor
from dlt_authsignal.cli.commands.setup.init import init
from dlt_authsignal.cli.shell import quieten_dlt
from dlt_authsignal.cli.values import check_options
from dlt_authsignal.errors import AuthsignalError
from dlt_authsignal.project.garbage import collect_seldom
from dlt_authsignal.project.private_files import OTHERS


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="dlt-authsignal")
def cli() -> None:
    """Sync your Authsignal users, passkeys, sign-ins and devices into your own database.

    New here? Run `dlt-authsignal demo`: it needs no account and no network. Then set up
    your own: `dlt-authsignal init`, and `dlt-authsignal sync`.

    Exit codes: 0 done, 1 the run failed, 2 wrong usage or configuration.
    """
    quieten_dlt()


for command in (
    demo,
    init,
    doctor,
    sync,
    receive,
    events,
    status,
    dashboard,
    report,
    changes,
    alerts,
    show,
    models,
    probe,
    erase,
    sandbox,
    ai,
):
    cli.add_command(command)
check_options(cli)


def main(program: str | None = None) -> None:
    """Entry point: our own errors as one message and their exit code, without a traceback."""
    os.umask(OTHERS)  # the process is this command's own, so no other program's files change
    collect_seldom()
    try:
        sys.exit(cli(prog_name=program, standalone_mode=False) or 0)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except AuthsignalError as error:
        click.secho(f"Error: {error}", fg="red", err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nStopped.", err=True)
        sys.exit(1)
