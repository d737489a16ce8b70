"""Push, QR code and in-app challenges: the browser starts and polls, the app answers with a signature."""

from dataclasses import replace
from typing import Any

from dlt_authsignal.api import client_endpoints as endpoints
from dlt_authsignal.sandbox import answers
from dlt_authsignal.sandbox.challenges import Challenge
from dlt_authsignal.sandbox.clock import iso
from dlt_authsignal.sandbox.entities import Authenticator
from dlt_authsignal.sandbox.http import Body, Call, Served
from dlt_authsignal.sandbox.outbox import Message
from dlt_authsignal.sandbox.refusals import Refusal, invalid
from dlt_authsignal.sandbox.routes.actions import check_code
from dlt_authsignal.sandbox.routes.apps import AppQuery, holder
from dlt_authsignal.sandbox.routes.authenticators import check_active
from dlt_authsignal.sandbox.routes.passkeys import new_challenge
from dlt_authsignal.sandbox.signatures import check_signature
from dlt_authsignal.sandbox.state import Sandbox
from dlt_authsignal.sandbox.tokens import MANAGE
from dlt_authsignal.sandbox.verification import mark_verified, met, sign_in_action, succeed, token_for


class PushStart(Body, kw_only=True):
    """Body of `POST /client/challenge/push`."""

    action: str | None = None
    user_authenticator_id: str | None = None


class QrStart(Body, kw_only=True):
    """Body of `POST /client/challenge/qr-code`."""

    action: str
    custom: dict[str, Any] | None = None


class ChallengeId(Body, kw_only=True):
    """Body of `POST /client/verify/push`."""

    challenge_id: str


class QrPoll(Body, kw_only=True):
    """Body of `POST /client/verify/qr-code`."""

    challenge_id: str
    device_code: str


class AppAnswer(Body, kw_only=True):
    """Body of `…/challenge`: what the person said on their phone; signed over the challenge id."""

    public_key: str
    challenge_id: str
    signature: str
    approved: bool
    verification_code: str | None = None


class AppClaim(Body, kw_only=True):
    """Body of `…/challenge/claim` and of `POST /client/verify/in-app`; signed over the challenge id."""

    public_key: str
    challenge_id: str
    signature: str


class Delivery(answers.Answer, kw_only=True):
    """One device a push went to."""

    user_authenticator_id: str
    error_code: str | None = None


class PushStarted(answers.Answer, kw_only=True):
    """`POST /client/challenge/push`."""

    challenge_id: str
    delivery_results: list[Delivery]


class QrStarted(answers.Answer, kw_only=True):
    """`POST /client/challenge/qr-code`; `expiresAt` is text here."""

    challenge_id: str
    expires_at: str
    device_code: str


class Polled(answers.Answer, kw_only=True):
    """What polling answers."""

    is_claimed: bool | None = None
    is_consumed: bool
    is_verified: bool
    access_token: str | None = None


class ToSign(answers.Answer, kw_only=True):
    """What the app is to sign."""

    challenge_id: str | None = None
    message: str | None = None


class Pending(answers.Answer, kw_only=True):
    """The challenge that waits for the app; without `challengeId` none does. `expiresAt` in Unix seconds."""

    user_authenticator_id: str | None = None
    success: bool | None = None
    challenge_id: str | None = None
    user_id: str | None = None
    action_code: str | None = None
    idempotency_key: str | None = None
    user_agent: str | None = None
    ip_address: str | None = None
    custom: dict[str, Any] | None = None
    user: dict[str, Any] | None = None
    expires_at: int | None = None


class InAppVerified(answers.Answer, kw_only=True):
    """`POST /client/verify/in-app`."""

    token: str
    user_id: str
    user_authenticator_id: str
    username: str | None = None


def start_push(call: Call, body: PushStart) -> PushStarted:
    sandbox, token = call.sandbox, call.caller.user
    check_active(sandbox, "PUSH")
    mine = [value for value in sandbox.store.authenticators(token.user_id) if value.verification_method == "PUSH"]
    if body.user_authenticator_id:
        mine = [value for value in mine if value.user_authenticator_id == body.user_authenticator_id]
    if not mine:
        raise invalid("The user has no such PUSH authenticator.")
    value = max(mine, key=lambda found: found.created_at)
    challenge = new_challenge(
        sandbox,
        "PUSH",
        user_id=token.user_id,
        action_code=token.action_code,
        idempotency_key=token.idempotency_key,
        user_authenticator_id=value.user_authenticator_id,
        about=_seen(call),
    )
    sandbox.outbox.add(
        Message(
            sent_at=sandbox.clock.now(),
            channel="push",
            to=value.user_authenticator_id,
            user_id=token.user_id,
            method="PUSH",
            challenge_id=challenge.challenge_id,
            action_code=token.action_code,
        )
    )
    return PushStarted(
        challenge_id=challenge.challenge_id,
        delivery_results=[Delivery(user_authenticator_id=value.user_authenticator_id)],
    )


