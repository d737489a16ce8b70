"""Challenges that the server starts, verifies and claims."""

from dataclasses import replace
from typing import Any, Final, Literal

from dlt_authsignal.api import server_endpoints as endpoints
from dlt_authsignal.sandbox.core.bodies import Body
from dlt_authsignal.sandbox.core.refusals import Refusal, invalid
from dlt_authsignal.sandbox.http.dispatch import Call, Served, base_url
from dlt_authsignal.sandbox.http.routes.server.actions import check_code
from dlt_authsignal.sandbox.http.routes.server.authenticators import check_active
from dlt_authsignal.sandbox.http.routes.server.users import upsert
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.sessions.challenges import Challenge
from dlt_authsignal.sandbox.sessions.tokens import MANAGE
from dlt_authsignal.sandbox.tenant import answers
from dlt_authsignal.sandbox.tenant.entities import Authenticator
from dlt_authsignal.sandbox.verification import codes
from dlt_authsignal.sandbox.verification.challenge_flow import (
    mark_verified,
    may_succeed,
    new_challenge,
    sign_in_action,
    succeed,
    token_for,
)

Method = Literal["EMAIL_OTP", "SMS", "WHATSAPP"]
CLAIMABLE: Final = ("ANY", "EMAIL_OTP", "SMS", "WHATSAPP")


class ChallengeStart(Body, kw_only=True):
    """Body of `POST /challenge`."""

    verification_method: Method
    action: str
    email: str | None = None
    phone_number: str | None = None
    user_id: str | None = None
    challenge_id: str | None = None
    idempotency_key: str | None = None
    scope: str | None = None
    sms_channel: Literal["DEFAULT", "WHATSAPP"] | None = None
    locale: str | None = None
    device_id: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    custom: dict[str, Any] | None = None


class ChallengeCode(Body, kw_only=True):
    """Body of `POST /verify`."""

    challenge_id: str
    verification_code: str


class ChallengeClaim(Body, kw_only=True):
    """Body of `POST /claim`."""

    challenge_id: str
    user_id: str
    skip_verification_check: bool = False


class ChallengeQuery(Body, kw_only=True):
    """Query of `GET /challenges`, body of `POST /challenges`."""

    challenge_id: str | None = None
    user_id: str | None = None
    action: str | None = None
    verification_method: str | None = None


class Started(answers.Answer, kw_only=True):
    """`POST /challenge`; `expiresAt` in Unix seconds."""

    challenge_id: str
    idempotency_key: str
    expires_at: int


class Checked(answers.Answer, kw_only=True):
    """`POST /verify`."""

    is_verified: bool
    email: str | None = None
    phone_number: str | None = None
    verification_method: str | None = None
    failure_reason: str | None = None


class Claimed(answers.Answer, kw_only=True):
    """`POST /claim`."""

    token: str
    verification_method: str


class Active(answers.Answer, kw_only=True):
    """The active challenge. Empty if there is none."""

    challenge_id: str | None = None
    expires_at: int | None = None
    verification_method: str | None = None
    sms_channel: str | None = None
    phone_number: str | None = None
    email: str | None = None
    action: str | None = None


async def start(call: Call, body: ChallengeStart) -> Started:
    sandbox = call.sandbox
    check_code(body.action)
    check_active(sandbox, body.verification_method)
    email, phone_number = _address(sandbox, body)
    earlier = sandbox.challenges.get(body.challenge_id, sandbox.clock.now()) if body.challenge_id else None
    if body.challenge_id and (earlier is None or not _may_go_on(earlier, body.user_id)):
        raise invalid("The challenge is unknown, already completed, another user's, or has expired.")
    key = body.idempotency_key or (earlier.idempotency_key if earlier else None) or sandbox.new_id()
    challenge = replace(
        earlier or new_challenge(sandbox, body.verification_method),
        method=body.verification_method,
        user_id=body.user_id,
        action_code=body.action,
        idempotency_key=key,
        email=email,
        phone_number=phone_number,
        sms_channel=body.sms_channel,
        scope=body.scope,
    )
    challenge = await codes.send(sandbox, challenge, base_url(call.request))
    if body.user_id and not sandbox.store.get_action(body.user_id, body.action, key):
        upsert(sandbox, body.user_id, {})
        sign_in_action(sandbox, body.user_id, body.action, key)
    return Started(
        challenge_id=challenge.challenge_id,
        idempotency_key=key,
        expires_at=int(challenge.expires_at.timestamp()),
    )


def _may_go_on(challenge: Challenge, user_id: str | None) -> bool:
    """Return whether the server may send a code for an earlier challenge."""
    own = challenge.user_id in (None, user_id) and challenge.ceremony is None and not challenge.user_authenticator_id
    return own and challenge.verified_at is None and challenge.method in CLAIMABLE


