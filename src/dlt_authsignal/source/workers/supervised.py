"""Give slices to the workers of a sync, and replace workers that die, whichever engine starts them."""

from collections import Counter, deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from math import inf
from typing import Final, Protocol

from anyio import CancelScope, EndOfStream, Semaphore, create_memory_object_stream, create_task_group
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from dlt_authsignal import errors
from dlt_authsignal.errors import AuthsignalError, RunFailed, WorkerLost
from dlt_authsignal.source.workers.common import Common
from dlt_authsignal.source.workers.engine import Jobs
from dlt_authsignal.source.workers.messages import (
    End,
    Failed,
    FromWorker,
    Job,
    Progress,
    Question,
    Refused,
    Reply,
    Shaped,
    Slice,
    ToWorker,
)

SLICES_AT_ONCE: Final = 2
"""Slices of one worker: it starts the next one while the last users of the previous one are being read."""

MOST_DEATHS: Final = 2


class Connection(Protocol):
    """A worker that was started, and the messages between it and the sync."""

    @property
    def code(self) -> int | None:
        """Return the exit code of the worker's process; None if it is unknown."""

    def tell(self, message: ToWorker) -> None:
        """Send a message. A worker that has died is noticed when its own messages end."""

    async def drained(self) -> None:
        """Wait until the worker takes more messages."""

    def messages(self) -> AsyncGenerator[FromWorker, None]:
        """Yield the worker's messages. The last one is `End`, unless it dies."""

    async def close(self) -> None:
        """End the worker."""


Start = Callable[[Job], Awaitable[Connection | None]]
"""Starts a worker and sends it its job. Returns None if the worker died immediately."""


@dataclass
class _Work:
    """The slices that are still to be read.

    Attributes:
        slices: Slices that no worker has had yet.
        again: Slices of workers that died.
        deaths: How many workers died with a slice, by the number of the slice.
    """

    slices: MemoryObjectReceiveStream[Slice]
    again: deque[Slice] = field(default_factory=deque)
    deaths: Counter[int] = field(default_factory=Counter)

    async def next(self) -> Slice | None:
        """Return the next slice; None if there are no more."""
        if not self.again:
            try:
                return await self.slices.receive()
            except EndOfStream:
                pass
        return self.again.popleft() if self.again else None


async def supervise(
    start: Start,
    jobs: Jobs,
    slices: MemoryObjectReceiveStream[Slice],
    common: Common,
    out: MemoryObjectSendStream[Shaped],
) -> None:
    """Read all slices with one worker per job; see `Engine.read`.

    After an error, `slices` stays open: otherwise, the sender of slices would report the closed stream instead.
    """
    work = _Work(slices)
    async with create_task_group() as workers:
        for job in jobs:
            workers.start_soon(_Supervised(start, job, work, common, out.clone()).run)
    slices.close()


class _Supervised:
    """One worker, and its successor if it dies."""

    def __init__(
        self, start: Start, job: Job, work: _Work, common: Common, out: MemoryObjectSendStream[Shaped]
    ) -> None:
        self._start, self._job, self._work, self._common, self._out = start, job, work, common, out
        self._reading: dict[int, Slice] = {}
        self._first: Slice | None = None
        self._deaths_without_slice = 0
        self._room = Semaphore(SLICES_AT_ONCE)
        self._results, self._waiting = create_memory_object_stream[Shaped](inf)  # `_room` bounds it

    async def run(self) -> None:
        """Read slices until there are no more."""
        async with create_task_group() as group:
            group.start_soon(self._pass_on)
            with self._results:
                while (first := await self._work.next()) is not None:  # start no worker without a slice
                    self._first = first
                    connection = await self._start(self._job)
                    if connection is not None and await self._is_done(connection):
                        break
                    self._after_death(connection.code if connection else None)

    async def _pass_on(self) -> None:
        """Pass on results without delaying the worker's messages, since the rate depends on them."""
        async with self._waiting, self._out:
            async for result in self._waiting:
                await self._out.send(result)
                self._room.release()

    def _after_death(self, code: int | None) -> None:
        """Queue the slices of a worker that died for the first worker that is free.

        Raises:
            WorkerLost: Two workers died with the same slice, or before they had one.
        """
        deaths = self._work.deaths
        deaths.update(self._reading.keys())
        self._deaths_without_slice += not self._reading
        if max([self._deaths_without_slice, *(deaths[number] for number in self._reading)]) >= MOST_DEATHS:
            raise WorkerLost(code, users=sum(len(each.errands) for each in self._reading.values()))
        for _ in self._reading:
            self._room.release()
        self._work.again.extendleft(reversed(self._reading.values()))
        if self._first:
            self._work.again.appendleft(self._first)
            self._first = None
        self._reading.clear()

    async def _is_done(self, connection: Connection) -> bool:
        """Run one worker until all slices are read; return false if it dies before."""
        is_done = False
        try:
            async with create_task_group() as group:
                group.start_soon(self._feed, connection)
                is_done = await self._listen(connection)
                group.cancel_scope.cancel()
        finally:
            self._common.leave(self)
            with CancelScope(shield=True):
                await connection.close()
        return is_done

    async def _feed(self, connection: Connection) -> None:
        while True:
            await self._room.acquire()
            part = None
            try:
                part, self._first = self._first or await self._work.next(), None
            finally:
                if part is None:
                    self._room.release()
            if part is None:
                connection.tell(End())
                return
            self._reading[part.number] = part
            self._common.join(self, connection.tell)
            connection.tell(part)
            await connection.drained()

    async def _listen(self, connection: Connection) -> bool:
        """Handle the worker's messages; return whether the last one, `End`, came before the worker ended."""
        async with aclosing(connection.messages()) as messages:
            async for message in messages:
                if isinstance(message, End):
                    return True
                self._heard(connection, message)
        return False

    def _heard(self, connection: Connection, message: FromWorker) -> None:
        if isinstance(message, Progress):
            self._common.progress(self, message)
        elif isinstance(message, Refused):
            self._common.refused(message)
        elif isinstance(message, Question):
            connection.tell(Reply(self._common.answer(message)))
        elif isinstance(message, Failed):
            raise error_of(message)
        elif isinstance(message, Shaped):
            self._common.done(message)
            del self._reading[message.number]
            if not self._reading:
                self._common.leave(self)
            self._results.send_nowait(message)


def error_of(failed: Failed) -> AuthsignalError:
    """Return the error of a worker."""
    kind = getattr(errors, failed.name, None)
    if not (isinstance(kind, type) and issubclass(kind, AuthsignalError)):
        return RunFailed(
            f"A worker failed ({failed.name} in {failed.where}). Nothing was loaded. Run again with --workers 1. If"
            " that run fails too, its message says more."
        )
    error = kind.__new__(kind)
    error.args = tuple(failed.arguments)
    vars(error).update(failed.attributes)
    return error