def _seen(call: Call, custom: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"user_agent": call.user_agent, "ip_address": call.ip_address, "custom": custom}


async def poll_push(call: Call, body: ChallengeId) -> Polled:
    sandbox, token = call.sandbox, call.caller.user
    challenge = sandbox.challenges.get(body.challenge_id, sandbox.clock.now())
    if challenge is None or challenge.method != "PUSH" or challenge.user_id != token.user_id:
        raise invalid("The challenge is not known, or has expired.")
    if challenge.approved is None or challenge.consumed:
        return Polled(is_consumed=challenge.consumed, is_verified=bool(challenge.approved))
    sandbox.challenges.put(replace(challenge, consumed=True))
    if not challenge.approved:
        return Polled(is_consumed=True, is_verified=False)
    value = _authenticator(sandbox, challenge)
    access = await met(sandbox, token, "PUSH", value)
    if value:
        mark_verified(sandbox, value)
    return Polled(is_consumed=True, is_verified=True, access_token=access)


def _authenticator(sandbox: Sandbox, challenge: Challenge) -> Authenticator | None:
    wanted = challenge.claimed_by or challenge.user_authenticator_id
    held = sandbox.store.authenticators(challenge.user_id or "")
    return next((value for value in held if value.user_authenticator_id == wanted), None)


def pending_push(call: Call, query: AppQuery) -> Pending:
    value = holder(call, "push", query.public_key)
    header = call.request.headers.get("x-authsignal-signature")
    if header:
        check_signature(query.public_key, header, query.public_key)
    challenge = _waiting(call, value)
    if challenge is None:
        return Pending(user_authenticator_id=value.user_authenticator_id)
    return _pending(call, value, challenge)


def _waiting(call: Call, value: Authenticator) -> Challenge | None:
    for challenge in call.sandbox.challenges.live(call.sandbox.clock.now()):
        mine = challenge.user_authenticator_id == value.user_authenticator_id and challenge.method == "PUSH"
        if mine and challenge.approved is None:
            return challenge
    return None


def _pending(call: Call, value: Authenticator, challenge: Challenge, *, claimed: bool = False) -> Pending:
    user = call.sandbox.store.get_user(value.user_id)
    return Pending(
        user_authenticator_id=None if claimed else value.user_authenticator_id,
        success=True if claimed else None,
        challenge_id=None if claimed else challenge.challenge_id,
        user_id=None if claimed else value.user_id,
        action_code=challenge.action_code,
        idempotency_key=challenge.idempotency_key,
        user_agent=challenge.about.get("user_agent"),
        ip_address=challenge.about.get("ip_address"),
        custom=challenge.about.get("custom"),
        user={"custom": dict(user.custom)} if user and user.custom else None,
        expires_at=None if claimed else int(challenge.expires_at.timestamp()),
    )


def sign_push(call: Call, query: AppQuery) -> ToSign:
    """A challenge of its own for `PATCH …/push`."""
    value = holder(call, "push", query.public_key)
    challenge = new_challenge(
        call.sandbox, "ANY", user_id=value.user_id, user_authenticator_id=value.user_authenticator_id
    )
    return ToSign(challenge_id=challenge.challenge_id, message=challenge.challenge_id)


def sign_push_challenge(call: Call, query: AppQuery) -> ToSign:
    challenge = _waiting(call, holder(call, "push", query.public_key))
    return ToSign(message=challenge.challenge_id if challenge else None)


def answer_push(call: Call, body: AppAnswer) -> answers.Success:
    return _answer(call, "push", body)


def _answer(call: Call, kind: str, body: AppAnswer) -> answers.Success:
    sandbox, value = call.sandbox, holder(call, kind, body.public_key)
    challenge = sandbox.challenges.get(body.challenge_id, sandbox.clock.now())
    asked = challenge.claimed_by if challenge and kind == "qr-code" else challenge and challenge.user_authenticator_id
    if challenge is None or asked != value.user_authenticator_id or challenge.approved is not None:
        raise invalid("The challenge is not the app's, was answered already, or has expired.")
    check_signature(body.public_key, body.signature, body.challenge_id)
    sandbox.challenges.put(replace(challenge, approved=body.approved))
    return answers.Success(success=True)


def start_qr(call: Call, body: QrStart) -> QrStarted:
    sandbox, token = call.sandbox, call.caller.token
    check_active(sandbox, "QR_CODE")
    check_code(body.action)
    challenge = new_challenge(
        sandbox,
        "QR_CODE",
        action_code=body.action,
        idempotency_key=token.idempotency_key if token and token.action_code == body.action else None,
        about={**_seen(call, body.custom), "for": token.user_id if token else None},
        device_code=sandbox.new_id(),
    )
    return QrStarted(
        challenge_id=challenge.challenge_id,
        expires_at=iso(challenge.expires_at),
        device_code=challenge.device_code or "",
    )


