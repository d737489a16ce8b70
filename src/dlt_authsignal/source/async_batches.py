"""Read from an async producer in synchronous code, in batches, with back-pressure."""

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
    """Yield lists of the items that `produce` sends, in order, with at most `size` items.

    The producer runs in its own thread and event loop, so this works inside a notebook too. It continues while the
    caller works, and waits when it is `size` items ahead. Its exception is raised after the items that it sent before.
    Closing the iterator cancels it.

    Args:
        produce: Sends items into the given stream.
        size: Maximum length of a batch, and of the producer's lead.
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
            while batch := portal.call(take, receive, size, linger):
                yield batch
            done.result()
        finally:
            done.cancel()


async def take(receive: MemoryObjectReceiveStream[T], size: int, linger: float) -> list[T]:
    # polls instead of cancelling a pending receive, because a cancellation could lose an item
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
