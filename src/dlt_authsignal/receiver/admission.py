"""How many deliveries are accepted at the same time, and whether any are."""

from collections.abc import Iterator
from contextlib import contextmanager

from dlt_authsignal.receiver import answers
from dlt_authsignal.receiver.limits import Limits


class Admission:
    """Counts deliveries and their bytes. Used by the event loop's thread only.

    Attributes:
        in_flight: Deliveries that are being received or stored.
        is_disk_full: Whether the disk is fuller than the settings allow.
        is_failing: Whether the spool refused the last delivery.
    """

    def __init__(self, most: int, limits: Limits) -> None:
        self._most = most
        self._most_bytes = limits.in_flight_bytes
        self._bytes = 0
        self.in_flight = 0
        self.is_disk_full = False
        self.is_failing = False

    @contextmanager
    def place(self) -> Iterator["Place"]:
        """Count one delivery.

        Raises:
            Refused: The disk is full, or there are too many deliveries.
        """
        if self.is_disk_full:
            raise answers.disk_full(closes=True)
        if self.in_flight >= self._most:
            raise answers.busy(closes=True)
        self.in_flight += 1
        place = Place(self)
        try:
            yield place
        finally:
            self.in_flight -= 1
            self._bytes -= place.size

    def grow(self, size: int) -> None:
        """Count bytes.

        Raises:
            Refused: All deliveries together are too large.
        """
        if self._bytes + size > self._most_bytes:
            raise answers.busy(closes=True)
        self._bytes += size


class Place:
    """One delivery's part of the limits."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.size = 0

    def grow(self, size: int) -> None:
        """Count bytes of this delivery.

        Raises:
            Refused: All deliveries together are too large.
        """
        self._admission.grow(size)
        self.size += size
