"""A worker: a process that reads the users of its slices, shapes their rows, and sends them to the sync.

It sends only GET requests, writes no file, and ends when the sync ends: then its incoming pipe is closed.
"""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from traceback import extract_tb
from typing import Final

import msgspec
from anyio import create_memory_object_stream, create_task_group, sleep
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from yarl import URL

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.source.async_batches import batches
from dlt_authsignal.source.http.client import Api, connect
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter
from dlt_authsignal.source.incremental.plan import Plan
from dlt_authsignal.source.incremental.read_users import read_user
from dlt_authsignal.source.incremental.state.keys import LoadedDetails
from dlt_authsignal.source.incremental.user_read import UserRead
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.metrics.schema_drift import Drift
from dlt_authsignal.source.workers.channel import Channel
from dlt_authsignal.source.workers.messages import (
    End,
    Errand,
    Failed,
    Job,
    Pace,
    Progress,
    Refused,
    Reply,
    Slice,
    ToWorker,
)
from dlt_authsignal.source.workers.pipes import Pipes
from dlt_authsignal.source.workers.shaping import SliceShaper

REPORT_EVERY: Final = 0.02
MOST_DOUBT: Final = 0.05
INTERVALS_IN_DOUBT: Final = 2.0
"""After a 429, a worker waits for the sync's decision: this many intervals between its requests, but at most
`MOST_DOUBT` seconds."""

_COUNTED: Final = ("requests", "retries", "throttled")


class Told:
    """The rate that the sync allows. The sync decides about it, because it sees the responses of all workers."""

    def __init__(self, sync: Channel, flush: Callable[[], None]) -> None:
        self.flush = flush
        self.rate: float | None = None
        self.responses: list[tuple[float, float]] = []
        self._sync = sync

    def served(self, now: float, seconds: float) -> None:
        """Record a response and its duration in seconds."""
        self.responses.append((now, seconds))

    def refused(self, now: float, sent_at: float, pause: float) -> float:
        """Pass on a 429 response. If all requests have to wait, the sync says so; until then, this worker sends little
        more, so that a limit refuses few requests."""
        self.flush()
        self._sync.send(Refused(now=now, sent_at=sent_at, pause=pause))
        return min(MOST_DOUBT, INTERVALS_IN_DOUBT / self.rate) if self.rate else 0.0


@dataclass
class Open:
    """A slice that is being read."""

    number: int
    missing: int
    reads: list[UserRead] = field(default_factory=list)


