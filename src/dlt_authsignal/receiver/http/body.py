"""Read the body of a request: counted while it is read, and within a time."""

import asyncio
from typing import TYPE_CHECKING

from dlt_authsignal.receiver import answers

if TYPE_CHECKING:
    from starlette.types import Receive

    from dlt_authsignal.receiver.admission import Place
    from dlt_authsignal.receiver.limits import Limits


async def read_body(receive: "Receive", declared: str | None, place: "Place", limits: "Limits") -> bytes:
    """Return the body.

    Args:
        receive: ASGI's receive.
        declared: The header Content-Length; None if there is none.
        place: Counts the bytes against those of all deliveries.
        limits: Limits of size and time.

    Raises:
        Refused: The body is too large, too slow, or not complete; or all deliveries together are too large.
    """
    if declared is not None and declared.isdecimal() and int(declared[:20]) > limits.body_bytes:
        raise answers.too_large(limits.body_bytes)
    try:
        async with asyncio.timeout(limits.body_seconds):
            return await _chunks(receive, place, limits.body_bytes)
    except TimeoutError:
        raise answers.too_slow(limits.body_seconds) from None


async def _chunks(receive: "Receive", place: "Place", limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise answers.disconnected()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise answers.too_large(limit)
        place.grow(len(chunk))
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
