"""Webhooks: their signature, and the envelope that every event travels in."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Final, Literal

from dlt_authsignal.errors import SignatureRefused

SIGNATURE_HEADER: Final = "X-Signature-V2"
SIGNATURE_VERSION: Final = "v2"
TOLERANCE_SECONDS: Final = 300
"""How old a signature may be unless told otherwise: what Authsignal's SDKs take."""

ENVELOPE_VERSION: Final = 1
SOURCE: Final = "https://authsignal.com"

ACTION_LOG: Final = "action.log_created"
CHALLENGE_LOG: Final = "challenge.log_created"
LOG_TYPES: Final = (ACTION_LOG, CHALLENGE_LOG)
"""Events that come in batches, with their payload under `record` instead of `data`."""

MAX_RECORDS: Final = 500
"""Most records of one batch of log events."""

ChallengeWebhook = Literal["email.created", "sms.created", "push.created"]

CHALLENGE_WEBHOOKS: Final[dict[str, ChallengeWebhook]] = {
    "EMAIL_OTP": "email.created",
    "EMAIL_MAGIC_LINK": "email.created",
    "SMS": "sms.created",
    "PUSH": "push.created",
}
"""Verification methods whose provider can be a webhook, and the event it gets."""


def sign(secrets: str | Sequence[str], body: bytes, timestamp: int) -> str:
    """Value of the `X-Signature-V2` header.

    Args:
        secrets: The API secret keys that are active: one, or two while a key is being rotated.
        body: The exact bytes of the body.
        timestamp: Now, in Unix seconds.
    """
    signatures = (f"{SIGNATURE_VERSION}={_signature(secret, body, timestamp)}" for secret in _each(secrets))
    return ",".join((f"t={timestamp}", *signatures))


def verify(
    secrets: str | Sequence[str],
    body: bytes,
    header: str | None,
    now: float,
    tolerance: float = TOLERANCE_SECONDS,
) -> None:
    """Returns if one of the secrets signed this body, not too long ago.

    As in Authsignal's SDKs, a time in the future is no reason to refuse.

    Args:
        secrets: The API secret keys that are accepted.
        body: The raw body, before anything has parsed it.
        header: Value of `X-Signature-V2`; None if there was none.
        now: Now, in Unix seconds.
        tolerance: How old the signature may be, in seconds; 0 or less for any age.

    Raises:
        SignatureRefused: It is malformed, too old, or by another key or over another body.
    """
    timestamp, signatures = _parse(header or "")
    age = now - timestamp
    if 0 < tolerance < age:
        raise SignatureRefused(
            f"Timestamp is outside the tolerance zone: it is {age:.0f} s old, {tolerance:.0f} s are accepted."
            " Check this machine's clock; if the clock is right, somebody may be replaying an old delivery."
        )
    expected = [_signature(secret, body, timestamp).encode() for secret in _each(secrets)]
    found = [hmac.compare_digest(one.encode("utf-8", "replace"), other) for one in signatures for other in expected]
    if not any(found):
        raise SignatureRefused(
            "Signature mismatch. Verify the body as it came, before parsing it, with the Server API secret key of the"
            " tenant that sends the webhook."
        )


def _each(secrets: str | Sequence[str]) -> Sequence[str]:
    return (secrets,) if isinstance(secrets, str) else secrets


def _signature(secret: str, body: bytes, timestamp: int) -> str:
    digest = hmac.digest(secret.encode(), b"%d." % timestamp + body, hashlib.sha256)
    return base64.b64encode(digest).decode().rstrip("=")


def _parse(header: str) -> tuple[int, list[str]]:
    """(time, signatures of the version known here); those of other versions are passed over."""
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    signatures = [value for name, _, value in parts if name == SIGNATURE_VERSION]
    if len(times) != 1 or not signatures or not (times[0].isascii() and times[0].isdigit() and len(times[0]) < 16):
        raise SignatureRefused(
            f"Signature format is invalid. {SIGNATURE_HEADER} looks like t=<Unix seconds>,v2=<signature>; check that"
            " the proxy in front passes it on."
        )
    return int(times[0]), signatures


def envelope(type: str, payload: dict[str, Any], *, id: str, time: str, tenant_id: str) -> dict[str, Any]:
    """One event as it is sent.

    Args:
        type: Such as `authenticator.created`.
        payload: What the event says.
        id: UUID; what a receiver tells repeated deliveries by.
        time: ISO 8601 with milliseconds.
        tenant_id: Whose event.
    """
    return {
        "version": ENVELOPE_VERSION,
        "id": id,
        "source": SOURCE,
        "time": time,
        "tenantId": tenant_id,
        "type": type,
        "record" if type in LOG_TYPES else "data": payload,
    }


def batch(envelopes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Body that carries log events; at most `MAX_RECORDS` of them."""
    return {"records": list(envelopes)}
