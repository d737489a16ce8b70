"""The interface between a sync and what reads slices for it."""

from collections.abc import Sequence
from typing import Protocol

from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from dlt_authsignal.source.workers.common import Common
from dlt_authsignal.source.workers.messages import Job, Shaped, Slice

Jobs = Sequence[Job]
"""What each worker is told. They differ in the number of requests in flight."""


class Engine(Protocol):
    """Reads slices in other processes. `Processes` starts them on this machine, `OnRay` on a cluster."""

    async def read(
        self, jobs: Jobs, slices: MemoryObjectReceiveStream[Slice], common: Common, out: MemoryObjectSendStream[Shaped]
    ) -> None:
        """Read all slices with one worker per job, and send the result of each to `out`, in no particular order.

        A slice whose worker dies is read again. `out` is closed at the end, also after an error.

        Raises:
            WorkerLost: The second worker with the same slice died too.
            AuthsignalError: The error of a worker.
        """
