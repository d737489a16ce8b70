"""`dlt-authsignal init --events`."""

import secrets
from typing import Final

import click

from dlt_authsignal.cli import project
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.pipeline.wording import runnable

SECTION: Final = ("sources", "authsignal_events")
PATH_BYTES: Final = 32
"""Randomness of the path. It is no replacement of the signature, and keeps strangers away from it."""

SPOOL_IGNORED: Final = "spool/"
PORTAL: Final = ("log events URL", "authenticator events URL")


def set_up_events() -> None:
    """Make the webhook's path unless there is one, and print what to enter in Authsignal's portal.

    Nothing else in the settings is changed.
    """
    from dlt_authsignal.source.config.event_settings import DEFAULT_TENANT, resolved_event_settings

    present = project.settings_in(project.SECRETS, SECTION)
    configured = project.settings_in(project.CONFIG, SECTION)
    path = _checked(present.get("path") or configured.get("path"))
    if path:
        click.echo("The webhook has a path already. It was not changed.")
    else:
        path = f"/webhooks/{secrets.token_urlsafe(PATH_BYTES)}"
        _write(path)
    _print_next(path)
    if not resolved_event_settings(path=path).tenant(DEFAULT_TENANT).keys:
        click.echo("\nNo api_secret_key was found. The receiver checks signatures with it. Run: dlt-authsignal init")


def _checked(path: object) -> str | None:
    if path is None or (isinstance(path, str) and path.startswith("/")):
        return path
    raise ConfigurationError(
        "path in [sources.authsignal_events] does not begin with /. Nothing was written. Correct it, or remove it, so"
        " that init --events makes one."
    )


def _write(path: str) -> None:
    ignored = (*project.IGNORED, SPOOL_IGNORED)
    if project.write(project.IGNORE, project.with_lines(project.IGNORE, ignored)):
        click.echo(f"Wrote {project.IGNORE}: git ignores the keys and the data.")
    project.write(project.SECRETS, project.merged(project.SECRETS, {SECTION: {"path": path}}), private=True)
    click.echo(f"Wrote {project.SECRETS}: path of the webhook. Only you can read it.")


def _print_next(path: str) -> None:
    program = runnable("dlt-authsignal")
    where = " and ".join(PORTAL)
    click.echo(
        f"""
1. Start the receiver, behind a proxy with TLS:
   {program} receive --load-every 60s
2. In Authsignal's portal, in the settings of your tenant, enter this as {where}, with your own host:
   https://YOUR-HOST{path}
   It is like a password: only Authsignal needs it.
3. Check the way of an event into the table:
   {program} doctor --events --url https://YOUR-HOST"""
    )
