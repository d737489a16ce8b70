"""Create, send, check and limit one-time codes and links."""

import hmac
import secrets
from dataclasses import dataclass, replace
from typing import Final, Literal

from dlt_authsignal.sandbox.core.refusals import too_many_requests
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.sessions.challenges import Challenge
from dlt_authsignal.sandbox.sessions.outbox import Message

CODE_LENGTH: Final = 6

FailureReason = Literal["CODE_INVALID_OR_EXPIRED", "MAX_ATTEMPTS_EXCEEDED"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Documented limits of one method: messages sent and codes tried, each in a number of minutes."""

    sent: int
    sent_minutes: float = 10
    tried: int = 10
    tried_minutes: float = 5


LIMITS: Final = {
    "EMAIL_OTP": Limits(sent=12),
    "EMAIL_MAGIC_LINK": Limits(sent=12),
    "SMS": Limits(sent=6),
    "WHATSAPP": Limits(sent=6),
    "AUTHENTICATOR_APP": Limits(sent=0),
}
"""The limits of WhatsApp are not published, so those of SMS are used."""

EVENT: Final = {"EMAIL_OTP": "EMAIL_OTP", "EMAIL_MAGIC_LINK": "EMAIL_MAGIC_LINK", "SMS": "SMS", "WHATSAPP": "WHATSAPP"}


def limits_of(sandbox: Sandbox, method: str) -> Limits:
    """Return the limits of a method: the tenant's own if it has set some."""
    configured, limits = sandbox.tenant.method(method) or {}, LIMITS[method]
    sending, trying = configured.get("sendingRateLimitConfiguration"), configured.get("rateLimitConfiguration")
    if sending:
        limits = replace(limits, sent=sending["rateLimit"], sent_minutes=sending["windowInMinutes"])
    if trying:
        limits = replace(limits, tried=trying["rateLimit"], tried_minutes=trying["windowInMinutes"])
    return limits


def new_code(sandbox: Sandbox, method: str, to: str) -> str:
    """Return the fixed code of an address, or a code of six digits, or as many as the tenant has set.

    With a seed, random codes repeat in the same order.
    """
    if fixed := sandbox.config.fixed_codes.get(to):
        return fixed
    length = (sandbox.tenant.method(method) or {}).get("verificationCodeLength", CODE_LENGTH)
    return f"{sandbox.rng.randrange(10**length):0{length}d}"


async def send(sandbox: Sandbox, challenge: Challenge, base_url: str) -> Challenge:
    """Put the code or link of a challenge into the outbox, and send it to the tenant's own webhook if there is one.

    Args:
        base_url: URL of the sandbox without a path, to which magic links lead.

    Raises:
        Refusal: 429 after too many messages, or the webhook did not accept the message.
    """
    limits, now = limits_of(sandbox, challenge.method), sandbox.clock.now()
    to = challenge.email or challenge.phone_number or ""
    if not sandbox.windows.allow(
        ("sent", challenge.method, challenge.user_id or to), now, limit=limits.sent, minutes=limits.sent_minutes
    ):
        log(sandbox, challenge, "RATE_LIMIT_EXCEEDED")
        raise too_many_requests()
    is_link = challenge.method == "EMAIL_MAGIC_LINK"
    challenge = sandbox.challenges.put(
        replace(
            challenge,
            code=None if is_link else new_code(sandbox, challenge.method, to),
            link=secrets.token_urlsafe(24) if is_link else None,
        )
    )
    message = Message(
        sent_at=now,
        channel=_channel(challenge),
        to=to,
        user_id=challenge.user_id,
        method=challenge.method,
        challenge_id=challenge.challenge_id,
        action_code=challenge.action_code,
        code=challenge.code,
        url=f"{base_url}{sandbox.control_path}magic-link?secret={challenge.link}" if is_link else None,
    )
    await sandbox.events.send(message)
    sandbox.outbox.add(message)
    log(sandbox, challenge, "SENT")
    return challenge


def _channel(challenge: Challenge) -> str:
    if challenge.email:
        return "email"
    return "whatsapp" if "WHATSAPP" in (challenge.method, challenge.sms_channel) else "sms"


def check(sandbox: Sandbox, challenge: Challenge | None, code: str) -> FailureReason | None:
    """Return why the code does not meet the challenge. None if it does, which works once."""
    if challenge is None or challenge.code is None:
        return "CODE_INVALID_OR_EXPIRED"
    limits, now = limits_of(sandbox, challenge.method), sandbox.clock.now()
    key = ("tried", challenge.method, challenge.user_id or challenge.challenge_id)
    if not sandbox.windows.allow(key, now, limit=limits.tried, minutes=limits.tried_minutes):
        log(sandbox, challenge, "MAX_ATTEMPTS_EXCEEDED")
        return "MAX_ATTEMPTS_EXCEEDED"
    if not hmac.compare_digest(challenge.code.encode(), code.encode()):
        sandbox.challenges.put(replace(challenge, attempts=challenge.attempts + 1))
        log(sandbox, challenge, "CODE_INVALID_OR_EXPIRED" if challenge.phone_number else "INVALID_OR_EXPIRED")
        return "CODE_INVALID_OR_EXPIRED"
    sandbox.challenges.put(replace(challenge, code=None, verified_at=now))
    log(sandbox, challenge, "CODE_VALID")
    return None


def log(sandbox: Sandbox, challenge: Challenge, step: str) -> None:
    """Record a step of a challenge as an event."""
    sandbox.events.challenge(
        sandbox.clock.now(),
        f"{EVENT[challenge.method]}_{step}",
        user_id=challenge.user_id,
        action_code=challenge.action_code,
        idempotency_key=challenge.idempotency_key,
        verification_method=challenge.method,
        email=challenge.email,
        phone_number=challenge.phone_number,
    )
