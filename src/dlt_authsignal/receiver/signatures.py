"""Find the bytes that Authsignal signed: the body as it came, or as it was before a proxy compressed it."""

import zlib
from collections.abc import Sequence
from typing import Final

from dlt_authsignal.api.webhooks import verify
from dlt_authsignal.errors import SignatureRefused, SignatureTooOld
from dlt_authsignal.receiver import answers

_FORMATS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""`wbits` of zlib by content encoding."""

_UNCHANGED: Final = ("", "identity")


class CannotDecompress(Exception):
    """The body is not compressed in this way, not complete, or too large."""


def signed_bytes(
    body: bytes,
    *,
    header: str | None,
    encoding: str,
    keys: Sequence[str],
    now: float,
    tolerance: float,
    limit: int,
) -> bytes:
    """Return the JSON that Authsignal signed.

    The bytes that were received are verified first. If they are not what was signed, and the request says that they are
    compressed, the decompressed bytes are verified: a proxy may compress what it passes on.

    Args:
        body: The body as it came.
        header: Value of `X-Signature-V2`.
        encoding: Value of `Content-Encoding`.
        keys: Accepted API secret keys.
        now: Current time in Unix seconds.
        tolerance: Maximum age of a signature in seconds; 0 accepts any age.
        limit: Maximum size after decompression.

    Raises:
        Refused: No key signed these bytes, or the signature is too old.
    """
    encoding = encoding.strip().lower()
    try:
        verify(keys, body, header, now, tolerance)
    except SignatureTooOld as error:
        raise _too_old(body, header, keys, now, error) from None
    except SignatureRefused as error:
        refusal = error
    else:
        return _decompressed_if_signed_so(body, encoding, limit)
    if encoding in _FORMATS:
        return _verified_decompressed(body, header, encoding, keys, now, tolerance, limit)
    raise answers.wrong_signature(f"{refusal} {_hint(encoding)}")


def _decompressed_if_signed_so(body: bytes, encoding: str, limit: int) -> bytes:
    """Return signed bytes as JSON. A proxy may have decompressed them and left the header."""
    if encoding not in _FORMATS or body.lstrip()[:1] in (b"{", b"["):
        return body
    try:
        return decompressed(body, encoding, limit)
    except CannotDecompress as error:
        raise answers.not_an_envelope(str(error).rstrip(".")) from None


def _verified_decompressed(
    body: bytes, header: str | None, encoding: str, keys: Sequence[str], now: float, tolerance: float, limit: int
) -> bytes:
    try:
        found = decompressed(body, encoding, limit)
        verify(keys, found, header, now, tolerance)
    except (CannotDecompress, SignatureRefused) as error:
        reason = str(error)
    else:
        return found
    raise answers.wrong_signature(f"Signature mismatch, before and after decompression: {reason} {_hint(encoding)}")


def decompressed(body: bytes, encoding: str, limit: int) -> bytes:
    """Return the decompressed body, of at most that size.

    Raises:
        CannotDecompress: The body is not compressed in this way, not complete, or too large.
    """
    reader = zlib.decompressobj(_FORMATS[encoding])
    try:
        found = reader.decompress(body, limit + 1)
    except zlib.error:
        raise CannotDecompress(f"the body is not valid {encoding}.") from None
    if len(found) > limit:
        raise CannotDecompress(f"the body is larger than {limit:,} bytes when decompressed.")
    if not reader.eof:
        raise CannotDecompress(f"the {encoding} body is not complete.")
    return found


def _too_old(
    body: bytes, header: str | None, keys: Sequence[str], now: float, error: SignatureTooOld
) -> answers.Refused:
    """Tell a delivery that is only late from one that no key signed."""
    try:
        verify(keys, body, header, now, 0)
    except SignatureRefused:
        return answers.wrong_signature(str(error))
    return answers.wrong_signature(
        f"{error} A known key signed this delivery, so the clock is wrong, or it is a repeated delivery. If the clock"
        ' is right, set tolerance = "0": copies of an event are stored once.',
        outcome="too_old",
    )


def _hint(encoding: str) -> str:
    if encoding in _UNCHANGED:
        return "If a proxy in front changes bodies, turn that off: it must pass on the bytes that Authsignal sent."
    return (
        f"The body came with Content-Encoding: {encoding[:20]}. If a proxy in front compresses or changes bodies, turn"
        " that off: it must pass on the bytes that Authsignal sent."
    )
