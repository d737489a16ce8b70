"""Push: the browser starts a challenge and polls; the app reads it, and approves or declines."""

from typing import Final

from dlt_authsignal.api import client_endpoints as endpoints
from dlt_authsignal.sandbox.core.bodies import Body
from dlt_authsignal.sandbox.core.refusals import Refusal, invalid
from dlt_authsignal.sandbox.http.dispatch import Call, Served
from dlt_authsignal.sandbox.http.routes.client.apps import AppQuery
from dlt_authsignal.sandbox.http.routes.server.authenticators import check_active
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.sessions.challenges import Challenge
from dlt_authsignal.sandbox.sessions.outbox import Message
from dlt_authsignal.sandbox.sessions.tokens import Token
from dlt_authsignal.sandbox.tenant import answers
from dlt_authsignal.sandbox.tenant.entities import Authenticator
from dlt_authsignal.sandbox.verification.approvals import (
    Answered,
    AppAnswer,
    UserContext,
    hand_out,
    holder,
    is_consumed,
    is_verified,
    known,
    settle_answer,
    signer,
    unanswered,
    user_context,
)
from dlt_authsignal.sandbox.verification.challenge_flow import new_challenge
from dlt_authsignal.sandbox.verification.signatures import is_signed

PUSH: Final = "PUSH"

READ: Final = "APP_READ"
"""Method of the challenge whose message an app signs to read. It is not a verification method."""


class PushStart(Body, kw_only=True):
    """Body of `POST /client/challenge/push`. The action is the token's. Assumed: `action` is ignored."""

    action: str | None = None
    user_authenticator_id: str | None = None


class Delivery(answers.Answer, kw_only=True):
    """A push authenticator to which the challenge was sent. Each delivery succeeds, so there is no `errorCode`."""

    user_authenticator_id: str


class PushStarted(answers.Answer, kw_only=True):
    """`POST /client/challenge/push`."""

    challenge_id: str
    delivery_results: list[Delivery]


class PushPoll(Body, kw_only=True):
    """Body of `POST /client/verify/push`."""

    challenge_id: str


class PushState(answers.Answer, kw_only=True):
    """`POST /client/verify/push`: consumed means answered, verified means approved. The token is returned once."""

    is_verified: bool
    is_consumed: bool
    access_token: str | None = None


class ReadMessage(answers.Answer, kw_only=True):
    """`POST …/push/challenge/sign`."""

    message: str


class Pending(answers.Answer, kw_only=True):
    """`GET …/push/challenge`: no challenge id means that nothing is pending. `expiresAt` in Unix seconds."""

    user_authenticator_id: str
    challenge_id: str | None = None
    user_id: str | None = None
    action_code: str | None = None
    idempotency_key: str | None = None
    user_agent: str | None = None
    device_id: str | None = None
    ip_address: str | None = None
    custom: answers.Json | None = None
    user: UserContext | None = None
    expires_at: int | None = None


async def start(call: Call, body: PushStart) -> PushStarted:
    sandbox, token = call.sandbox, call.caller.user
    check_active(sandbox, PUSH)
    targets = _targets(sandbox, token.user_id, body.user_authenticator_id)
    challenge = new_challenge(
        sandbox,
        PUSH,
        user_id=token.user_id,
        action_code=token.action_code,
        idempotency_key=token.idempotency_key,
        user_authenticator_id=body.user_authenticator_id,
        code=f"{sandbox.rng.randrange(100):02d}",
        about=_about(call, token),
    )
    await _notify(sandbox, challenge, targets)
    return PushStarted(
        challenge_id=challenge.challenge_id,
        delivery_results=[Delivery(user_authenticator_id=value.user_authenticator_id) for value in targets],
    )


def _targets(sandbox: Sandbox, user_id: str, wanted: str | None) -> list[Authenticator]:
    """Return all of the user's push authenticators, or the requested one."""
    mine = [
        value
        for value in sandbox.store.authenticators(user_id)
        if value.verification_method == PUSH and value.verified_at and wanted in (None, value.user_authenticator_id)
    ]
    if not mine:
        raise invalid("The user has no such PUSH authenticator.")
    return mine


def _about(call: Call, token: Token) -> dict[str, str | None]:
    """Return user agent and address of the tracked action, else (assumed) of this request."""
    action = call.sandbox.store.get_action(token.user_id, token.action_code, token.idempotency_key)
    return {
        "user_agent": (action.user_agent if action else None) or call.user_agent,
        "ip_address": (action.ip_address if action else None) or call.ip_address,
        "device_id": action.device_id if action else None,
    }


