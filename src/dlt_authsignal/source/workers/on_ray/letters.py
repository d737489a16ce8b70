"""Messages between machines: encrypted, with times by the receiver's clock, and numbered if they go to a worker."""

import time
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from dlt_authsignal.source.workers.messages import FromWorker, Pace, Progress, Refused, ToWorker
from dlt_authsignal.source.workers.on_ray.sealing import Sealer

M = TypeVar("M")


class _ToWorker(msgspec.Struct, array_like=True):
    number: int
    clock: float
    message: ToWorker


class _FromWorker(msgspec.Struct, array_like=True):
    clock: float
    messages: list[FromWorker]


class SyncLetters:
    """The sync's end of the connection.

    Args:
        sealer: Encrypts.
    """

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._sent = 0

    def written(self, message: ToWorker) -> bytes:
        """Return a message to the worker as bytes."""
        self._sent += 1
        return self._sealer.sealed(msgspec.msgpack.encode(_ToWorker(self._sent, time.monotonic(), message)))

    def read(self, sealed: bytes) -> list[FromWorker]:
        """Return the messages of the worker."""
        letter = msgspec.msgpack.decode(self._sealer.opened(sealed), type=_FromWorker)
        return [moved(message, time.monotonic() - letter.clock) for message in letter.messages]


class WorkerLetters:
    """The worker's end of the connection.

    Args:
        sealer: Encrypts.
    """

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._newest_pace = 0

    def written(self, messages: list[FromWorker]) -> bytes:
        """Return messages to the sync as bytes."""
        return self._sealer.sealed(msgspec.msgpack.encode(_FromWorker(time.monotonic(), messages)))

    def read(self, sealed: bytes) -> ToWorker | None:
        """Return the message of the sync; None for a pace that is older than one that was read before."""
        letter = msgspec.msgpack.decode(self._sealer.opened(sealed), type=_ToWorker)
        if isinstance(letter.message, Pace):
            if letter.number < self._newest_pace:
                return None
            self._newest_pace = letter.number
        return moved(letter.message, time.monotonic() - letter.clock)


def moved(message: M, by: float) -> M:
    """Return a message with its times moved by some seconds. The monotonic clock starts at a different moment on each
    machine, so times by the sender's clock mean nothing to the receiver."""
    changed: Any = message
    if isinstance(message, Pace):
        changed = replace(message, held_until=message.held_until + by)
    elif isinstance(message, Refused):
        changed = replace(message, now=message.now + by, sent_at=message.sent_at + by)
    elif isinstance(message, Progress):
        changed = replace(message, served=[(at + by, seconds) for at, seconds in message.served])
    return changed  # type: ignore[no-any-return]
