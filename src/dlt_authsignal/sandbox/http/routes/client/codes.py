"""Codes and links by SMS, WhatsApp and e-mail, for the holder of a token."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Literal

from dlt_authsignal.api import client_endpoints as endpoints
from dlt_authsignal.sandbox.core.bodies import Body
from dlt_authsignal.sandbox.core.refusals import Refusal, invalid, unauthorized
from dlt_authsignal.sandbox.http.dispatch import Call, Served, base_url
from dlt_authsignal.sandbox.http.routes.client.passkeys import enrolled_with
from dlt_authsignal.sandbox.http.routes.server.authenticators import check_active
from dlt_authsignal.sandbox.http.routes.server.users import enrolled, upsert
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.sessions.challenges import Challenge
from dlt_authsignal.sandbox.tenant import answers
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator
from dlt_authsignal.sandbox.verification import codes
from dlt_authsignal.sandbox.verification.challenge_flow import mark_verified, met, new_challenge, settle

Channel = Literal["DEFAULT", "WHATSAPP", "SMS"]


class PhoneEnrolment(Body, kw_only=True):
    """Body of `POST /client/user-authenticators/sms`."""

    phone_number: str
    sms_channel: Channel | None = None


class EmailEnrolment(Body, kw_only=True):
    """Body of `POST /client/user-authenticators/email-otp` and `/email-magic-link`."""

    email: str


class SmsRequest(Body, kw_only=True):
    """Body of `POST /client/challenge/sms`."""

    sms_channel: Channel | None = None


class CodeAnswer(Body, kw_only=True):
    """Body of `POST /client/verify/…`."""

    verification_code: str


class Enrolling(answers.Answer, kw_only=True):
    """An authenticator whose enrolment waits for its first code."""

    user_authenticator_id: str
    user_id: str


class Challenged(answers.Answer, kw_only=True):
    """A challenge that was sent."""

    challenge_id: str


class Verified(answers.Answer, kw_only=True):
    """Whether a challenge was verified, and why not. A wrong code is a normal response, not an error."""

    is_verified: bool
    access_token: str | None = None
    failure_reason: str | None = None
    user_authenticator: answers.Authenticator | None = None


async def _enroll(call: Call, method: str, **address: str | None) -> Enrolling:
    """Replace the user's unfinished authenticator by a new one, and send a code to its address."""
    sandbox, user_id = call.sandbox, call.caller.user.user_id
    check_active(sandbox, method)
    if not (address.get("email") or address.get("phone_number")):
        raise invalid("An address or a number is required.")
    upsert(sandbox, user_id, {})
    value = Authenticator(
        user_authenticator_id=sandbox.new_id(),
        user_id=user_id,
        verification_method=method,
        created_at=sandbox.clock.now(),
        email=address.get("email"),
        phone_number=address.get("phone_number"),
        previous_sms_channel=address.get("channel"),
    )
    challenge = _challenge(call, value, address.get("channel"))
    await codes.send(sandbox, challenge, base_url(call.request))
    if not sandbox.has_user_of(call.caller.user):  # deleted while the webhook was called
        raise unauthorized()
    for earlier in sandbox.store.authenticators(user_id):
        if earlier.verification_method == method and earlier.verified_at is None:
            sandbox.store.remove_authenticator(user_id, earlier.user_authenticator_id)
    sandbox.store.put_authenticator(value)
    return Enrolling(user_authenticator_id=value.user_authenticator_id, user_id=user_id)


def _challenge(call: Call, value: Authenticator, channel: str | None) -> Challenge:
    token = call.caller.user
    return new_challenge(
        call.sandbox,
        value.verification_method,
        user_id=value.user_id,
        action_code=token.action_code,
        idempotency_key=token.idempotency_key,
        user_authenticator_id=value.user_authenticator_id,
        email=value.email,
        phone_number=value.phone_number,
        sms_channel=channel,
    )


async def _start(call: Call, method: str, channel: str | None = None) -> Challenged:
    sandbox, user_id = call.sandbox, call.caller.user.user_id
    check_active(sandbox, method)
    value = to_challenge(sandbox, user_id, method)
    if channel and method == "SMS":
        value = replace(value, previous_sms_channel="WHATSAPP" if channel == "WHATSAPP" else "DEFAULT")
        sandbox.store.put_authenticator(value)
    challenge = await codes.send(sandbox, _challenge(call, value, channel), base_url(call.request))
    return Challenged(challenge_id=challenge.challenge_id)


def to_challenge(sandbox: Sandbox, user_id: str, method: str) -> Authenticator:
    """Choose the authenticator being enrolled, else the default, else the newest. WhatsApp also uses the SMS number."""
    methods = ("WHATSAPP", "SMS") if method == "WHATSAPP" else (method,)
    mine = [value for value in sandbox.store.authenticators(user_id) if value.verification_method in methods]
    if not mine:
        raise invalid(f"The user has no {method} authenticator.")
    chosen = max(mine, key=lambda value: (value.verified_at is None, value.is_default, value.created_at))
    return replace(chosen, verification_method=method) if chosen.verification_method != method else chosen


def waiting(call: Call, method: str) -> Challenge | None:
    """Return the newest live challenge of that method for the token's attempt."""
    token = call.caller.user
    for challenge in call.sandbox.challenges.live(call.sandbox.clock.now()):
        attempt = (challenge.user_id, challenge.action_code, challenge.idempotency_key)
        mine = attempt == (token.user_id, token.action_code, token.idempotency_key)
        if mine and challenge.method == method and challenge.user_authenticator_id:
            return challenge
    return None


