"""Change a sandbox's configuration by the Management API, and sync it as at a given time."""

from datetime import datetime
from typing import Any

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.pipeline.sync.report import SyncReport
from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.source.clock import dated
from tests.helpers import MANAGEMENT_SECRET, ask, sync_into

NEEDED = {"apis": ["management"], "rate": "max", "attempts": 3, "backoff": 0.01, "privacy": "keep"}


def manage(running: RunningSandbox, method: str, path: str, body: Any = None) -> Any:
    status, answer, *_ = ask(running, method, f"/management{path}", body, auth=basic_auth(MANAGEMENT_SECRET))
    assert status < 300, answer
    return answer


def configured(running: RunningSandbox, at: datetime | None = None, **arguments: Any) -> SyncReport:
    """One sync of the configuration, at a time by the sandbox's clock."""
    given = {**NEEDED, "base_url": running.url, "management_secret_key": MANAGEMENT_SECRET, **arguments}
    if at is None:
        return sync_into(**given)
    with dated(at):
        return sync_into(**given)
