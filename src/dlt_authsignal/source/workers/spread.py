"""Spread the due users over workers. Few users are read in this process: starting others takes longer."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat
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

Tasks = MemoryObjectReceiveStream[ReadTask]

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
                if first and (turns := self._here(plan, meter)) is not None:
                    first = await self._read_here(partial(read_tasks, api, plan, meter, turns), first[0], due, users)
                if first:
                    await self._read_there(plan, meter, first, due, out)

    def _here(self, plan: Plan, meter: RunMetrics) -> Iterator[object] | None:
        """Return an item for each user that this process reads before it starts workers; None if there are none. If the
        user list is read first, the number of due users is known."""
        if self.least == 0 or (plan.list_first and meter.users_due >= self.least):
            return None
        return repeat(None) if plan.list_first else repeat(None, self.least)

    async def _collect(self, read: MemoryObjectReceiveStream[UserRead], out: MemoryObjectSendStream[Found]) -> None:
        async with read, out:
            while users := await take(read, self.batch, LINGER):
                await out.send(users)

    async def _read_here(
        self,
        read: Callable[[Tasks, MemoryObjectSendStream[UserRead]], Awaitable[None]],
        first: ReadTask,
        due: Tasks,
        users: MemoryObjectSendStream[UserRead],
    ) -> list[ReadTask]:
        """Read users in this process, and return the task of the next one, if there is one. Readers take the tasks
        themselves: it costs processor time to hand them out one by one."""
        send, one = create_memory_object_stream[ReadTask](1)
        with send:
            send.send_nowait(first)

        async def read_all(*tasks: Tasks) -> None:
            for each in tasks:
                await read(each.clone(), users)

        async with one, create_task_group() as group:
            group.start_soon(read_all, one, due)
            for _ in range(self.common.throttle.pace.concurrency - 1):
                group.start_soon(read_all, due)
        return await _first(due, 1)

    async def _read_there(
        self,
        plan: Plan,
        meter: RunMetrics,
        first: list[ReadTask],
        due: Tasks,
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

    async def _sliced(self, meter: RunMetrics, first: list[ReadTask], due: Tasks) -> AsyncIterator[list[ReadTask]]:
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


async def _first(due: Tasks, most: int) -> list[ReadTask]:
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
