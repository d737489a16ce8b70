"""A worker as a Ray actor. Each slice is one method call, and its result is an object in Ray's object store."""

import asyncio
import os
import threading
from contextlib import suppress
from importlib.metadata import version
from queue import SimpleQueue
from typing import Any, Final

import msgspec

from dlt_authsignal.source.workers.messages import Failed, FromWorker, Job, Progress, Question, Shaped, Slice
from dlt_authsignal.source.workers.on_ray.letters import WorkerLetters
from dlt_authsignal.source.workers.on_ray.sealing import Sealer
from dlt_authsignal.source.workers.worker import Worker, described

LINGER: Final = 0.05
"""Seconds for which progress reports are collected, because each letter costs a call."""


class Reader:
    """Reads slices.

    It is created without arguments, because Ray keeps such arguments as long as the head of the cluster runs. It raises
    no exception into Ray and prints nothing, because tracebacks may quote values.
    """

    def __init__(self) -> None:
        _silence()
        self._sealer = Sealer(is_sync=False)

    async def hello(self) -> tuple[str, bytes]:
        """Return the version of this package on this machine, and the public key of this worker."""
        return version("dlt-authsignal"), self._sealer.public

    async def begin(self, public: bytes, job: bytes) -> None:
        """Start to work."""
        self._sealer.meet(public)
        self._letters = WorkerLetters(self._sealer)
        self._mailbox = Mailbox()
        told = msgspec.msgpack.decode(self._sealer.opened(job), type=Job)
        started: asyncio.Future[Worker | None] = asyncio.get_running_loop().create_future()
        threading.Thread(target=_work, args=(told, self._mailbox, started), daemon=True).start()
        self._worker = await started

    async def tell(self, letter: bytes) -> None:
        """Handle a message from the sync."""
        message = self._letters.read(letter)
        if message is not None and self._worker is not None:
            self._worker.hear(message)

    async def read(self, letter: bytes) -> bytes:
        """Read a slice, and return its result."""
        part = self._letters.read(letter)
        assert isinstance(part, Slice)  # noqa: S101
        result = self._mailbox.result(part.number)
        if self._worker is not None:
            self._worker.hear(part)
        return self._letters.written([await result])

    async def heard(self) -> bytes:
        """Return the next messages to the sync, as soon as there are any."""
        return self._letters.written(await self._mailbox.messages())


class Mailbox:
    """Holds what the worker's threads send until the sync asks for it; see `Channel`."""

    def __init__(self) -> None:
        self.replies: SimpleQueue[Any] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._messages: list[FromWorker] = []
        self._some, self._urgent = asyncio.Event(), asyncio.Event()
        self._results: dict[int, asyncio.Future[Shaped]] = {}

    def send(self, message: FromWorker) -> None:
        self._loop.call_soon_threadsafe(self._take, message)

    def ask(self, about: str, *arguments: Any) -> Any:
        self.send(Question(about, list(arguments)))
        return self.replies.get()

    def result(self, number: int) -> asyncio.Future[Shaped]:
        """Return the future result of a slice."""
        return self._results.setdefault(number, self._loop.create_future())

    async def messages(self) -> list[FromWorker]:
        """Return the next messages, at least one. Only progress reports wait for other messages."""
        await self._some.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._urgent.wait(), LINGER)
        taken, self._messages = self._messages, []
        self._some.clear()
        self._urgent.clear()
        return taken

    def _take(self, message: FromWorker) -> None:
        if isinstance(message, Shaped):
            self.result(message.number).set_result(message)
            return
        self._messages.append(message)
        self._some.set()
        if not isinstance(message, Progress):
            self._urgent.set()


def _work(job: Job, mailbox: Mailbox, started: "asyncio.Future[Worker | None]") -> None:
    def is_made(worker: Worker | None) -> None:
        started.get_loop().call_soon_threadsafe(started.set_result, worker)

    worker = None
    try:
        worker = Worker(job, mailbox)
        is_made(worker)
        worker.work()
    except BaseException as error:
        mailbox.send(_failed(error))
        if worker is None:
            is_made(None)


def _failed(error: BaseException) -> Failed:
    try:
        return described(error)
    except Exception:
        return Failed(name=type(error).__name__, arguments=[], attributes={}, where="unknown")


def _silence() -> None:
    """Discard the output of this process, in which only this actor runs: Ray would write it to files."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (1, 2):
        os.dup2(nothing, number)
    os.close(nothing)
