"""QR code: the browser shows it and polls. The app that scans it claims it, and approves or declines."""

from dataclasses import replace
from typing import Final

from dlt_authsignal.api import client_endpoints as endpoints
from dlt_authsignal.sandbox.core.bodies import Body
from dlt_authsignal.sandbox.core.clock import iso
from dlt_authsignal.sandbox.core.refusals import invalid
from dlt_authsignal.sandbox.http.dispatch import Call, Served
from dlt_authsignal.sandbox.http.routes.server.actions import check_code
from dlt_authsignal.sandbox.http.routes.server.authenticators import check_active
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.sessions.challenges import Challenge
from dlt_authsignal.sandbox.sessions.tokens import Token
from dlt_authsignal.sandbox.tenant import answers
from dlt_authsignal.sandbox.verification.approvals import (
    Answered,
    AppAnswer,
    Signed,
    UserContext,
    hand_out,
    is_consumed,
    is_verified,
    known,
    settle_answer,
    signer,
    unanswered,
    user_context,
)
from dlt_authsignal.sandbox.verification.challenge_flow import new_challenge, sign_in_action

QR_CODE: Final = "QR_CODE"

UNNAMED_ACTION: Final = "signInWithQrCode"
"""Action code of a QR code without user and action. Assumed."""


class QrStart(Body, kw_only=True):
    """Body of `POST /client/challenge/qr-code`. Both are used only without a token, because a token has its action."""

    action: str | None = None
    custom: answers.Json | None = None


class QrStarted(answers.Answer, kw_only=True):
    """`POST /client/challenge/qr-code`; `expiresAt` is ISO 8601 (assumed)."""

    challenge_id: str
    expires_at: str
    device_code: str


class QrClaim(Signed, kw_only=True):
    """Body of `POST …/qr-code/challenge/claim`; the challenge id is signed."""

    challenge_id: str


class QrClaimed(answers.Answer, kw_only=True):
    """`POST …/qr-code/challenge/claim`: the data that the app shows before the user decides."""

    success: bool
    user_agent: str | None = None
    ip_address: str | None = None
    action_code: str | None = None
    idempotency_key: str | None = None
    custom: answers.Json | None = None
    user: UserContext | None = None


class QrPoll(Body, kw_only=True):
    """Body of `POST /client/verify/qr-code`."""

    challenge_id: str
    device_code: str


class QrState(answers.Answer, kw_only=True):
    """`POST /client/verify/qr-code`: claimed, consumed (answered), verified (approved). The token is returned once."""

    is_claimed: bool
    is_consumed: bool
    is_verified: bool
    access_token: str | None = None


def start(call: Call, body: QrStart) -> QrStarted:
    challenge = begin(call.sandbox, call.caller.token, body, user_agent=call.user_agent, ip_address=call.ip_address)
    return QrStarted(
        challenge_id=challenge.challenge_id,
        expires_at=iso(challenge.expires_at),
        device_code=challenge.device_code or "",
    )


def begin(
    sandbox: Sandbox, token: Token | None, body: QrStart, *, user_agent: str | None, ip_address: str | None
) -> Challenge:
    """Create the challenge of a QR code, for the user of the token or for the user of the app that will scan it."""
    check_active(sandbox, QR_CODE)
    code = body.action or UNNAMED_ACTION
    check_code(code)
    action = sandbox.store.get_action(token.user_id, token.action_code, token.idempotency_key) if token else None
    return new_challenge(
        sandbox,
        QR_CODE,
        user_id=token.user_id if token else None,
        action_code=token.action_code if token else code,
        idempotency_key=token.idempotency_key if token else sandbox.new_id(),
        device_code=sandbox.new_id(),
        about={
            "user_agent": user_agent,
            "ip_address": ip_address,
            "custom": dict(action.custom) if action and action.custom else None if token else body.custom,
        },
    )


def claim(call: Call, body: QrClaim) -> QrClaimed:
    """Claim a challenge. Without a known user, the app's user becomes its user, with an action of its code."""
    sandbox = call.sandbox
    value = signer(sandbox, QR_CODE, body, body.challenge_id)
    challenge = unanswered(sandbox, QR_CODE, body.challenge_id)
    if challenge.claimed_by is not None:
        raise invalid("The challenge was claimed already.")
    if challenge.user_id not in (None, value.user_id):
        raise invalid("The challenge is another user's.")
    if challenge.user_id is None:
        _begin_action(sandbox, challenge, value.user_id)
    challenge = replace(challenge, user_id=value.user_id, claimed_by=value.user_authenticator_id)
    sandbox.challenges.put(challenge)
    return QrClaimed(
        success=True,
        action_code=challenge.action_code,
        idempotency_key=challenge.idempotency_key,
        user=user_context(sandbox, value.user_id),
        **challenge.about,
    )


def _begin_action(sandbox: Sandbox, challenge: Challenge, user_id: str) -> None:
    action = sign_in_action(sandbox, user_id, challenge.action_code or UNNAMED_ACTION, challenge.idempotency_key)
    about = challenge.about
    sandbox.store.put_action(
        replace(action, user_agent=about["user_agent"], ip_address=about["ip_address"], custom=about["custom"])
    )


async def answer(call: Call, body: AppAnswer) -> Answered:
    """Approve or decline a challenge that the same app claimed."""
    sandbox = call.sandbox
    value = signer(sandbox, QR_CODE, body, body.challenge_id)
    challenge = unanswered(sandbox, QR_CODE, body.challenge_id)
    if challenge.claimed_by != value.user_authenticator_id:
        raise invalid("The challenge was not claimed by this app.")
    return await settle_answer(sandbox, challenge, value, approved=body.approved)


def verify(call: Call, body: QrPoll) -> QrState:
    sandbox = call.sandbox
    challenge = known(sandbox, QR_CODE, body.challenge_id)
    if challenge.device_code != body.device_code:
        raise invalid("The device code does not match the challenge.")
    return QrState(
        is_claimed=challenge.claimed_by is not None,
        is_consumed=is_consumed(challenge),
        is_verified=is_verified(challenge),
        access_token=hand_out(sandbox, challenge),
    )


ROUTES: tuple[Served, ...] = (
    (endpoints.QR_CODE_CHALLENGE, start),
    (endpoints.QR_CODE_CLAIM, claim),
    (endpoints.APP_ANSWER["qr-code"], answer),
    (endpoints.QR_CODE_VERIFY, verify),
)