async def _notify(sandbox: Sandbox, challenge: Challenge, targets: list[Authenticator]) -> None:
    """Send one message to each app. A webhook is called once, because its payload does not identify an app.

    Assumed: the message contains the number to match. Where Authsignal shows it is not published.
    """
    messages = [
        Message(
            sent_at=challenge.created_at,
            channel="push",
            to=value.user_authenticator_id,
            user_id=challenge.user_id,
            method=PUSH,
            challenge_id=challenge.challenge_id,
            action_code=challenge.action_code,
            code=challenge.code,
        )
        for value in targets
    ]
    try:
        await sandbox.events.send(messages[0])
    except Refusal:
        sandbox.challenges.take(challenge.challenge_id, sandbox.clock.now())
        raise
    for message in messages:
        sandbox.outbox.add(message)


def sign_read(call: Call, query: AppQuery) -> ReadMessage:
    """Return a message to sign before reading the pending challenge."""
    value = holder(call.sandbox, PUSH, query.public_key)
    message = call.sandbox.new_id()
    new_challenge(call.sandbox, READ, user_authenticator_id=value.user_authenticator_id, about={"message": message})
    return ReadMessage(message=message)


def pending(call: Call, query: AppQuery) -> Pending:
    """Return the newest challenge that waits for this app.

    Newer SDKs sign a message and send `X-Authsignal-Signature`. Older SDKs do not, so no signature is required. If one
    is sent, it must be right, and its message is used up.
    """
    sandbox = call.sandbox
    value = holder(sandbox, PUSH, query.public_key)
    signature = call.request.headers.get("x-authsignal-signature")
    if signature is not None:
        _use_up(sandbox, value, signature)
    challenge = _waiting(sandbox, value)
    if challenge is None:
        return Pending(user_authenticator_id=value.user_authenticator_id)
    code, key = challenge.action_code or "", challenge.idempotency_key or ""
    action = sandbox.store.get_action(value.user_id, code, key)
    return Pending(
        user_authenticator_id=value.user_authenticator_id,
        challenge_id=challenge.challenge_id,
        user_id=value.user_id,
        action_code=code,
        idempotency_key=key,
        custom=dict(action.custom) if action and action.custom else None,
        user=user_context(sandbox, value.user_id),
        expires_at=int(challenge.expires_at.timestamp()),
        **challenge.about,
    )


def _use_up(sandbox: Sandbox, value: Authenticator, signature: str) -> None:
    """Remove the signed message, which must be one that this app got."""
    now, key = sandbox.clock.now(), value.app.public_key if value.app else ""
    for given in sandbox.challenges.live(now):
        mine = (given.method, given.user_authenticator_id) == (READ, value.user_authenticator_id)
        if mine and is_signed(key, given.about["message"], signature):
            sandbox.challenges.take(given.challenge_id, now)
            return
    raise invalid("The signature does not match the key and a message from the sandbox.")


def _waiting(sandbox: Sandbox, value: Authenticator) -> Challenge | None:
    for challenge in sandbox.challenges.live(sandbox.clock.now()):
        mine = challenge.user_authenticator_id in (None, value.user_authenticator_id)
        if challenge.method == PUSH and challenge.user_id == value.user_id and mine and challenge.approved is None:
            return challenge
    return None


async def answer(call: Call, body: AppAnswer) -> Answered:
    """Approve or decline. Assumed: a number is only checked if it is sent, and a wrong one changes nothing."""
    sandbox = call.sandbox
    value = signer(sandbox, PUSH, body, body.challenge_id)
    challenge = unanswered(sandbox, PUSH, body.challenge_id)
    mine = challenge.user_authenticator_id in (None, value.user_authenticator_id)
    if challenge.user_id != value.user_id or not mine:
        raise invalid("The challenge was sent to another app.")
    if body.approved and body.verification_code not in (None, challenge.code):
        raise invalid("The verification code does not match the challenge.")
    return await settle_answer(sandbox, challenge, value, approved=body.approved)


def verify(call: Call, body: PushPoll) -> PushState:
    sandbox = call.sandbox
    challenge = known(sandbox, PUSH, body.challenge_id)
    if challenge.user_id != call.caller.user.user_id:
        raise invalid("The challenge is another user's.")
    return PushState(
        is_verified=is_verified(challenge),
        is_consumed=is_consumed(challenge),
        access_token=hand_out(sandbox, challenge),
    )


ROUTES: tuple[Served, ...] = (
    (endpoints.PUSH_CHALLENGE, start),
    (endpoints.PUSH_CHALLENGE_SIGN, sign_read),
    (endpoints.PUSH_PENDING, pending),
    (endpoints.APP_ANSWER["push"], answer),
    (endpoints.PUSH_VERIFY, verify),
)
