"""Workers as processes of this machine. They are started as a command, not forked, so this works everywhere: in
notebooks, on macOS and Windows, and in scripts without `if __name__ == "__main__"`."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from dlt_authsignal.errors import RunFailed
from dlt_authsignal.source.workers.common import Common
from dlt_authsignal.source.workers.engine import Jobs
from dlt_authsignal.source.workers.messages import End, FromWorker, Job, Shaped, Slice, ToWorker
from dlt_authsignal.source.workers.pipes import LENGTH, framed
from dlt_authsignal.source.workers.supervised import supervise

ENDS_WITHIN: Final = 2.0

_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    " from dlt_authsignal.project.garbage import collect_seldom; collect_seldom();"
    " from dlt_authsignal.source.workers.worker import main; main()"
)


class Processes:
    """Starts one process per job. They end with the sync: when it closes their pipe, or dies."""

    async def read(
        self, jobs: Jobs, slices: MemoryObjectReceiveStream[Slice], common: Common, out: MemoryObjectSendStream[Shaped]
    ) -> None:
        """Read all slices; see `Engine`."""
        with out:
            await supervise(_started, jobs, slices, common, out)


class _Piped:
    """A worker whose messages go through the pipes of its process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def code(self) -> int | None:
        return self._process.returncode

    def tell(self, message: Job | ToWorker) -> None:
        if self._process.stdin:
            with suppress(ConnectionError, RuntimeError):
                self._process.stdin.write(framed(message))

    async def drained(self) -> None:
        if self._process.stdin:
            with suppress(ConnectionError):
                await self._process.stdin.drain()

    async def messages(self) -> AsyncGenerator[FromWorker, None]:
        said = self._process.stdout
        assert said is not None  # noqa: S101
        decode = msgspec.msgpack.Decoder(FromWorker).decode
        while True:
            try:
                length = int.from_bytes(await said.readexactly(LENGTH), "little")
                message = decode(await said.readexactly(length))
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            yield message
            if isinstance(message, End):
                return

    async def close(self) -> None:
        """End the process: it ends by itself when its pipe is closed, unless it hangs.

        It is not killed immediately: if it has just died, asyncio would lose its exit code."""
        if self._process.stdin:
            self._process.stdin.close()
        if not await self._has_ended():
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._has_ended()

    async def _has_ended(self) -> bool:
        try:
            await asyncio.wait_for(self._process.wait(), ENDS_WITHIN)
        except TimeoutError:
            return False
        return True


async def _started(job: Job) -> _Piped:
    """Start a worker.

    Raises:
        RunFailed: This environment cannot start processes.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _START, json.dumps(sys.path), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=2**20
        )
    except (OSError, NotImplementedError) as error:  # the latter comes from some event loops on Windows
        name = type(error).__name__
    else:
        worker = _Piped(process)
        worker.tell(job)
        return worker
    raise RunFailed(
        f"A worker could not be started ({name}). Nothing was loaded. Run again with one process: --workers 1."
    )
