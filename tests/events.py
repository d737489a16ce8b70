"""Events of a sandbox, through a receiver and its spool into the tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dlt_authsignal.pipeline.attach import make_pipeline
from dlt_authsignal.pipeline.events.load import load_events
from dlt_authsignal.pipeline.events.report import EventsReport
from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import SECRET
from tests.receivers import PATH, receiving


@contextmanager
def connected(running: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the sandbox send its events to a receiver, with settings that every command finds."""
    settings = {
        "AUTHSIGNAL_SOURCE__BASE_URL": running.url,
        "AUTHSIGNAL_SOURCE__API_SECRET_KEY": SECRET,
        "AUTHSIGNAL_SOURCE__PRIVACY": "keep",
        "AUTHSIGNAL_EVENTS__PATH": PATH,
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"SOURCES__{name}", value)
    with receiving(api_secret_key=SECRET) as receiver:
        url = f"http://127.0.0.1:{receiver.port}{PATH}"
        running.sandbox.webhooks.configure(log_events_url=url, authenticator_events_url=url)
        yield


def load(**into: Any) -> EventsReport:
    """Load the spool into the pipeline that the arguments describe."""
    return load_events(make_pipeline(**into))
