"""What dlt learns of us: `dlt authsignal …`, and where our source is. Loaded at every `import dlt`, so it is light."""

import argparse
import os
import subprocess
import sys
from typing import ClassVar

from dlt.common.configuration import plugins


@plugins.hookimpl(specname="plug_cli")
def plug_cli_authsignal(host: str) -> type[plugins.SupportsCliCommand]:
    """Our command, under `dlt` and `dlthub`."""
    return AuthsignalCommand if host == "dlt" else HubCommand


class AuthsignalCommand:
    """Hands everything on to `dlt-authsignal`."""

    command: str = "authsignal"
    help_string: str = "Authsignal (passkeys, MFA) in your database: demo, init, sync, models, probe, sandbox, ai"
    description: str | None = "The same as the command dlt-authsignal. Without arguments it lists what it can do."
    docs_url: str | None = None
    parent: str | None = None
    compose: plugins.TCliCommandCompose = "replace"
    program: ClassVar[str] = "dlt authsignal"

    def configure_parser(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("arguments", nargs=argparse.REMAINDER, help="As for dlt-authsignal.")

    def execute(self, args: argparse.Namespace) -> None:
        """In a new process: this one has dlt configured already, with usage reports and a talkative log."""
        code = f"from dlt_authsignal.cli.main import main; main(program={self.program!r})"
        command = [sys.executable, "-c", code, *args.arguments]
        sys.stdout.flush()
        if os.name == "posix":
            os.execv(sys.executable, command)  # noqa: S606
        sys.exit(subprocess.call(command))  # noqa: S603


class HubCommand(AuthsignalCommand):
    """The same, as part of `dlthub`."""

    program = "dlthub authsignal"
