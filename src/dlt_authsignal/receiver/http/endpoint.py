"""The endpoint of one tenant's webhook."""

import asyncio
import json
import logging
import time
import traceback
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers

from dlt_authsignal.api.webhooks import SIGNATURE_HEADER
from dlt_authsignal.errors import AuthsignalError, SpoolFull, SpoolUnavailable
from dlt_authsignal.receiver import answers
from dlt_authsignal.receiver.admission import Admission, Place
from dlt_authsignal.receiver.http.body import read_body
from dlt_authsignal.receiver.intake import Delivery, Intake
from dlt_authsignal.receiver.limits import Limits
from dlt_authsignal.receiver.metrics import Metrics

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

access: Final = logging.getLogger("dlt_authsignal.receiver.access")
logger: Final = logging.getLogger("dlt_authsignal.receiver")


class Endpoint:
    """ASGI application for the deliveries of one tenant.

    Args:
        tenant: Name of the tenant.
        intake: Stores its deliveries.
        admission: Limits of all tenants together.
        executor: Threads that verify and write.
        metrics: Figures of all tenants.
        limits: Limits of size and time.
    """

    def __init__(
        self,
        tenant: str,
        *,
        intake: Intake,
        admission: Admission,
        executor: Executor,
        metrics: Metrics,
        limits: Limits,
    ) -> None:
        self._tenant = tenant
        self._intake = intake
        self._admission = admission
        self._executor = executor
        self._metrics = metrics
        self._limits = limits

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one delivery."""
        begun = time.perf_counter()
        size = 0
        stored: answers.Accepted | None = None
        refused: answers.Refused | None = None
        try:
            with self._admission.place() as place:
                try:
                    stored = await self._stored(Headers(scope=scope), receive, place)
                finally:
                    size = place.size
        except answers.Refused as error:
            refused = error
        await _send(send, stored, refused)
        seconds = time.perf_counter() - begun
        self._count(stored, refused, size=size, seconds=seconds)
        access.info(
            "tenant=%s status=%d outcome=%s events=%d bytes=%d ms=%.1f from=%s",
            self._tenant,
            refused.status if refused else 200,
            refused.outcome if refused else answers.ACCEPTED,
            sum(stored.events.values()) if stored else 0,
            size,
            seconds * 1000,
            (scope.get("client") or ("-",))[0],
        )

    async def _stored(self, headers: Headers, receive: "Receive", place: Place) -> answers.Accepted:
        body = await read_body(receive, headers.get("content-length"), place, self._limits)
        delivery = Delivery(body, headers.get(SIGNATURE_HEADER), headers.get("content-encoding", ""))
        try:
            accepted = await asyncio.get_running_loop().run_in_executor(self._executor, self._intake.store, delivery)
        except answers.Refused:
            raise
        except SpoolFull as error:
            failure = self._failed(answers.disk_full(), str(error))
        except SpoolUnavailable as error:
            failure = self._failed(answers.unavailable(), str(error))
        except AuthsignalError as error:
            logger.error("tenant %s: a delivery was refused with 503: %s", self._tenant, error)
            failure = answers.unavailable()
        except Exception as error:
            logger.error("tenant %s: a delivery failed: %s", self._tenant, _without_values(error))
            failure = answers.failed()
        else:
            self._admission.is_failing = False
            return accepted
        raise failure

    def _failed(self, answer: answers.Refused, why: str) -> answers.Refused:
        if not self._admission.is_failing:
            logger.error("tenant %s: deliveries are refused with 503: %s", self._tenant, why)
        self._admission.is_failing = True
        return answer

    def _count(
        self, stored: answers.Accepted | None, refused: answers.Refused | None, *, size: int, seconds: float
    ) -> None:
        outcome = refused.outcome if refused else answers.ACCEPTED
        self._metrics.answered(self._tenant, outcome, size=size, seconds=seconds)
        if stored:
            self._metrics.stored(self._tenant, stored.events, write_seconds=stored.write_seconds)
        if refused and refused.status in (400, 401, 404):
            logger.warning("tenant %s: %s", self._tenant, refused.hint)


async def _send(send: "Send", stored: answers.Accepted | None, refused: answers.Refused | None) -> None:
    headers = [(b"content-type", b"application/json")]
    if refused:
        content = json.dumps({"error": refused.outcome, "hint": refused.hint}).encode()
        if refused.retry_after is not None:
            headers.append((b"retry-after", str(refused.retry_after).encode()))
        if refused.closes:
            headers.append((b"connection", b"close"))
    else:
        content = json.dumps({"events": sum(stored.events.values()) if stored else 0}).encode()
    headers.append((b"content-length", str(len(content)).encode()))
    await send({"type": "http.response.start", "status": refused.status if refused else 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _without_values(error: Exception) -> str:
    """Return type and place of an error: its message might contain personal data."""
    where = traceback.extract_tb(error.__traceback__)[-4:]
    return f"{type(error).__name__} in " + " < ".join(f"{frame.name} (line {frame.lineno})" for frame in where[::-1])
