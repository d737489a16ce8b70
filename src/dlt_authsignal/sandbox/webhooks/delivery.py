"""Deliver webhooks: signed, in batches or one by one, and again after a failure.

Not documented, so assumed: a redirect is a failure, and every attempt of an event repeats its envelope, including id
and time.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final, TypeVar

from msgspec.json import encode

from dlt_authsignal.api.webhooks import LOG_TYPES, batch, envelope
from dlt_authsignal.sandbox.core.clock import IdMaker, iso, random_ids, seeded_ids
from dlt_authsignal.sandbox.tenant_state import TenantState
from dlt_authsignal.sandbox.webhooks.client import Answer, Sender, sender
from dlt_authsignal.sandbox.webhooks.delivery_log import Content, Delivery, DeliveryLog
from dlt_authsignal.sandbox.webhooks.fault_draw import NO_WAIT, FaultDraw
from dlt_authsignal.sandbox.webhooks.queue import Pending, Queue, next_wait
from dlt_authsignal.sandbox.webhooks.settings import WebhookFaults, WebhookSettings, changed, shown_url

Json = dict[str, Any]
T = TypeVar("T")

LOOK_SECONDS: Final = 0.05
ROUND_SECONDS: Final = 30.0
FLUSH_SECONDS: Final = 2 * ROUND_SECONDS + 10


class Webhooks:
    """The settings, the queue and the deliveries of the webhooks.

    Args:
        state: The tenant: its clock and its keys.
    """

    def __init__(self, state: TenantState) -> None:
        self._state = state
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self.settings = WebhookSettings()
        self.reset()

    def reset(self) -> None:
        """Delete queued events, the log of deliveries, and the faults. The settings stay."""
        self._queue = Queue()
        self.dropped = 0
        self.log = DeliveryLog()
        self.draw_ids_from(f"{self._state.config.seed}:webhooks")
        self.set_faults(WebhookFaults())

    @property
    def deliveries(self) -> deque[Delivery]:
        """The last deliveries, oldest first."""
        return self.log.deliveries

    def draw_ids_from(self, seed: str) -> None:
        """Let the ids of events follow from a seed, if the sandbox has one.

        They have a generator of their own, so that turning webhooks on does not change the ids of users and actions.
        """
        is_seeded = self._state.config.seed is not None
        self._new_id: IdMaker = seeded_ids(self._state.seeded(seed)) if is_seeded else random_ids

    def configure(self, **changes: Any) -> WebhookSettings:
        """Change some settings, such as `log_events_url`. Mappings are replaced as a whole.

        Raises:
            ValueError: An unknown setting, an invalid value, or a URL on another host. Nothing is changed.
        """
        settings = changed(self.settings, changes)
        settings.check_targets(self._state.config.known_webhook_hosts)
        self.settings = settings
        return self.settings

    def set_faults(self, faults: WebhookFaults) -> None:
        """Replace the faults."""
        self.faults = faults
        self.draw = FaultDraw(faults)

    def queue(self, type: str, at: datetime, make: Callable[[], Json | None]) -> None:
        """Queue an event if there is a URL for it. Log events are due after a token lifetime, others immediately.

        Args:
            type: Type of the event.
            at: When it happened.
            make: Returns its payload. Called when it is first due.
        """
        if self._url(type) is None:
            return
        wait = timedelta(minutes=self._state.config.token_minutes if type in LOG_TYPES else 0)
        self._queue.put(at + wait, Pending(type=type, time=at + wait, make=make))
        if loop := self._loop:
            with suppress(RuntimeError):  # the loop was closed in the meantime
                loop.call_soon_threadsafe(self._wake.set)

    def _url(self, type: str) -> str | None:
        return self.settings.log_events_url if type in LOG_TYPES else self.settings.authenticator_events_url

    def has_url(self, type: str) -> bool:
        """Return whether there is a URL for events of this type."""
        return self._url(type) is not None

    async def ask(self, url: str, type: str, payload: Json) -> Delivery:
        """Deliver one event now, once, and wait for the response."""
        async with self.sender() as opened:
            return await self._post(opened, url, self._envelope(type, self._state.clock.now(), payload), (type,), 1)

    def flush(self) -> int:
        """Try to deliver everything that is due now. Call it from any thread except the server's.

        Returns:
            The number of deliveries that were tried. After 30 s of slow receivers the others stay queued.

        Raises:
            TimeoutError: It did not end within 70 s.
        """
        return self.run(self.deliver_due(), FLUSH_SECONDS)

    def run(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """Do asynchronous work in the server's event loop, or without a server in a new one, and wait for the result.

        Raises:
            TimeoutError: It did not end within that many seconds.
        """
        if self._loop is None:
            return asyncio.run(asyncio.wait_for(work, seconds))
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    async def deliver_due(self) -> int:
        """Try to deliver everything that is due now. Return the number of deliveries that were tried."""
        async with self._turn:
            queue, now = self._queue, self._state.clock.now()
            parcels = self._parcels(queue.take_due(now))
            if not parcels:
                return 0
            tried, deadline = 0, time.monotonic() + ROUND_SECONDS
            async with self.sender() as opened:
                for parcel in parcels:
                    if time.monotonic() > deadline:
                        _put_back(queue, parcel, now)
                    else:
                        await self._deliver(opened, queue, parcel)
                        tried += 1
            return tried

    def _parcels(self, due: list[Pending]) -> list[list[Pending]]:
        """Divide the due events into deliveries, without those that the faults drop or delay."""
        sealed = [pending for pending in due if self._url(pending.type) and self._seal(pending)]
        return self.draw.parcels([pending for pending in sealed if self._is_sent_now(pending)])

    def _is_sent_now(self, pending: Pending) -> bool:
        """Return whether no fault drops or delays the event. A delayed event is queued again."""
        wait = self.draw.wait(pending)
        if wait is None:
            self.dropped += 1
        elif wait > NO_WAIT:
            self._queue.put(self._state.clock.now() + wait, pending)
        return wait == NO_WAIT

    def _seal(self, pending: Pending) -> bool:
        """Put an event into its envelope, once. Return False if its payload no longer exists."""
        if pending.envelope is None and (payload := pending.make()) is not None:
            pending.envelope = self._envelope(pending.type, pending.time, payload)
        return pending.envelope is not None

    def _envelope(self, type: str, at: datetime, payload: Json) -> Json:
        return envelope(type, payload, id=self._new_id(), time=iso(at), tenant_id=self._state.config.tenant_id)

    async def _deliver(self, opened: Sender, queue: Queue, parcel: list[Pending]) -> None:
        delivery = await self.attempt(opened, parcel)
        if delivery.accepted:
            return
        for pending in {id(pending): pending for pending in parcel}.values():  # a duplicate counts as one failure
            pending.attempts += 1
            if (wait := next_wait(pending)) is not None:
                queue.put(delivery.at + wait, pending)

    async def attempt(self, opened: Sender, parcel: list[Pending]) -> Delivery:
        """Send one delivery, in as many simultaneous copies as the faults say. Return the best outcome."""
        first = parcel[0]
        envelopes = [pending.envelope or {} for pending in parcel]
        body = batch(envelopes) if first.is_log else envelopes[0]
        attempt = 1 + max(pending.attempts for pending in parcel)
        types = tuple(pending.type for pending in parcel)
        copies = (
            self._post(opened, self._url(first.type) or "", body, types, attempt) for _ in range(self.faults.copies)
        )
        return max(await asyncio.gather(*copies), key=attrgetter("accepted"))

    async def _post(self, opened: Sender, url: str, body: Json, types: Sequence[str], attempt: int) -> Delivery:
        about = Delivery(
            at=self._state.clock.now(),
            url=shown_url(url) or "",
            types=tuple(dict.fromkeys(types)),
            records=len(types),
            attempt=attempt,
            status=None,
        )
        return await self._sent(opened, url, encode(body), about)

    async def _sent(self, opened: Sender, url: str, body: bytes, about: Delivery) -> Delivery:
        """Send a body and log it. `about` is the delivery without time, number and outcome."""
        log = self.log  # kept here, because a reset in the meantime replaces it
        answer = Answer(failure="outage")
        if self.faults.outage:
            self.faults = replace(self.faults, outage=self.faults.outage - 1)
        else:
            answer = await opened.send(url, body, self._keys())
        delivery = replace(
            about, at=self._state.clock.now(), status=answer.status, failure=answer.failure, number=log.next_number()
        )
        log.add(delivery, Content(target=url, body=body, answer=answer.text))
        return delivery

    async def resend(self, number: Any) -> Delivery:
        """Send the body of a delivery again, once, to the same URL: the same events with the same ids.

        It repeats only the request. It does not decide on a challenge, and a failure is not tried again.

        Raises:
            ValueError: There is no such delivery, or its body is no longer kept. Nothing was sent.
        """
        earlier = self.log.find(number) if isinstance(number, int) and not isinstance(number, bool) else None
        if earlier is None:
            raise ValueError("There is no delivery with this number. Nothing was sent.")
        content = self.log.content(earlier.number)
        if content is None:
            raise ValueError("The body of this delivery is no longer kept. Nothing was sent.")
        async with self.sender() as opened:
            about = replace(earlier, attempt=earlier.attempt + 1, resent=earlier.number)
            return await self._sent(opened, content.target, content.body, about)

    def sender(self) -> AbstractAsyncContextManager[Sender]:
        return sender(self.settings.timeout_seconds, self._state.config.known_webhook_hosts)

    def _keys(self) -> list[str]:
        previous = self.settings.previous_secret_key
        return [self._state.config.api_secret_key, *([previous] if previous else [])]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver in the background of this event loop until the block ends."""
        self._loop, self._wake, self._turn = asyncio.get_running_loop(), asyncio.Event(), asyncio.Lock()
        task = asyncio.create_task(self._keep_delivering())
        try:
            yield
        finally:
            self._loop = None
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _keep_delivering(self) -> None:
        """Poll the clock, which tests can move, while events are queued. Sleep while the queue is empty."""
        while True:
            self._wake.clear()
            if not self._queue:
                await self._wake.wait()
            try:
                await self.deliver_due()
            except Exception:
                logging.getLogger(__name__).exception("The sandbox failed to deliver webhooks.")
            await asyncio.sleep(LOOK_SECONDS)

    def shown(self, _body: Json | None = None) -> Json:
        """The response of `GET /_sandbox/webhooks`."""
        return {
            "settings": self.settings.shown(),
            "faults": asdict(self.faults),
            "queued": len(self._queue),
            "lost": self._queue.lost,
            "dropped": self.dropped,
            "deliveries": [shown_delivery(delivery) for delivery in list(self.deliveries)[-100:]],
        }

    def change(self, body: Json) -> Json:
        """Handle `POST /_sandbox/webhooks`: change settings, and replace the faults if `faults` is there.

        Raises:
            ValueError: An unknown setting or an invalid value. Nothing is changed.
        """
        changes = dict(body)
        faults = changes.pop("faults", None)
        if not isinstance(faults, dict | None):
            raise ValueError("faults must be an object.")
        wanted = None if faults is None else changed(WebhookFaults(), faults)
        self.configure(**changes)
        if wanted:
            self.set_faults(wanted)
        return self.shown()

    async def flushed(self, _body: Json) -> Json:
        """Handle `POST /_sandbox/webhooks/flush`."""
        return {"tried": await self.deliver_due(), "queued": len(self._queue)}

    async def resent(self, body: Json) -> Json:
        """Handle `POST /_sandbox/webhooks/resend`."""
        return shown_delivery(await self.resend(body.get("number")))


def _put_back(queue: Queue, parcel: list[Pending], due: datetime) -> None:
    for pending in parcel:
        queue.put(due, pending)


def shown_delivery(delivery: Delivery) -> Json:
    """Return a delivery as `GET /_sandbox/webhooks` shows it."""
    return {
        "number": delivery.number,
        "at": iso(delivery.at),
        "url": delivery.url,
        "types": list(delivery.types),
        "records": delivery.records,
        "attempt": delivery.attempt,
        "status": delivery.status,
        "failure": delivery.failure,
        "resent": delivery.resent,
    }
