"""A receiver in a thread, and a sender that signs: what the tests of events need."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from dlt_authsignal.api.webhooks import ACTION_LOG, SIGNATURE_HEADER, batch, envelope, sign
from dlt_authsignal.receiver import create_app
from dlt_authsignal.receiver.limits import Limits
from dlt_authsignal.receiver.serve import listen, server
from dlt_authsignal.source.config.event_settings import resolved_event_settings
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.spool import Spool, SpoolFile, open_spool

KEY = "a-server-api-secret-key"
PATH = "/webhooks/3f9d0c"
TENANT = "11111111-2222-3333-4444-555555555555"


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def hint(self) -> str:
        return str(json.loads(self.body)["hint"])


@dataclass(frozen=True)
class Receiver:
    """A receiver that listens on a port of this machine."""

    port: int
    spool: Spool

    def request(
        self, body: bytes | Iterator[bytes], headers: Mapping[str, str], path: str = PATH, method: str = "POST"
    ) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def deliver(self, body: bytes, *, key: str | Sequence[str] = KEY, at: float = 0, path: str = PATH) -> Answer:
        """Send a signed body.

        Args:
            body: The body.
            key: Keys that sign.
            at: Seconds from now of the time that is signed.
            path: Path of the webhook.
        """
        return self.request(body, signed(body, key=key, at=at), path)

    def get(self, path: str) -> Answer:
        return self.request(b"", {}, path, "GET")

    def files(self, tenant: str = "default") -> list[SpoolFile]:
        return list(self.spool.files(tenant))

    def rows(self, table: str = "action_log", tenant: str = "default") -> list[dict[str, Any]]:
        """Rows of all files of a table."""
        return [row for file in self.spool.files(tenant, table=table) for row in read(self.spool.read(file.name))]


def s3_environment(url: str) -> dict[str, str]:
    """Variables for an S3 of tests."""
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}
    return {"AWS_ENDPOINT_URL": url, **keys}


def read(content: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(pa.BufferReader(content)).to_pylist()
    return found


def signed(body: bytes, *, key: str | Sequence[str] = KEY, at: float = 0) -> dict[str, str]:
    """Headers of a signed delivery."""
    return {"Content-Type": "application/json", SIGNATURE_HEADER: sign(key, body, int(time.time() + at))}


def action(event_id: str | None = None, **fields: Any) -> dict[str, Any]:
    """The envelope of one event."""
    payload = {"userId": "user-1", "actionCode": "signIn", "idempotencyKey": "i-1", "state": "ALLOW", **fields}
    return envelope(ACTION_LOG, payload, id=event_id or str(uuid4()), time="2026-11-29T10:00:00.000Z", tenant_id=TENANT)


def batch_of(*envelopes: Mapping[str, Any]) -> bytes:
    """The body of a batch."""
    return json.dumps(batch([dict(each) for each in envelopes])).encode()


@contextmanager
def receiving(
    spool: str | Path = "spool",
    *,
    limits: Limits | None = None,
    source: Mapping[str, Any] | None = None,
    only: Sequence[str] | None = None,
    **settings: Any,
) -> Iterator[Receiver]:
    """A receiver in a thread of this process. It starts with one tenant; settings are those of events."""
    plain = SourceSettings(**{"api_secret_key": KEY, "privacy": "keep", **(source or {})})
    found = resolved_event_settings(source=plain, spool=str(spool), **{"path": PATH, **settings})
    running = server(create_app(found, plain, tenants=only, limits=limits), limits)
    bound = listen("127.0.0.1", 0)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        _wait_until_started(running, thread)
        yield Receiver(bound.getsockname()[1], open_spool(str(spool)))
    finally:
        running.should_exit = True
        thread.join(30)
        bound.close()
    assert not thread.is_alive(), "the receiver did not stop"


def _wait_until_started(running: Any, thread: threading.Thread) -> None:
    deadline = time.monotonic() + 60
    while not running.started:
        assert thread.is_alive(), "the receiver did not start"
        assert time.monotonic() < deadline, "the receiver did not start in time"
        time.sleep(0.005)


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
