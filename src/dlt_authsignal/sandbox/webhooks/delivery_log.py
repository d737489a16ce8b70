"""The log of deliveries: each with its outcome, the newest also with their bodies and the receiver's answers."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

DELIVERIES_KEPT: Final = 1_000

BYTES_KEPT: Final = 16 * 1024 * 1024
"""Bytes of bodies that are kept in total. The oldest are deleted first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One attempt to deliver.

    Attributes:
        at: Time of the attempt on the sandbox's clock.
        url: The URL without its secret parts.
        types: Types of its events.
        records: Number of its events.
        attempt: Number of the attempt, from 1. For a batch, the highest of its events.
        status: HTTP status of the response, None without a response.
        failure: Why there was no response, such as `TimeoutError`. `outage` for the fault of that name, `AnotherHost`
            for a URL that leads to another machine.
        number: Its place in the log, from 1. A reset starts again.
        resent: Number of the delivery that it repeats at a tester's request. None: the sandbox sent it by itself.
    """

    at: datetime
    url: str
    types: tuple[str, ...]
    records: int
    attempt: int
    status: int | None
    failure: str | None = None
    number: int = 0
    resent: int | None = None

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What was sent, and what the receiver answered.

    Attributes:
        target: The URL with its secret parts.
        body: The body.
        answer: The beginning of the response's body. None without a response.
    """

    target: str = field(repr=False)
    body: bytes = field(repr=False)
    answer: str | None = field(repr=False)


class DeliveryLog:
    """The last deliveries, oldest first.

    Attributes:
        deliveries: The deliveries.
    """

    def __init__(self) -> None:
        self.deliveries: deque[Delivery] = deque(maxlen=DELIVERIES_KEPT)
        self._contents: OrderedDict[int, Content] = OrderedDict()
        self._bytes = 0
        self._last = 0

    def next_number(self) -> int:
        """Return the number of the next delivery."""
        self._last += 1
        return self._last

    def add(self, delivery: Delivery, content: Content) -> None:
        """Add a delivery. Bodies beyond `BYTES_KEPT`, and of deliveries that are no longer kept, are deleted."""
        self.deliveries.append(delivery)
        self._contents[delivery.number] = content
        self._bytes += len(content.body)
        while self._bytes > BYTES_KEPT or len(self._contents) > DELIVERIES_KEPT:
            _, oldest = self._contents.popitem(last=False)
            self._bytes -= len(oldest.body)

    def find(self, number: int) -> Delivery | None:
        """Return the delivery with that number, if it is still kept."""
        return next((one for one in list(self.deliveries) if one.number == number), None)

    def content(self, number: int) -> Content | None:
        """Return the content of a delivery, if it is still kept."""
        return self._contents.get(number)