def _address(sandbox: Sandbox, body: ChallengeStart) -> tuple[str | None, str | None]:
    """Return (email, phone number) to send to: those of the request, else those of the user."""
    user = sandbox.store.get_user(body.user_id) if body.user_id else None
    if body.verification_method == "EMAIL_OTP":
        email = body.email or (user.email if user else None)
        if not email:
            raise invalid("EMAIL_OTP needs email, or a user that has one.")
        return email, None
    number = body.phone_number or (user.phone_number if user else None)
    if not number:
        raise invalid(f"{body.verification_method} needs phoneNumber, or a user that has one.")
    return None, number


async def verify(call: Call, body: ChallengeCode) -> Checked:
    sandbox = call.sandbox
    challenge = sandbox.challenges.get(body.challenge_id, sandbox.clock.now())
    failure = codes.check(sandbox, challenge, body.verification_code)
    if failure or challenge is None:
        return Checked(is_verified=False, failure_reason=failure)
    if challenge.user_id and challenge.action_code and challenge.idempotency_key:
        try:
            await _met(sandbox, challenge, challenge.user_id)
        except Refusal:
            sandbox.challenges.put(replace(challenge, code=None, verified_at=None))
            raise
    return Checked(
        is_verified=True,
        email=challenge.email,
        phone_number=challenge.phone_number,
        verification_method=challenge.method,
    )


async def _met(sandbox: Sandbox, challenge: Challenge, user_id: str) -> None:
    code, key = challenge.action_code or "", challenge.idempotency_key or ""
    action = sandbox.store.get_action(user_id, code, key)
    value = _reached(sandbox, challenge, user_id)
    if action and may_succeed(action):
        await succeed(sandbox, action, challenge.method, value)
    if value:
        mark_verified(sandbox, value)


def _reached(sandbox: Sandbox, challenge: Challenge, user_id: str) -> Authenticator | None:
    """Return the user's authenticator with that address, if there is one."""
    for value in sandbox.store.authenticators(user_id):
        same = (value.email, value.phone_number) == (challenge.email, challenge.phone_number)
        if value.verification_method == challenge.method and same:
            return value
    return None


async def claim(call: Call, body: ChallengeClaim) -> Claimed:
    """Assign a challenge without a user to a user, with a new attempt and a token for it."""
    sandbox = call.sandbox
    challenge = sandbox.challenges.get(body.challenge_id, sandbox.clock.now())
    if challenge is None or challenge.consumed or challenge.method not in CLAIMABLE:
        raise invalid("The challenge is not known, was claimed already, or has expired.")
    if challenge.user_id not in (None, body.user_id):
        raise invalid("The challenge is another user's.")
    if challenge.verified_at is None and not body.skip_verification_check:
        raise invalid("The challenge has not been verified.")
    sandbox.challenges.put(replace(challenge, consumed=True, user_id=body.user_id))
    upsert(sandbox, body.user_id, {})
    code, key = challenge.action_code or sandbox.config.passkey_action, challenge.idempotency_key or sandbox.new_id()
    if not sandbox.store.get_action(body.user_id, code, key):
        sign_in_action(sandbox, body.user_id, code, key)
    challenge = replace(challenge, action_code=code, idempotency_key=key)
    if challenge.verified_at:
        await _met(sandbox, challenge, body.user_id)
    token = token_for(sandbox, body.user_id, code, key, challenge.scope or MANAGE)
    return Claimed(token=token, verification_method=challenge.method)


def active(call: Call, query: ChallengeQuery) -> Active:
    return _active(call, query)


def active_by_post(call: Call, body: ChallengeQuery) -> Active:
    """The request of the Java and .NET SDKs."""
    return _active(call, body)


def _active(call: Call, asked: ChallengeQuery) -> Active:
    if not asked.challenge_id and not asked.user_id:
        raise invalid("challengeId, or userId with action and verificationMethod, is required.")
    for challenge in call.sandbox.challenges.live(call.sandbox.clock.now()):
        wanted = (asked.challenge_id, asked.user_id, asked.action, asked.verification_method)
        given = (challenge.challenge_id, challenge.user_id, challenge.action_code, challenge.method)
        if all(w in (None, g) for w, g in zip(wanted, given, strict=True)) and challenge.verified_at is None:
            return Active(
                challenge_id=challenge.challenge_id,
                expires_at=int(challenge.expires_at.timestamp()),
                verification_method=challenge.method if challenge.method != "ANY" else None,
                sms_channel=challenge.sms_channel,
                phone_number=challenge.phone_number,
                email=challenge.email,
                action=challenge.action_code,
            )
    return Active()


ROUTES: tuple[Served, ...] = (
    (endpoints.CHALLENGE, start),
    (endpoints.VERIFY, verify),
    (endpoints.CLAIM, claim),
    (endpoints.GET_CHALLENGE, active),
    (replace(endpoints.GET_CHALLENGE, method="POST"), active_by_post),
)
