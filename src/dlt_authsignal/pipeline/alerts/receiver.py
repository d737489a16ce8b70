"""Send one message to a receiver, with retries. Neither its address nor its key is in any error."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version

import aiohttp
from anyio.from_thread import start_blocking_portal
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from dlt_authsignal.pipeline.alerts.message import slack_body, webhook_body
from dlt_authsignal.pipeline.alerts.settings import AlertSettings
from dlt_authsignal.pipeline.alerts.table import Detection
from dlt_authsignal.source.http.connection_faults import explained
from dlt_authsignal.source.http.proxy import proxy_for
from dlt_authsignal.source.http.tls import trusted

LONGEST_WAIT = 30.0
"""Seconds. Longest single wait between two tries, also if the receiver asks for more."""

_MOST_READ = 1024


class NotAccepted(Exception):
    """A receiver did not accept a message.

    Attributes:
        why: What happened, without the address.
        retryable: Whether another try may succeed.
        retry_after: Seconds that the receiver asked to wait.
    """

    def __init__(self, why: str, *, retryable: bool, retry_after: float | None = None) -> None:
        self.why, self.retryable, self.retry_after = why, retryable, retry_after
        super().__init__(why)


def send(row: Detection, settings: AlertSettings) -> None:
    """Send an alert, and return when the receiver has answered with a status from 200 to 299.

    Raises:
        NotAccepted: It did not, after all tries.
    """
    body, headers = _message(row, settings)
    with start_blocking_portal("asyncio") as portal:
        failed = portal.call(_tried, settings, body, headers)
    if failed is not None:
        raise failed


def _message(row: Detection, settings: AlertSettings) -> tuple[bytes, dict[str, str]]:
    headers = {"Content-Type": "application/json", "User-Agent": f"dlt-authsignal/{version('dlt-authsignal')}"}
    if settings.secret is None:
        return slack_body(row).encode(), headers
    from standardwebhooks import Webhook

    now = datetime.now(UTC)
    text = webhook_body(row, now)
    headers |= {
        "webhook-id": row.detection_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(settings.secret).sign(row.detection_id, now, text),
    }
    return text.encode(), headers


async def _tried(settings: AlertSettings, body: bytes, headers: Mapping[str, str]) -> NotAccepted | None:
    """Return the last failure; None if a try succeeded."""
    wait = wait_random_exponential(multiplier=settings.backoff, max=LONGEST_WAIT)

    def patience(state: RetryCallState) -> float:
        asked = getattr(state.outcome and state.outcome.exception(), "retry_after", None) or 0.0
        return min(LONGEST_WAIT, max(asked, wait(state)))

    tries = AsyncRetrying(
        stop=stop_after_attempt(settings.attempts),
        wait=patience,
        retry=retry_if_exception(lambda error: isinstance(error, NotAccepted) and error.retryable),
        reraise=True,
    )
    try:
        async with _session(settings) as session:
            await tries(_once, session, settings, body, headers)
    except NotAccepted as failed:
        return failed
    return None


def _session(settings: AlertSettings) -> aiohttp.ClientSession:
    proxy = proxy_for(settings.url)
    is_encrypted = settings.url.scheme == "https" or (proxy is not None and proxy.url.scheme == "https")
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trusted() if is_encrypted else True),
        timeout=aiohttp.ClientTimeout(total=settings.timeout),
        proxy=proxy.url if proxy else None,
        proxy_auth=proxy.login if proxy else None,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def _once(
    session: aiohttp.ClientSession, settings: AlertSettings, body: bytes, headers: Mapping[str, str]
) -> None:
    try:
        async with session.post(settings.url, data=body, headers=headers, allow_redirects=False) as answer:
            await answer.content.read(_MOST_READ)
            status, asked = answer.status, answer.headers.get("Retry-After", "")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        failure = _unreached(error, settings)
    else:
        if 200 <= status < 300:
            return
        failure = NotAccepted(
            f"it answered with status {status}",
            retryable=status in (408, 425, 429) or status >= 500,
            retry_after=float(asked) if asked.isdigit() else None,
        )
    raise failure  # outside of `except`: aiohttp's exception contains the address


def _unreached(error: BaseException, settings: AlertSettings) -> NotAccepted:
    fault = explained(error, settings.url.origin(), proxy_for(settings.url))
    return NotAccepted(fault.reason, retryable=fault.may_pass)
