"""Webhooks: their signature, and the envelope of every event."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Final, Literal

from dlt_authsignal.errors import SignatureRefused, SignatureTooOld

SIGNATURE_HEADER: Final = "X-Signature-V2"
SIGNATURE_VERSION: Final = "v2"
TOLERANCE_SECONDS: Final = 300
"""Default maximum age of a signature, as in Authsignal's SDKs."""

ENVELOPE_VERSION: Final = 1
SOURCE: Final = "https://authsignal.com"

ACTION_LOG: Final = "action.log_created"
CHALLENGE_LOG: Final = "challenge.log_created"
LOG_TYPES: Final = (ACTION_LOG, CHALLENGE_LOG)
"""Events that come in batches, with their payload under `record` instead of `data`."""

MAX_RECORDS: Final = 500
"""Maximum number of records in one batch of log events."""

ChallengeWebhook = Literal["email.created", "sms.created", "push.created"]

CHALLENGE_WEBHOOKS: Final[dict[str, ChallengeWebhook]] = {
    "EMAIL_OTP": "email.created",
    "EMAIL_MAGIC_LINK": "email.created",
    "SMS": "sms.created",
    "PUSH": "push.created",
}
"""Verification methods whose messages can be sent through a webhook, and the event that the webhook receives."""

SYNCHRONOUS_TYPES: Final = frozenset({*CHALLENGE_WEBHOOKS.values(), "action.verify"})
"""Events that a sign-in waits for. Those of messages contain codes or links, so they are never stored."""


def sign(secrets: str | Sequence[str], body: bytes, timestamp: int) -> str:
    """Return the value of the `X-Signature-V2` header.

    Args:
        secrets: The active API secret keys: one, or two while a key is being rotated.
        body: The exact bytes of the body.
        timestamp: Current time in Unix seconds.
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
    """Check that one of the secrets signed this body, and that the signature is not too old.

    As in Authsignal's SDKs, a timestamp in the future is accepted.

    Args:
        secrets: The accepted API secret keys.
        body: The raw body, before parsing.
        header: Value of `X-Signature-V2`; None if the header is missing.
        now: Current time in Unix seconds.
        tolerance: Maximum age of the signature in seconds; 0 or less accepts any age.

    Raises:
        SignatureRefused: The signature is malformed, too old, or was made with another key or for another body.
    """
    timestamp, signatures = _parse(header or "")
    age = now - timestamp
    if 0 < tolerance < age:
        raise SignatureTooOld(
            f"Timestamp is outside the tolerance zone: it is {age:.0f} s old, {tolerance:.0f} s are accepted."
            " Check this machine's clock. If the clock is right, this may be a replay of an old delivery."
        )
    expected = [_signature(secret, body, timestamp).encode() for secret in _each(secrets)]
    found = [hmac.compare_digest(one.encode("utf-8", "replace"), other) for one in signatures for other in expected]
    if not any(found):
        raise SignatureRefused(
            "Signature mismatch. Verify the raw body, before parsing it, with the Server API secret key of the"
            " tenant that sends the webhook."
        )


def _each(secrets: str | Sequence[str]) -> Sequence[str]:
    return (secrets,) if isinstance(secrets, str) else secrets


def _signature(secret: str, body: bytes, timestamp: int) -> str:
    digest = hmac.digest(secret.encode(), b"%d." % timestamp + body, hashlib.sha256)
    return base64.b64encode(digest).decode().rstrip("=")


def _parse(header: str) -> tuple[int, list[str]]:
    """Return (time, signatures of the supported version). Signatures of other versions are skipped.

    A value ends at the next "=", as in Authsignal's Node SDK. Authsignal sends signatures without padding.
    """
    parts = [(*part.strip().split("="), "")[:2] for part in header.split(",")]
    times = [value for name, value in parts if name == "t"]
    signatures = [value for name, value in parts if name == SIGNATURE_VERSION]
    if len(times) != 1 or not signatures or not (times[0].isascii() and times[0].isdigit() and len(times[0]) < 16):
        raise SignatureRefused(
            f"Signature format is invalid. {SIGNATURE_HEADER} looks like t=<Unix seconds>,v2=<signature>; check that"
            " the proxy in front passes it on."
        )
    return int(times[0]), signatures


def envelope(type: str, payload: dict[str, Any], *, id: str, time: str, tenant_id: str) -> dict[str, Any]:
    """Return one event as Authsignal sends it.

    Args:
        type: Event type, such as `authenticator.created`.
        payload: Content of the event.
        id: UUID by which a receiver recognises repeated deliveries.
        time: ISO 8601 with milliseconds.
        tenant_id: Tenant that sends the event.
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
    """Return the body of a batch of log events, at most `MAX_RECORDS`."""
    return {"records": list(envelopes)}
