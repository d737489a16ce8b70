"""Spread the due users over workers. Few users are read in this process: starting others takes longer."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from math import inf
from typing import Final

from anyio import EndOfStream, create_memory_object_stream, create_task_group
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from dlt_authsignal.source.async_batches import take
from dlt_authsignal.source.http.client import Api
from dlt_authsignal.source.incremental.plan import Plan
from dlt_authsignal.source.incremental.read_users import read_tasks, send_due
from dlt_authsignal.source.incremental.user_read import ReadTask, UserRead
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.workers.choice import parts
from dlt_authsignal.source.workers.common import Common
from dlt_authsignal.source.workers.engine import Engine, Jobs
from dlt_authsignal.source.workers.messages import Errand, Job, Shaped, Slice

LEAST_SLICE: Final = 20
LARGEST_SLICE: Final = 500
SLICES_PER_WORKER: Final = 8
"""Slices of each worker, so that all workers end at about the same time."""

AHEAD: Final = 1000
LINGER: Final = 0.5

Found = list[UserRead] | Shaped
"""Users that this process read, or the result of a slice."""


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Processes that read the due users.

    Attributes:
        engine: Starts them.
        number: Maximum number of workers.
        job: What each is told.
        common: What they have in common.
        least: Due users from which they are started; 0 to start them always.
        batch: Maximum users in one list of users that this process reads.
    """

    engine: Engine
    number: int
    job: Job
    common: Common
    least: int
    batch: int

    async def read(self, api: Api, plan: Plan, meter: RunMetrics, out: MemoryObjectSendStream[Found]) -> None:
        """Read the due users, and send users or results of slices to `out`."""
        tasks, due = create_memory_object_stream[ReadTask](AHEAD)
        users, read = create_memory_object_stream[UserRead](self.batch // 5)
        async with create_task_group() as group:
            group.start_soon(_list, api, plan, meter, tasks, users.clone())
            group.start_soon(self._collect, read, out.clone())
            async with users, due:
                first = await _first(due, 1)
                first = await self._read_here(api, plan, meter, first, due, users, self._here(plan, meter))
                if first:
                    await self._read_there(plan, meter, first, due, out)

    def _here(self, plan: Plan, meter: RunMetrics) -> float:
        """Return how many users this process reads before it starts workers. If the user list is read first, the number
        of due users is known."""
        if self.least == 0:
            return 0
        if plan.list_first:
            return 0 if meter.users_due >= self.least else inf
        return self.least

    async def _collect(self, read: MemoryObjectReceiveStream[UserRead], out: MemoryObjectSendStream[Found]) -> None:
        async with read, out:
            while users := await take(read, self.batch, LINGER):
                await out.send(users)

    async def _read_here(
        self,
        api: Api,
        plan: Plan,
        meter: RunMetrics,
        first: list[ReadTask],
        due: MemoryObjectReceiveStream[ReadTask],
        users: MemoryObjectSendStream[UserRead],
        most: float,
    ) -> list[ReadTask]:
        """Read up to so many users in this process, and return the task of the next one, if there is one."""
        send, receive = create_memory_object_stream[ReadTask](0)
        async with create_task_group() as group, send:
            for _ in range(self.common.throttle.pace.concurrency if most else 0):
                group.start_soon(read_tasks, api, plan, meter, receive.clone(), users)
            receive.close()
            while first and most:
                await send.send(first[0])
                first, most = await _first(due, 1), most - 1
            send.close()
        return first

    async def _read_there(
        self,
        plan: Plan,
        meter: RunMetrics,
        first: list[ReadTask],
        due: MemoryObjectReceiveStream[ReadTask],
        out: MemoryObjectSendStream[Found],
    ) -> None:
        send, slices = create_memory_object_stream[Slice](0)
        async with create_task_group() as group:
            group.start_soon(self.engine.read, self._jobs(meter), slices, self.common, out.clone())
            async with send:
                number = 0
                async for part in self._sliced(meter, first, due):
                    await send.send(Slice(number=number, errands=[_errand(plan, task) for task in part]))
                    number += 1

    def _jobs(self, meter: RunMetrics) -> Jobs:
        """Return what each worker is told. While this process reads the user list, it has one request in flight."""
        limits = self.job.limits
        in_flight = parts(limits.concurrency - (not meter.user_ids_complete), self.number)
        return [_told(self.job, concurrency) for concurrency in in_flight]

    async def _sliced(
        self, meter: RunMetrics, first: list[ReadTask], due: MemoryObjectReceiveStream[ReadTask]
    ) -> AsyncIterator[list[ReadTask]]:
        part = first
        while True:
            size = meter.users_due // (self.number * SLICES_PER_WORKER)
            size = max(LEAST_SLICE, min(LARGEST_SLICE, size))
            more = await _first(due, size - len(part)) if len(part) < size else []
            part, is_last = part + more, len(part) + len(more) < size
            if part[:size]:
                yield part[:size]
            part = part[size:]
            if is_last:
                return


async def _list(
    api: Api,
    plan: Plan,
    meter: RunMetrics,
    tasks: MemoryObjectSendStream[ReadTask],
    users: MemoryObjectSendStream[UserRead],
) -> None:
    async with users:
        await send_due(api, plan, meter, tasks, users)


async def _first(due: MemoryObjectReceiveStream[ReadTask], most: int) -> list[ReadTask]:
    """Return the next tasks; fewer than `most` only if there are no more."""
    found: list[ReadTask] = []
    try:
        while len(found) < most:
            found.append(await due.receive())
    except EndOfStream:
        pass
    return found


def _errand(plan: Plan, task: ReadTask) -> Errand:
    candidate = task.candidate
    had_data = candidate.id_source == "known" and plan.had_data(plan.privacy.stored_id(candidate.user_id))
    return Errand.of(task, had_data)


def _told(job: Job, concurrency: int) -> Job:
    from msgspec.structs import replace as with_changes

    return with_changes(job, limits=replace(job.limits, concurrency=concurrency))
