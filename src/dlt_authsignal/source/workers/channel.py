"""What a worker sends to its sync and asks it, whatever carries the messages."""

from queue import SimpleQueue
from typing import Any, Protocol

from dlt_authsignal.source.workers.messages import FromWorker


class Channel(Protocol):
    """The worker's end of the connection to its sync.

    Attributes:
        replies: Answers of the sync that were not taken yet.
    """

    replies: SimpleQueue[Any]

    def send(self, message: FromWorker) -> None:
        """Send a message, from any thread."""

    def ask(self, about: str, *arguments: Any) -> Any:
        """Return the answer of the sync to a question. Only one thread may ask."""
