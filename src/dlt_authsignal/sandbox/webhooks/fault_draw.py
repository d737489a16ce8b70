"""The random faults of delivery: events that are dropped, late, sent twice or in another order."""

import random
from datetime import timedelta
from typing import Final

from dlt_authsignal.api.webhooks import MAX_RECORDS
from dlt_authsignal.sandbox.webhooks.queue import Pending
from dlt_authsignal.sandbox.webhooks.settings import WebhookFaults

NO_WAIT: Final = timedelta()


class FaultDraw:
    """Draws which events the faults apply to.

    Args:
        faults: The faults. The same seed draws the same.
    """

    def __init__(self, faults: WebhookFaults) -> None:
        self._faults = faults
        self._rng = random.Random(faults.seed)

    def wait(self, pending: Pending) -> timedelta | None:
        """Return how late an event is sent, None if it is dropped. Each event is drawn once: a retry is neither."""
        faults, rng = self._faults, self._rng
        if pending.is_drawn:
            return NO_WAIT
        pending.is_drawn = True
        if faults.drops and rng.random() < faults.drops:
            return None
        if faults.delays and rng.random() < faults.delays:
            return timedelta(seconds=faults.delay_seconds * (1 - rng.random()))
        return NO_WAIT

    def parcels(self, sendable: list[Pending]) -> list[list[Pending]]:
        """Divide events into deliveries, some of them twice or shuffled if the faults say so."""
        faults, rng = self._faults, self._rng
        if faults.duplicates:
            sendable = [one for one in sendable for _ in range(2 if rng.random() < faults.duplicates else 1)]
        if faults.shuffle:
            rng.shuffle(sendable)
        logs = [pending for pending in sendable if pending.is_log]
        alone = [[pending] for pending in sendable if not pending.is_log]
        return [*alone, *(logs[start : start + MAX_RECORDS] for start in range(0, len(logs), MAX_RECORDS))]
