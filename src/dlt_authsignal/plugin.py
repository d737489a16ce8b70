"""Plugins for dlt: the command `dlt authsignal` and the source. Loaded at every `import dlt`, so imports are few."""

import argparse
import os
import subprocess
import sys
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from contextlib import suppress
from typing import Any, ClassVar

from dlt.common.configuration import plugins


@plugins.hookimpl(specname="plug_cli")
def plug_cli_authsignal(host: str) -> type[plugins.SupportsCliCommand]:
    """Return the command for the CLI of `dlt` or `dlthub`."""
    return AuthsignalCommand if host == "dlt" else HubCommand


@plugins.hookimpl(specname="plug_run_context", tryfirst=True)
def plug_marked_settings(run_dir: str | None, runtime_kwargs: dict[str, Any] | None) -> None:
    """Let dlt read settings that begin with a byte-order mark, if this folder has any. The context stays dlt's.

    dlt asks for plugins just before it reads its settings, in scripts too. A dlt in which this cannot be changed works
    as it does without this package.
    """
    from dlt.common.runtime.run_context import global_dir

    project = os.environ.get("DLT_PROJECT_DIR") or run_dir or "."
    if not any(_is_marked(folder) for folder in (os.path.join(project, ".dlt"), global_dir())):
        return
    from dlt_authsignal.errors import ConfigurationError

    with suppress(ConfigurationError, ImportError):
        from dlt_authsignal.destination.dlt_patches import read_marked_settings

        read_marked_settings()


def _is_marked(folder: str) -> bool:
    """Whether a TOML file of settings in the folder begins with the mark of UTF-8 or UTF-16."""
    for name in ("secrets.toml", "config.toml"):
        with suppress(OSError), open(os.path.join(folder, name), "rb") as file:
            if file.read(3).startswith((BOM_UTF8, BOM_UTF16_LE, BOM_UTF16_BE)):
                return True
    return False


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
