"""Send the past of a tenant to the webhooks, as if the receiver had existed then."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from dlt_authsignal.api.endpoints import ACTION_WINDOW_DAYS
from dlt_authsignal.sandbox.tenant_state import TenantState
from dlt_authsignal.sandbox.webhooks.client import Sender
from dlt_authsignal.sandbox.webhooks.delivery import Webhooks
from dlt_authsignal.sandbox.webhooks.fault_draw import NO_WAIT
from dlt_authsignal.sandbox.webhooks.past_events import PastEvents
from dlt_authsignal.sandbox.webhooks.queue import Pending

Json = dict[str, Any]

AT_ONCE: Final = 8
"""Deliveries that are on their way at the same time."""

WAITS: Final = (0.1, 0.2, 0.5, 1, 2, 4, 8)
"""Seconds between the attempts of a delivery. After the last one the history stops."""

MOST_DAYS: Final = 3650


@dataclass(kw_only=True)
class Sent:
    """What was sent of the past.

    Attributes:
        events: Events that the receiver accepted, each counted once.
        deliveries: Accepted deliveries.
        dropped: Events that a fault dropped.
        failed: Why the receiver accepted no more: an HTTP status or an error. None if everything was accepted.
    """

    events: int = 0
    deliveries: int = 0
    dropped: int = 0
    failed: str | None = None


class History:
    """Sends the past of a tenant, with the faults of the webhooks. Delayed events come last.

    Args:
        state: The tenant.
        webhooks: Their settings and faults.

    Attributes:
        when_served: If set, the past is sent as soon as the sandbox is served, and this is called with what was sent.
    """

    def __init__(self, state: TenantState, webhooks: Webhooks) -> None:
        self._state, self._webhooks = state, webhooks
        self.when_served: Callable[[Sent], None] | None = None

    def send_and_wait(self, days: float = ACTION_WINDOW_DAYS, *, timeout: float = 600) -> Sent:
        """Send the past and wait until the receiver has it. Call it from any thread except the server's.

        Raises:
            ValueError: No URL is set, or `days` is out of range. Nothing was sent.
            TimeoutError: It did not end in time.
        """
        return self._webhooks.run(self.send(days), timeout)

    async def send(self, days: float = ACTION_WINDOW_DAYS) -> Sent:
        """Send the events of the last days. A delivery that fails is tried again for 16 s, then the history stops.

        Raises:
            ValueError: No URL is set, or `days` is out of range. Nothing was sent.
        """
        self._check(days)
        sent, late = Sent(), list[Pending]()
        with_keys = self._webhooks.settings.include_public_keys
        async with self._webhooks.sender() as opened:
            for chunk in PastEvents(self._state, days, with_public_keys=with_keys):
                await self._send(opened, self._drawn(chunk, late, sent), sent)
                await asyncio.sleep(0)
            await self._send(opened, late, sent)
        return sent

    async def asked(self, wanted: Any) -> Json:
        """Handle `send_history` of `POST /_sandbox/webhooks`: true, or an object with `days`."""
        if wanted is True:
            return asdict(await self.send())
        if not isinstance(wanted, dict) or wanted.keys() - {"days"}:
            raise ValueError('send_history must be true, or an object such as {"days": 30}. Nothing was sent.')
        return asdict(await self.send(**wanted))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send the past in the background of this event loop if `when_served` is set."""
        task = asyncio.create_task(self._send_when_served(self.when_served)) if self.when_served else None
        try:
            yield
        finally:
            if task:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _send_when_served(self, report: Callable[[Sent], None]) -> None:
        report(await self.send())

    def _check(self, days: Any) -> None:
        if isinstance(days, bool) or not isinstance(days, int | float) or not 0 < days <= MOST_DAYS:
            raise ValueError(f"days must be a number up to {MOST_DAYS}, above 0. Nothing was sent.")
        settings = self._webhooks.settings
        if not (settings.log_events_url or settings.authenticator_events_url):
            raise ValueError("Set log_events_url or authenticator_events_url first. Nothing was sent.")

    def _drawn(self, events: list[Pending], late: list[Pending], sent: Sent) -> list[Pending]:
        """Return the events to send now; add delayed ones to `late`."""
        now = list[Pending]()
        for event in events:
            if self._webhooks.has_url(event.type):
                wait = self._webhooks.draw.wait(event)
                sent.dropped += wait is None
                if wait is not None:
                    (now if wait == NO_WAIT else late).append(event)
        return now

    async def _send(self, opened: Sender, events: list[Pending], sent: Sent) -> None:
        parcels = self._webhooks.draw.parcels(events)
        for start in range(0, len(parcels), AT_ONCE):
            if not sent.failed:
                group = parcels[start : start + AT_ONCE]
                await asyncio.gather(*(self._deliver(opened, parcel, sent) for parcel in group))

    async def _deliver(self, opened: Sender, parcel: list[Pending], sent: Sent) -> None:
        for wait in (*WAITS, None):
            delivery = await self._webhooks.attempt(opened, parcel)
            if delivery.accepted:
                fresh = {id(event): event for event in parcel if not event.is_sent}
                for event in fresh.values():
                    event.is_sent = True
                sent.events += len(fresh)
                sent.deliveries += 1
                return
            if wait is None:
                sent.failed = str(delivery.status or delivery.failure)
            else:
                await asyncio.sleep(wait)