def claim_qr(call: Call, body: AppClaim) -> Pending:
    """What scanning the code does: the challenge is this app's from now on, and nobody else's."""
    sandbox, value = call.sandbox, holder(call, "qr-code", body.public_key)
    challenge = sandbox.challenges.get(body.challenge_id, sandbox.clock.now())
    if challenge is None or challenge.method != "QR_CODE" or challenge.claimed_by:
        raise invalid("The challenge is not known, was claimed already, or has expired.")
    if challenge.about["for"] not in (None, value.user_id):
        raise invalid("The challenge is another user's.")
    check_signature(body.public_key, body.signature, body.challenge_id)
    challenge = sandbox.challenges.put(
        replace(challenge, claimed_by=value.user_authenticator_id, user_id=value.user_id)
    )
    return _pending(call, value, challenge, claimed=True)


def answer_qr(call: Call, body: AppAnswer) -> answers.Success:
    return _answer(call, "qr-code", body)


async def poll_qr(call: Call, body: QrPoll) -> Polled:
    sandbox = call.sandbox
    challenge = sandbox.challenges.get(body.challenge_id, sandbox.clock.now())
    if challenge is None or challenge.method != "QR_CODE" or challenge.device_code != body.device_code:
        raise invalid("The challenge is not known, or has expired.")
    claimed = challenge.claimed_by is not None
    if challenge.approved is None or challenge.consumed:
        return Polled(is_claimed=claimed, is_consumed=challenge.consumed, is_verified=bool(challenge.approved))
    sandbox.challenges.put(replace(challenge, consumed=True))
    if not challenge.approved:
        return Polled(is_claimed=True, is_consumed=True, is_verified=False)
    return Polled(
        is_claimed=True, is_consumed=True, is_verified=True, access_token=await _signed_in(sandbox, challenge)
    )


async def _signed_in(sandbox: Sandbox, challenge: Challenge) -> str:
    """The token of an attempt that an app's user has approved."""
    user_id, code = challenge.user_id or "", challenge.action_code or ""
    action = sandbox.store.get_action(user_id, code, challenge.idempotency_key or "") or sign_in_action(
        sandbox, user_id, code
    )
    value = _authenticator(sandbox, challenge)
    await succeed(sandbox, action, challenge.method, value)
    if value:
        mark_verified(sandbox, value)
    return token_for(sandbox, user_id, code, action.idempotency_key, MANAGE)


async def verify_in_app(call: Call, body: AppClaim) -> InAppVerified:
    """The app itself meets a challenge that `POST /client/challenge` began."""
    sandbox, value = call.sandbox, holder(call, "in-app", body.public_key)
    token = call.caller.token
    if token and token.user_id != value.user_id:
        raise Refusal(400, "invalid_credential", "The credential is another user's.")
    challenge = sandbox.challenges.get(body.challenge_id, sandbox.clock.now())
    if challenge is None or challenge.method != "ANY" or challenge.user_id not in (None, value.user_id):
        raise invalid("The challenge is not known, was used already, or has expired.")
    check_signature(body.public_key, body.signature, body.challenge_id)
    sandbox.challenges.take(body.challenge_id, sandbox.clock.now())
    challenge = replace(
        challenge,
        method="IN_APP",
        user_id=value.user_id,
        action_code=challenge.action_code or sandbox.config.passkey_action,
        claimed_by=value.user_authenticator_id,
    )
    access = await _signed_in(sandbox, challenge)
    user = sandbox.store.get_user(value.user_id)
    return InAppVerified(
        token=access,
        user_id=value.user_id,
        user_authenticator_id=value.user_authenticator_id,
        username=user.username if user else None,
    )


ROUTES: tuple[Served, ...] = (
    (endpoints.PUSH_CHALLENGE, start_push),
    (endpoints.PUSH_VERIFY, poll_push),
    (endpoints.PUSH_PENDING, pending_push),
    (endpoints.PUSH_SIGN, sign_push),
    (endpoints.PUSH_CHALLENGE_SIGN, sign_push_challenge),
    (endpoints.APP_ANSWER["push"], answer_push),
    (endpoints.QR_CODE_CHALLENGE, start_qr),
    (endpoints.QR_CODE_CLAIM, claim_qr),
    (endpoints.APP_ANSWER["qr-code"], answer_qr),
    (endpoints.QR_CODE_VERIFY, poll_qr),
    (endpoints.IN_APP_VERIFY, verify_in_app),
)
