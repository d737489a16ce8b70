"""Plugins for dlt: the command `dlt authsignal` and the source. Loaded at every `import dlt`, so imports are few."""

import argparse
import os
import subprocess
import sys
from typing import ClassVar

from dlt.common.configuration import plugins


@plugins.hookimpl(specname="plug_cli")
def plug_cli_authsignal(host: str) -> type[plugins.SupportsCliCommand]:
    """Return the command for the CLI of `dlt` or `dlthub`."""
    return AuthsignalCommand if host == "dlt" else HubCommand


class AuthsignalCommand:
    """The dlt subcommand that passes all its arguments to `dlt-authsignal`."""

    command: str = "authsignal"
    help_string: str = "Authsignal (passkeys, MFA) in your database: demo, init, sync, models, probe, sandbox, ai"
    description: str | None = "Same as the command dlt-authsignal. Run it without arguments to list the subcommands."
    docs_url: str | None = None
    parent: str | None = None
    compose: plugins.TCliCommandCompose = "replace"
    program: ClassVar[str] = "dlt authsignal"

    def configure_parser(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("arguments", nargs=argparse.REMAINDER, help="Arguments for dlt-authsignal.")

    def execute(self, args: argparse.Namespace) -> None:
        """Run in a new process: dlt is already configured in this one, with usage reports and a verbose log."""
        code = f"from dlt_authsignal.cli.main import main; main(program={self.program!r})"
        command = [sys.executable, "-c", code, *args.arguments]
        sys.stdout.flush()
        if os.name == "posix":
            os.execv(sys.executable, command)  # noqa: S606
        sys.exit(subprocess.call(command))  # noqa: S603


class HubCommand(AuthsignalCommand):
    """The same command as part of `dlthub`."""

    program = "dlthub authsignal"
