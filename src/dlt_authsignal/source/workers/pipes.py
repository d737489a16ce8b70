"""A worker's ends of its two pipes. Each message has its length in front."""

import os
import threading
from queue import SimpleQueue
from typing import Any, Final

import msgspec

from dlt_authsignal.source.workers.messages import FromWorker, Question

LENGTH: Final = 8
MOST_AT_ONCE: Final = 2**20


def framed(message: Any) -> bytes:
    """Return a message as bytes, with its length in front."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(LENGTH, "little") + body


class Pipes:
    """The pipes of this process. Messages may be sent from any thread."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._sending = threading.Lock()
        self.replies: SimpleQueue[Any] = SimpleQueue()

    def send(self, message: FromWorker) -> None:
        """Send a message. If the sync has ended, this process ends too."""
        data = memoryview(framed(message))
        with self._sending:
            try:
                while data:
                    data = data[os.write(self._outgoing, data[:MOST_AT_ONCE]) :]
            except OSError:
                os._exit(1)

    def ask(self, about: str, *arguments: Any) -> Any:
        """Return the answer of the sync to a question. Only one thread may ask."""
        self.send(Question(about, list(arguments)))
        return self.replies.get()

    def receive(self) -> bytes:
        """Return the next message. If the sync has ended, this process ends too, whatever its other threads do."""
        try:
            length = int.from_bytes(self._read(LENGTH), "little")
            return self._read(length)
        except OSError:
            os._exit(1)

    def _read(self, length: int) -> bytes:
        parts = []
        while length:
            part = os.read(self._incoming, min(length, MOST_AT_ONCE))
            if not part:
                os._exit(1)
            parts.append(part)
            length -= len(part)
        return b"".join(parts)
