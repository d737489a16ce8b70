"""Every answer to a delivery: its status, and why."""

from dataclasses import dataclass
from typing import Final

ACCEPTED: Final = "accepted"
BUSY_SECONDS: Final = 5
UNAVAILABLE_SECONDS: Final = 30
DISK_SECONDS: Final = 60


class Refused(Exception):
    """A delivery is not accepted.

    Attributes:
        status: HTTP status.
        outcome: Label under which it is counted.
        hint: What to do, for the operator who reads the answer in Authsignal's portal or the log.
        retry_after: Seconds after which the sender may try again; None if that would not help.
        closes: Whether the rest of the body is not read, so that the connection has to be closed.
    """

    def __init__(
        self, status: int, outcome: str, hint: str, *, retry_after: int | None = None, closes: bool = False
    ) -> None:
        self.status, self.outcome, self.hint = status, outcome, hint
        self.retry_after, self.closes = retry_after, closes
        super().__init__(hint)


@dataclass(frozen=True)
class Accepted:
    """A delivery is durable.

    Attributes:
        events: Stored events by table.
        write_seconds: Time that the spool took.
    """

    events: dict[str, int]
    write_seconds: float


def too_large(limit: int) -> Refused:
    return Refused(413, "too_large", f"The body is larger than {limit:,} bytes. Nothing was stored.", closes=True)


def too_slow(seconds: float) -> Refused:
    hint = f"The body was not complete after {seconds:g} s. Nothing was stored. Send it again."
    return Refused(408, "too_slow", hint, closes=True)


def disconnected() -> Refused:
    return Refused(400, "disconnected", "The sender closed the connection before the body was complete.", closes=True)


def busy(*, closes: bool) -> Refused:
    hint = "The receiver is handling too many deliveries. Nothing was stored. Send it again."
    return Refused(503, "busy", hint, retry_after=BUSY_SECONDS, closes=closes)


def disk_full(*, closes: bool = False) -> Refused:
    hint = "The receiver's disk is nearly full. Nothing was stored. Send it again later."
    return Refused(503, "disk_full", hint, retry_after=DISK_SECONDS, closes=closes)


def unavailable() -> Refused:
    hint = "The delivery could not be stored. Send it again later. The receiver's log says why."
    return Refused(503, "unavailable", hint, retry_after=UNAVAILABLE_SECONDS)


def failed() -> Refused:
    hint = "The receiver failed. The delivery may not be stored. Send it again later. The receiver's log says why."
    return Refused(500, "failed", hint, retry_after=UNAVAILABLE_SECONDS)


def wrong_signature(hint: str, outcome: str = "wrong_signature") -> Refused:
    return Refused(401, outcome, hint)


def not_an_envelope(reason: str) -> Refused:
    return Refused(
        400, "not_an_envelope", f"The signature is valid, but the body cannot be used: {reason}. Nothing was stored."
    )


def synchronous(types: str) -> Refused:
    hint = (
        f"{types}: this webhook contains codes or delays sign-ins, so this receiver never accepts it. Nothing was"
        " stored. In Authsignal's portal, enter the receiver's URL for log events and authenticator events only."
    )
    return Refused(404, "synchronous", hint)
