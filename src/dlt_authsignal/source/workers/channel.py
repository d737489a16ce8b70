"""How a worker sends messages and questions to its sync, whatever carries them."""

from queue import SimpleQueue
from typing import Any, Protocol

from dlt_authsignal.source.workers.messages import FromWorker


class Channel(Protocol):
    """The worker's end of the connection to its sync.

    Attributes:
        replies: Answers of the sync that the worker has not taken yet.
    """

    replies: SimpleQueue[Any]

    def send(self, message: FromWorker) -> None:
        """Send a message, from any thread."""

    def ask(self, about: str, *arguments: Any) -> Any:
        """Return the answer of the sync to a question. Only one thread may ask."""