@dataclass
class Worker:
    """One worker and what it knows."""

    job: Job
    sync: Channel
    meter: RunMetrics = field(default_factory=RunMetrics)
    slices: SimpleQueue[Slice | End] = field(default_factory=SimpleQueue)
    _reported: Counter[str] = field(default_factory=Counter)
    _errors: Counter[str] = field(default_factory=Counter)
    _waiting: int = 0

    def __post_init__(self) -> None:
        self.told = Told(self.sync, self._report)
        self.throttle = RateLimiter(pace=self.job.limits)
        self.throttle.follow(self.told)
        self._loaded = LoadedDetails(self.job.details)
        plan = Plan(tables=self.job.tables, privacy=self.job.privacy, has_detail=self._loaded.has)
        self._plans = {False: plan, True: replace(plan, had_data=lambda _user: True)}

    def hear(self, message: ToWorker) -> None:
        """Take a message of the sync."""
        if isinstance(message, Pace):
            self.told.rate = message.rate
            self.throttle.hold(message.held_until)
        elif isinstance(message, Reply):
            self.sync.replies.put(message.value)
        else:
            self.slices.put(message)

    def work(self) -> None:
        """Read, shape and send all slices."""
        shaper = SliceShaper(self.job, self.sync)
        for (opened,) in batches(self._read, size=1, linger=0):
            escaped, self.meter.drift = self.meter.drift, Drift()
            self.sync.send(shaper(opened.number, opened.reads, escaped))
        self._report()
        self.sync.send(End())

    async def _read(self, out: MemoryObjectSendStream[Open]) -> None:
        """Read the users of all slices. The next slice begins while the last users of the one before are read."""
        auth = {"server": basic_auth(self.job.api_secret_key)}
        concurrency = self.job.limits.concurrency
        send, receive = create_memory_object_stream[tuple[Open, Errand]](0)
        async with (
            connect(URL(self.job.base), auth, self.throttle, self.meter) as api,
            create_task_group() as reporting,
        ):
            reporting.start_soon(self._keep_reporting)
            async with create_task_group() as tasks:
                for _ in range(concurrency):
                    tasks.start_soon(self._read_users, api, receive.clone(), out)
                receive.close()
                await self._hand_out(send)
            reporting.cancel_scope.cancel()

    async def _hand_out(self, send: MemoryObjectSendStream[tuple[Open, Errand]]) -> None:
        async with send:
            while isinstance(part := await self._next(), Slice):
                opened = Open(part.number, len(part.errands))
                for errand in part.errands:
                    await send.send((opened, errand))

    async def _next(self) -> Slice | End:
        from anyio import to_thread

        return await to_thread.run_sync(self.slices.get, abandon_on_cancel=True)

    async def _read_users(
        self, api: Api, errands: MemoryObjectReceiveStream[tuple[Open, Errand]], out: MemoryObjectSendStream[Open]
    ) -> None:
        async with errands:
            async for opened, errand in errands:
                opened.reads.append(await read_user(api, self._plans[errand.had_data], errand.task()))
                opened.missing -= 1
                if not opened.missing:
                    await out.send(opened)

    async def _keep_reporting(self) -> None:
        while True:
            await sleep(REPORT_EVERY)
            self._report()

    def _report(self) -> None:
        responses, self.told.responses = self.told.responses, []
        counters = {name: getattr(self.meter, name) for name in _COUNTED}
        new = {name: count - self._reported[name] for name, count in counters.items() if count != self._reported[name]}
        errors = self.meter.errors - self._errors
        if not (responses or new or errors or self.meter.waiting != self._waiting):
            return
        self._reported, self._errors = Counter(counters), self.meter.errors.copy()
        self._waiting = self.meter.waiting
        self.sync.send(Progress(served=responses, counters=new, errors=dict(errors), waiting=self._waiting))


def _listen(pipes: Pipes, worker: Worker) -> None:
    """Take the messages of the sync, until it ends."""
    decode = msgspec.msgpack.Decoder(ToWorker).decode
    while True:
        try:
            message = decode(pipes.receive())
        except msgspec.MsgspecError:  # without this thread, the process would wait forever
            os._exit(1)
        worker.hear(message)


def main() -> None:
    """Work for the sync that started this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the sync ends this one
    pipes = _private_pipes()
    try:
        worker = Worker(msgspec.msgpack.decode(pipes.receive(), type=Job), pipes)
        threading.Thread(target=_listen, args=(pipes, worker), daemon=True).start()
        worker.work()
    except BaseException as error:
        pipes.send(described(error))
        os._exit(1)
    os._exit(0)  # the thread that listens waits for a message


def _private_pipes() -> Pipes:
    """Return the pipes, and let nothing else in this process write into them."""
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(nothing, number)
    return Pipes(incoming, outgoing)


def described(error: BaseException) -> Failed:
    """Return what the sync needs to raise the same error. Values of other attributes may be secret or personal."""
    plain = (str, int, float, bool, type(None))
    ours = [each for each in extract_tb(error.__traceback__) if "dlt_authsignal" in each.filename]
    return Failed(
        name=type(error).__name__,
        arguments=[argument for argument in error.args if isinstance(argument, plain)],
        attributes={name: value for name, value in vars(error).items() if isinstance(value, plain)},
        where=f"{os.path.basename(ours[-1].filename)}, line {ours[-1].lineno}" if ours else "unknown",
    )
