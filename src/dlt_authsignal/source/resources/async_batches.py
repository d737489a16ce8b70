"""An async producer drained from synchronous code, in batches, with back-pressure."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeVar

from anyio import EndOfStream, WouldBlock, create_memory_object_stream, current_time, sleep
from anyio.from_thread import start_blocking_portal
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

T = TypeVar("T")

_POLL: Final = 0.01


def batches(
    produce: Callable[[MemoryObjectSendStream[T]], Awaitable[None]], *, size: int, linger: float = 0.5
) -> Iterator[list[T]]:
    """Lists of what `produce` sends, in order, at most `size` long.

    The producer runs in its own thread and event loop, so this works inside a notebook too. It goes on while the
    caller works, and waits when it is `size` items ahead. Its error is raised after the items sent before it; closing
    the iterator cancels it.

    Args:
        produce: Sends items into the stream it is given.
        size: Longest batch, and how far the producer may run ahead.
        linger: Seconds to wait for a batch to fill.
    """
    send, receive = create_memory_object_stream[T](size)

    async def run() -> None:
        async with send:
            try:
                await produce(send)
            except BaseExceptionGroup as group:
                raise _first(group) from None

    with start_blocking_portal("asyncio") as portal:
        done = portal.start_task_soon(run)
        try:
            while batch := portal.call(_take, receive, size, linger):
                yield batch
            done.result()
        finally:
            done.cancel()


async def _take(receive: MemoryObjectReceiveStream[T], size: int, linger: float) -> list[T]:
    # polls instead of cancelling a pending receive, so that no item can be lost to a cancellation
    batch: list[T] = []
    try:
        batch.append(await receive.receive())
        deadline = current_time() + linger
        while len(batch) < size:
            try:
                batch.append(receive.receive_nowait())
            except WouldBlock:
                if current_time() >= deadline:
                    break
                await sleep(_POLL)
    except EndOfStream:
        pass
    return batch


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