async def _verify(call: Call, method: str, body: CodeAnswer) -> Verified:
    sandbox = call.sandbox
    challenge = waiting(call, method)
    failure = codes.check(sandbox, challenge, body.verification_code)
    if failure or challenge is None:
        if failure == "MAX_ATTEMPTS_EXCEEDED":
            give_up(call)
        return Verified(is_verified=False, failure_reason=failure)
    return await _unless_refused(call, challenge)


async def _unless_refused(call: Call, challenge: Challenge) -> Verified:
    """Respond to a met challenge. If a webhook refuses, the challenge is used up and not met."""
    try:
        return await verified(call, challenge)
    except Refusal:
        call.sandbox.challenges.put(replace(challenge, code=None, link=None, verified_at=None))
        raise


def give_up(call: Call) -> None:
    """Fail the action after too many wrong codes, if so configured: Authsignal does not document it."""
    token = call.caller.user
    action: Action | None = call.sandbox.store.get_action(token.user_id, token.action_code, token.idempotency_key)
    if call.sandbox.config.failed_on_max_attempts and action and action.state == "CHALLENGE_REQUIRED":
        settle(call.sandbox, action, "CHALLENGE_FAILED")


async def verified(call: Call, challenge: Challenge) -> Verified:
    """Respond to a met challenge: verify its authenticator and update its action."""
    sandbox = call.sandbox
    value = _authenticator(sandbox, challenge)
    if value is None:
        return Verified(is_verified=False, failure_reason="CODE_INVALID_OR_EXPIRED")
    return await proved(call, challenge.method, value)


async def proved(call: Call, method: str, value: Authenticator) -> Verified:
    """Accept a right code: finish the enrolment of its authenticator, or meet the challenge of the token's action."""
    sandbox = call.sandbox
    if value.verified_at is None:
        access = await enrolled_with(sandbox, call, value, first=not enrolled(sandbox, value.user_id))
        value = mark_verified(sandbox, value)
        return Verified(
            is_verified=True, access_token=access, user_authenticator=answers.authenticator(value, client=True)
        )
    access = await met(sandbox, call.caller.user, method, value)
    mark_verified(sandbox, value)
    return Verified(is_verified=True, access_token=access)


def _authenticator(sandbox: Sandbox, challenge: Challenge) -> Authenticator | None:
    for value in sandbox.store.authenticators(challenge.user_id or ""):
        if value.user_authenticator_id == challenge.user_authenticator_id:
            return value
    return None


async def enroll_sms(call: Call, body: PhoneEnrolment) -> Enrolling:
    channel = "WHATSAPP" if body.sms_channel == "WHATSAPP" else "DEFAULT"
    return await _enroll(call, "SMS", phone_number=body.phone_number, channel=channel)


async def challenge_sms(call: Call, body: SmsRequest) -> Challenged:
    return await _start(call, "SMS", body.sms_channel)


async def enroll_email_otp(call: Call, body: EmailEnrolment) -> Enrolling:
    return await _enroll(call, "EMAIL_OTP", email=body.email)


async def enroll_magic_link(call: Call, body: EmailEnrolment) -> Enrolling:
    return await _enroll(call, "EMAIL_MAGIC_LINK", email=body.email)


def _starting(method: str) -> Callable[..., Any]:
    async def start(call: Call) -> Challenged:
        return await _start(call, method)

    return start


def _verifying(method: str) -> Callable[..., Any]:
    async def verify(call: Call, body: CodeAnswer) -> Verified:
        return await _verify(call, method, body)

    return verify


async def finalize_magic_link(call: Call) -> Verified:
    """Respond to the page that polls while the user opens the link elsewhere."""
    challenge = waiting(call, MAGIC_LINK)
    if challenge is None or challenge.verified_at is None or challenge.consumed:
        return Verified(is_verified=False)
    challenge = call.sandbox.challenges.put(replace(challenge, consumed=True))
    return await _unless_refused(call, challenge)


def open_magic_link(sandbox: Sandbox, secret: str) -> bool:
    """Open a magic link. Return False if it is unknown or has expired."""
    now = sandbox.clock.now()
    for challenge in sandbox.challenges.live(now):
        if challenge.link is not None and challenge.link == secret and challenge.verified_at is None:
            sandbox.challenges.put(replace(challenge, verified_at=now, link=None))
            return True
    return False


MAGIC_LINK: Final = "EMAIL_MAGIC_LINK"

ROUTES: tuple[Served, ...] = (
    (endpoints.SMS_ENROLL, enroll_sms),
    (endpoints.SMS_CHALLENGE, challenge_sms),
    (endpoints.SMS_VERIFY, _verifying("SMS")),
    (endpoints.EMAIL_OTP_ENROLL, enroll_email_otp),
    (endpoints.EMAIL_OTP_CHALLENGE, _starting("EMAIL_OTP")),
    (endpoints.EMAIL_OTP_VERIFY, _verifying("EMAIL_OTP")),
    (endpoints.EMAIL_MAGIC_LINK_ENROLL, enroll_magic_link),
    (endpoints.EMAIL_MAGIC_LINK_CHALLENGE, _starting(MAGIC_LINK)),
    (endpoints.EMAIL_MAGIC_LINK_FINALIZE, finalize_magic_link),
    (endpoints.WHATSAPP_CHALLENGE, _starting("WHATSAPP")),
    (endpoints.WHATSAPP_VERIFY, _verifying("WHATSAPP")),
)
