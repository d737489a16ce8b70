"""Send an event for a test to the receiver, and follow it into the spool and the table."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

import aiohttp
from yarl import URL

from dlt_authsignal.api.webhooks import SIGNATURE_HEADER, envelope, sign
from dlt_authsignal.destination.errors import translate_errors
from dlt_authsignal.destination.stores.queries import are_there
from dlt_authsignal.errors import AuthsignalError, RunFailed
from dlt_authsignal.models.opened import opened
from dlt_authsignal.pipeline.attach import attach, fetch_schema
from dlt_authsignal.schema.tables.events import UNKNOWN_EVENTS
from dlt_authsignal.source.http.connection_faults import ADDRESS, explained
from dlt_authsignal.source.http.proxy import proxy_for
from dlt_authsignal.source.http.tls import trusted
from dlt_authsignal.spool import Spool
from dlt_authsignal.spool.names import HASH_DIGITS

TEST_TYPE: Final = "dlt_authsignal.doctor"
"""Type of the event. No table of Authsignal's events has this type, so it is stored in `unknown_events`."""

SECONDS: Final = 20.0
CLOCKS_APART: Final = timedelta(minutes=30)
"""The receiver's clock may differ this much: the spool is searched for files from so long ago."""

LOOK_SECONDS: Final = 3.0
SPOOL_SECONDS: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class SampleEvent:
    """An event for a test, and the body of its delivery."""

    event_id: str
    body: bytes

    @property
    def digest(self) -> str:
        return sha256(self.body).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The receiver's answer.

    Attributes:
        status: HTTP status.
        hint: What the receiver says about a refusal; empty if it says nothing.
        is_receiver: Whether the answer has the form of the receiver's answers.
        clock_ahead: Seconds by which the server's clock is ahead of this machine's; None if it does not tell.
    """

    status: int
    hint: str
    is_receiver: bool
    clock_ahead: float | None


def sample_event(tenant_id: str | None, now: datetime | None = None) -> SampleEvent:
    """Return an event that contains no user."""
    at = (now or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event_id = str(uuid4())
    sent = envelope(TEST_TYPE, {}, id=event_id, time=at, tenant_id=tenant_id or "")
    return SampleEvent(event_id=event_id, body=json.dumps(sent).encode())


def deliver(event: SampleEvent, url: str, keys: Sequence[str]) -> Answer:
    """Send the event, signed as Authsignal signs.

    Raises:
        RunFailed: No response came. The message says why.
    """
    return asyncio.run(_deliver(event, URL(url), keys))


async def _deliver(event: SampleEvent, url: URL, keys: Sequence[str]) -> Answer:
    headers = {"Content-Type": "application/json", SIGNATURE_HEADER: sign(keys, event.body, int(time.time()))}
    proxy = proxy_for(url)
    connector = aiohttp.TCPConnector(ssl=trusted() if url.scheme == "https" else True)
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, proxy=proxy.url if proxy else None) as session,
            session.post(url, data=event.body, headers=headers, allow_redirects=False) as response,
        ):
            return _answer(response.status, response.headers.get("Date"), await response.content.read(10_000))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        fault = explained(error, url.origin(), proxy)
    raise RunFailed(f"{fault.reason}. {fault.advice.replace(ADDRESS, '--url')}")


def _answer(status: int, date: str | None, body: bytes) -> Answer:
    try:
        found: Any = json.loads(body)
    except ValueError:
        found = None
    said = found if isinstance(found, dict) else {}
    return Answer(
        status=status,
        hint=str(said.get("hint", ""))[:500],
        is_receiver="hint" in said or "events" in said,
        clock_ahead=_ahead(date),
    )


def _ahead(date: str | None) -> float | None:
    try:
        return (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds() if date else None
    except ValueError:
        return None


def in_spool(event: SampleEvent, spool: Spool, tenant: str, seconds: float = SPOOL_SECONDS) -> str | None:
    """Return the name of the event's file in the spool; None if it is not there after some seconds."""
    deadline = time.monotonic() + seconds
    since = (datetime.now(UTC) - CLOCKS_APART).strftime(f"{tenant}/%Y-%m-%d/%Y%m%dT%H%M%S")
    while True:
        for file in spool.files(tenant, table=UNKNOWN_EVENTS.name, after=since):
            if event.digest[:HASH_DIGITS] in file.name:
                return file.name
        if time.monotonic() > deadline:
            return None
        time.sleep(0.2)


def in_table(event: SampleEvent, seconds: float, **where: Any) -> str | None:
    """Wait until the event is in the table, at most this many seconds.

    Args:
        event: The event.
        seconds: Maximum time.
        **where: Arguments of `attach`.

    Returns:
        None if it is there; otherwise why the table could not be read last, empty if it could.
    """
    deadline = time.monotonic() + seconds
    while True:
        why = ""
        try:
            if _is_there(event, **where):
                return None
        except AuthsignalError as error:  # such as: no data yet, or the file is open elsewhere
            why = str(error)
        if time.monotonic() + LOOK_SECONDS > deadline:
            return why
        time.sleep(LOOK_SECONDS)


def _is_there(event: SampleEvent, **where: Any) -> bool:
    pipeline = attach(**where)
    with translate_errors(pipeline.destination.destination_name):
        fetch_schema(pipeline)
        if not are_there(pipeline, [UNKNOWN_EVENTS.name]):
            return False
    with opened(pipeline) as (ask, stored, _):
        query = f"select sum(case when event_id = '{event.event_id}' then 1 else 0 end) from {UNKNOWN_EVENTS.name}"
        return UNKNOWN_EVENTS.name in stored and bool(ask(query)[0][0])
