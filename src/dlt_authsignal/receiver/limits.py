"""Limits of size and time."""

from dataclasses import dataclass
from typing import Final

MIB: Final = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of the receiver that no setting changes.

    Attributes:
        body_bytes: Size of one delivery, as received and when decompressed.
        body_seconds: Time until a body is complete.
        records: Events in one delivery. Authsignal documents 500.
        in_flight_bytes: Size of all deliveries that are being received or stored.
        header_bytes: Size of the request line and all headers.
        header_seconds: Time until the headers of a request are complete.
        idle_seconds: Time until a connection without a request is closed.
        connections: Open connections.
        stop_seconds: Time to finish accepted deliveries after SIGTERM.
        check_seconds: Time between two looks at the disk.
    """

    body_bytes: int = 8 * MIB
    body_seconds: float = 30.0
    records: int = 10_000
    in_flight_bytes: int = 128 * MIB
    header_bytes: int = 32 * 1024
    header_seconds: float = 10.0
    idle_seconds: int = 75
    connections: int = 1_000
    stop_seconds: int = 30
    check_seconds: float = 2.0
