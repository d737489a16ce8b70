"""Workers as processes of this machine. They are started as a command, not forked, so this works everywhere alike: in
notebooks, on macOS and Windows, and in scripts without `if __name__ == "__main__"`."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import Counter, deque
from contextlib import suppress
from math import inf
from typing import Final

import msgspec
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
    Pace,
    Progress,
    Question,
    Refused,
    Reply,
    Shaped,
    Slice,
)
from dlt_authsignal.source.workers.pipes import LENGTH, framed

SLICES_AT_ONCE: Final = 2
"""Slices of one worker: the next one begins while the last users of the one before are read."""

MOST_DEATHS: Final = 2
_NO_SLICE: Final = -1
ENDS_WITHIN: Final = 2.0

_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    " from dlt_authsignal.source.workers.worker import main; main()"
)


class Processes:
    """Starts one process per job. They end with the sync: when it closes their pipe, or dies."""

    async def read(
        self, jobs: Jobs, slices: MemoryObjectReceiveStream[Slice], common: Common, out: MemoryObjectSendStream[Shaped]
    ) -> None:
        """Read all slices; see `Engine`."""
        async with create_task_group() as workers:
            for job in jobs:
                workers.start_soon(_Local(job, slices.clone(), common, out.clone()).run)
            slices.close()
            out.close()


class _Local:
    """One worker, and its successor if it dies."""

    def __init__(
        self,
        job: Job,
        slices: MemoryObjectReceiveStream[Slice],
        common: Common,
        out: MemoryObjectSendStream[Shaped],
    ) -> None:
        self._job, self._slices, self._common, self._out = job, slices, common, out
        self._again: deque[Slice] = deque()
        self._reading: dict[int, Slice] = {}
        self._deaths: Counter[int] = Counter()
        self._process: Process | None = None
        self._room = Semaphore(SLICES_AT_ONCE)
        self._results, self._waiting = create_memory_object_stream[Shaped](inf)  # bounded by the room

    async def run(self) -> None:
        """Read slices until there are no more."""
        async with self._slices, create_task_group() as group:
            group.start_soon(self._pass_on)
            with self._results:
                while (first := await self._next()) is not None:  # no process is started for nothing
                    self._again.appendleft(first)
                    if await self._is_done():
                        break
                    self._after_death()

    async def _pass_on(self) -> None:
        """Pass on results while the worker goes on: the rate depends on its messages."""
        async with self._waiting, self._out:
            async for result in self._waiting:
                await self._out.send(result)
                self._room.release()

    def _after_death(self) -> None:
        """Let the slices of a worker that died be read again.

        Raises:
            WorkerLost: A slice, or the start of a worker, cost two processes.
        """
        code = self._process.returncode if self._process else None
        for number in self._reading or (_NO_SLICE,):
            self._deaths[number] += 1
            if self._deaths[number] >= MOST_DEATHS:
                raise WorkerLost(code, users=sum(len(each.errands) for each in self._reading.values()))
        for _ in self._reading:
            self._room.release()
        self._again.extendleft(reversed(self._reading.values()))
        self._reading.clear()

    async def _is_done(self) -> bool:
        """Run one process until all slices are read; return false if it dies before."""
        self._process = process = await _started()
        is_done = False
        try:
            self._tell(self._job)
            async with create_task_group() as group:
                group.start_soon(self._feed)
                is_done = await self._listen(process)
                group.cancel_scope.cancel()
        finally:
            self._common.leave(self)
            with CancelScope(shield=True):
                await _end(process)
        return is_done

    async def _feed(self) -> None:
        while True:
            await self._room.acquire()
            part = None
            try:
                part = await self._next()
            finally:
                if part is None:
                    self._room.release()
            if part is None:
                self._tell(End())
                return
            self._reading[part.number] = part
            self._common.join(self, self._tell)
            self._tell(part)
            await self._drained()

    async def _next(self) -> Slice | None:
        if self._again:
            return self._again.popleft()
        try:
            return await self._slices.receive()
        except EndOfStream:
            return None

    async def _listen(self, process: Process) -> bool:
        """Take the worker's messages; return whether the last one came before it ended."""
        assert process.stdout is not None  # noqa: S101
        decode = msgspec.msgpack.Decoder(FromWorker).decode
        while True:
            try:
                length = int.from_bytes(await process.stdout.readexactly(LENGTH), "little")
                message = decode(await process.stdout.readexactly(length))
            except (asyncio.IncompleteReadError, ConnectionError):
                return False
            if isinstance(message, End):
                return True
            self._heard(message)

    def _heard(self, message: object) -> None:
        if isinstance(message, Progress):
            self._common.progress(self, message)
        elif isinstance(message, Refused):
            self._common.refused(message)
        elif isinstance(message, Question):
            self._tell(Reply(self._common.answer(message)))
        elif isinstance(message, Failed):
            raise error_of(message)
        elif isinstance(message, Shaped):
            self._common.done(message)
            del self._reading[message.number]
            if not self._reading:
                self._common.leave(self)
            self._results.send_nowait(message)

    def _tell(self, message: Job | Slice | Pace | Reply | End) -> None:
        """Send a message. A worker that has died is noticed when its own messages end."""
        if self._process and self._process.stdin:
            with suppress(ConnectionError, RuntimeError):
                self._process.stdin.write(framed(message))

    async def _drained(self) -> None:
        if self._process and self._process.stdin:
            with suppress(ConnectionError):
                await self._process.stdin.drain()


async def _started() -> Process:
    """Start a worker.

    Raises:
        RunFailed: This environment cannot start processes.
    """
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", _START, json.dumps(sys.path), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=2**20
        )
    except (OSError, NotImplementedError) as error:  # the latter comes from some event loops on Windows
        name = type(error).__name__
    raise RunFailed(
        f"A worker could not be started ({name}). Nothing was loaded. Run again with one process: --workers 1."
    )


async def _end(process: Process) -> None:
    """End a process: it ends by itself when its pipe is closed, unless it hangs.

    It is not killed at once. If it has just died, that would take its exit code away from asyncio."""
    if process.stdin:
        process.stdin.close()
    if not await _has_ended(process, ENDS_WITHIN):
        with suppress(ProcessLookupError):
            process.kill()
        await _has_ended(process, ENDS_WITHIN)


async def _has_ended(process: Process, within: float) -> bool:
    try:
        await asyncio.wait_for(process.wait(), within)
    except TimeoutError:
        return False
    return True


def error_of(failed: Failed) -> AuthsignalError:
    """Return the error of a worker."""
    kind = getattr(errors, failed.name, None)
    if not (isinstance(kind, type) and issubclass(kind, AuthsignalError)):
        return RunFailed(
            f"A worker failed ({failed.name} in {failed.where}). Nothing was loaded. Run again with --workers 1; if it"
            " fails too, its message says more."
        )
    error = kind.__new__(kind)
    error.args = tuple(failed.arguments)
    vars(error).update(failed.attributes)
    return error
