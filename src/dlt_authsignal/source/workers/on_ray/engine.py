"""The engine that reads on a Ray cluster: one actor per worker."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final

import msgspec
from anyio import move_on_after
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from dlt_authsignal.errors import ConfigurationError, RayUnavailable
from dlt_authsignal.source.workers.common import Common
from dlt_authsignal.source.workers.engine import Jobs
from dlt_authsignal.source.workers.messages import End, FromWorker, Job, Shaped, Slice, ToWorker
from dlt_authsignal.source.workers.on_ray.cluster import connected
from dlt_authsignal.source.workers.supervised import supervise

STARTS_WITHIN = 300.0
"""Seconds within which one worker must start. An autoscaler may have to add a machine first."""

NOT_THERE: Final = ("ModuleNotFoundError", "ImportError", "AttributeError")


@dataclass
class OnRay:
    """Starts one actor per job, on a cluster, or on a Ray that is started for the sync and ends with it.

    Attributes:
        address: Address of the cluster; None for that of the environment variable `RAY_ADDRESS`, or for a local Ray.
    """

    address: str | None
    _working: int = field(default=0, init=False)

    async def read(
        self, jobs: Jobs, slices: MemoryObjectReceiveStream[Slice], common: Common, out: MemoryObjectSendStream[Shaped]
    ) -> None:
        """Read all slices; see `Engine`.

        Raises:
            RayUnavailable: The cluster cannot be reached, or no worker was started in time.
            ConfigurationError: The cluster has another version of this package, or of Ray.
            ExtraMissing: The extra `ray` is not installed.
        """
        with out:
            async with connected(self.address, len(jobs)) as ray:
                from dlt_authsignal.source.workers.on_ray.actor import Reader

                reader = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(Reader)

                async def start(job: Job) -> _Remote | None:
                    return await self._started(ray, reader, job)

                await supervise(start, jobs, slices, common, out)

    async def _started(self, ray: Any, reader: Any, job: Job) -> "_Remote | None":
        from dlt_authsignal.source.workers.on_ray.letters import SyncLetters
        from dlt_authsignal.source.workers.on_ray.sealing import Sealer

        actor, is_kept = reader.remote(), False
        sealer = Sealer(is_sync=True)
        try:
            there, public = await self._hello(ray, actor)
            _check_version(there)
            sealer.meet(public)
            await actor.begin.remote(sealer.public, sealer.sealed(msgspec.msgpack.encode(job)))
            is_kept = True
        except ray.exceptions.RayError as error:
            if any(name in str(error) for name in NOT_THERE):
                fault = _other_version("none that fits")
            else:
                return None
        finally:
            if not is_kept:
                ray.kill(actor)
        if not is_kept:
            raise fault
        self._working += 1
        return _Remote(ray, actor, SyncLetters(sealer), self._ended)

    def _ended(self) -> None:
        self._working -= 1

    async def _hello(self, ray: Any, actor: Any) -> tuple[str, bytes]:
        """Wait until a worker has started. It may wait for other workers of this sync to end; if there are none, it
        fails after `STARTS_WITHIN`."""
        said = asyncio.ensure_future(_awaited(actor.hello.remote()))
        try:
            while True:
                with move_on_after(STARTS_WITHIN):
                    found: tuple[str, bytes] = await asyncio.shield(said)
                    return found
                if not self._working:
                    raise _no_room(ray)
        finally:
            said.cancel()


class _Remote:
    """A worker whose messages go through calls of its actor's methods."""

    code: int | None = None

    def __init__(self, ray: Any, actor: Any, letters: Any, ended: Any) -> None:
        self._ray, self._actor, self._letters, self._ended = ray, actor, letters, ended
        self._heard: asyncio.Queue[FromWorker | None] = asyncio.Queue()
        self._calls: set[asyncio.Task[None]] = set()
        self._reads: set[asyncio.Task[None]] = set()
        self._keep(self._calls, self._poll())

    def tell(self, message: ToWorker) -> None:
        letter = self._letters.written(message)
        if isinstance(message, Slice):
            self._keep(self._reads, self._result(self._actor.read.remote(letter)))
        else:
            self._keep(self._calls, self._told(self._actor.tell.remote(letter)))

    async def drained(self) -> None:
        """Return immediately: Ray accepts every message, and there are few, since a worker has at most two slices."""

    async def messages(self) -> AsyncGenerator[FromWorker, None]:
        while (message := await self._heard.get()) is not None:
            if isinstance(message, End):  # results come from other calls, and may arrive later
                await asyncio.gather(*self._reads)
                while not self._heard.empty():
                    late = self._heard.get_nowait()
                    if late is None:
                        return
                    yield late
            yield message

    async def close(self) -> None:
        self._ended()
        calls = [*self._calls, *self._reads]
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        self._ray.kill(self._actor)

    def _keep(self, tasks: set[asyncio.Task[None]], call: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(self._noticed(call))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _noticed(self, call: Coroutine[Any, Any, None]) -> None:
        """Run a call. If it fails, the worker or its machine has died, or its result is lost."""
        try:
            await call
        except Exception:
            self._heard.put_nowait(None)

    async def _poll(self) -> None:
        while True:
            for message in self._letters.read(await self._actor.heard.remote()):
                self._heard.put_nowait(message)
                if isinstance(message, End):
                    return

    async def _result(self, found: Any) -> None:
        for message in self._letters.read(await found):
            self._heard.put_nowait(message)

    async def _told(self, said: Any) -> None:
        await said


async def _awaited(reference: Any) -> Any:
    return await reference


def _check_version(there: str) -> None:
    if there != version("dlt-authsignal"):
        raise _other_version(there)


def _other_version(there: str) -> ConfigurationError:
    ours = version("dlt-authsignal")
    return ConfigurationError(
        f"The machines of the Ray cluster need the same version of dlt-authsignal as the sync: {ours}, but a worker has"
        f" {there}. Nothing was loaded. Install 'dlt-authsignal[ray]=={ours}' on all of them, for example in their"
        " image, and run again."
    )


def _no_room(ray: Any) -> RayUnavailable:
    there, free = (found().get("CPU", 0) for found in (ray.cluster_resources, ray.available_resources))
    return RayUnavailable(
        f"Ray did not start a worker in time. Each worker needs one CPU; the cluster has {there:g}, {free:g} of them"
        " free. Nothing was loaded. Wait until other work on the cluster ends, or add machines to it, and run again."
    )
