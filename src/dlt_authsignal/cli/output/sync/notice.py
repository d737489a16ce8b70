"""Notification of a failed run to a chat channel."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from dlt_authsignal.errors import AuthsignalError

PATIENCE_SECONDS: Final = 10.0


@contextmanager
def noticed(what: str) -> Iterator[None]:
    """Post an error that ends the block to `[runtime] slack_incoming_hook`, if set, and re-raise it.

    The message is Slack's `{"text": …}`, which Mattermost, Rocket.Chat and others accept too.
    """
    try:
        yield
    except AuthsignalError as error:
        _post(f"dlt-authsignal {what} failed on {socket.gethostname()}: {error}")
        raise


def _hook() -> str | None:
    import dlt

    try:
        return dlt.secrets.get("runtime.slack_incoming_hook", str)
    except Exception:  # unreadable settings are already the reason why the run failed
        return None


def _post(message: str) -> None:
    hook = _hook()
    if not hook:
        return
    failed: list[str] = []

    def send() -> None:
        from dlt.common.runtime.slack import send_slack_message

        try:
            send_slack_message(hook, message, is_markdown=False)
        except Exception as error:  # its text contains the hook's URL, which is a secret
            failed.append(type(error).__name__)

    sender = threading.Thread(target=send, daemon=True)  # dlt's helper has no timeout
    sender.start()
    sender.join(PATIENCE_SECONDS)
    if sender.is_alive() or failed:
        reason = failed[0] if failed else "no response"
        click.echo(f"The notice to runtime.slack_incoming_hook was not delivered ({reason}).", err=True)
