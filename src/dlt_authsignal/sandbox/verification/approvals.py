"""Functions that push, QR code and in-app verification share: signatures, the app's answer, and the browser's token.

The texts of errors are assumed, except `invalid_credential` for a key that is not enrolled.
"""

from dataclasses import replace

from dlt_authsignal.sandbox.core.bodies import Body
from dlt_authsignal.sandbox.core.refusals import Refusal, invalid
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.sessions.challenges import Challenge
from dlt_authsignal.sandbox.sessions.tokens import MANAGE
from dlt_authsignal.sandbox.tenant import answers
from dlt_authsignal.sandbox.tenant.entities import Authenticator
from dlt_authsignal.sandbox.verification.challenge_flow import mark_verified, may_succeed, succeed, token_for
from dlt_authsignal.sandbox.verification.signatures import canonical, is_signed


class Signed(Body, kw_only=True):
    """Base of bodies that an app signs."""

    public_key: str
    signature: str


class AppAnswer(Signed, kw_only=True):
    """Body of `POST …/push/challenge` and `POST …/qr-code/challenge`; the challenge id is signed."""

    challenge_id: str
    approved: bool
    verification_code: str | None = None


class Answered(answers.Answer, kw_only=True):
    """The response to an app's answer. The field is not documented; older iOS models read it."""

    is_verified: bool


class UserContext(answers.Answer, kw_only=True):
    """The user's data that an app shows."""

    custom: answers.Json


def holder(sandbox: Sandbox, method: str, public_key: str) -> Authenticator:
    """Return the authenticator with that key, in the form of a body or of a query.

    Raises:
        Refusal: `invalid_credential`: it is not enrolled for that method, or was removed.
    """
    key = canonical(public_key)
    found = sandbox.store.app(method, key) if key else None
    if found is None:
        raise Refusal(400, "invalid_credential", "No credential with that public key is enrolled.")
    return found


def signer(sandbox: Sandbox, method: str, signed: Signed, *messages: str) -> Authenticator:
    """Return the authenticator whose key signed one of the messages.

    Raises:
        Refusal: The key is unknown, or it did not sign any of them.
    """
    found = holder(sandbox, method, signed.public_key)
    check_signature(found, signed.signature, *messages)
    return found


def check_signature(authenticator: Authenticator, signature: str, *messages: str) -> None:
    """Raise Refusal unless the authenticator's key signed one of the messages."""
    key = authenticator.app.public_key if authenticator.app else ""
    if not any(is_signed(key, message, signature) for message in messages):
        raise invalid("The signature does not match the key and the challenge.")


def known(sandbox: Sandbox, method: str, challenge_id: str) -> Challenge:
    """Return a live challenge of that method, answered or not."""
    challenge = sandbox.challenges.get(challenge_id, sandbox.clock.now())
    if challenge is None or challenge.method != method:
        raise invalid("The challenge is not known, or has expired.")
    return challenge


def unanswered(sandbox: Sandbox, method: str, challenge_id: str) -> Challenge:
    """Return a live challenge of that method that no app has answered."""
    challenge = known(sandbox, method, challenge_id)
    if challenge.approved is not None:
        raise invalid("The challenge was answered already.")
    return challenge


async def settle_answer(
    sandbox: Sandbox, challenge: Challenge, authenticator: Authenticator, *, approved: bool
) -> Answered:
    """Store an app's one answer. An approval meets the action's challenge.

    Assumed: a declined challenge does not change the action, which another method can still meet.

    Raises:
        Refusal: The webhook of the action configuration did not approve. The challenge stays unanswered.
    """
    answered = sandbox.challenges.put(replace(challenge, approved=approved))
    if approved:
        try:
            await meet(sandbox, challenge, authenticator)
        except Refusal:
            sandbox.challenges.put(challenge)
            raise
        sandbox.challenges.put(replace(answered, verified_at=sandbox.clock.now()))
    return Answered(is_verified=approved)


def is_verified(challenge: Challenge) -> bool:
    """Return whether it was approved. It is not while the action's webhook has not responded."""
    return challenge.verified_at is not None


def is_consumed(challenge: Challenge) -> bool:
    """Return whether it was approved or declined."""
    return is_verified(challenge) or challenge.approved is False


async def meet(sandbox: Sandbox, challenge: Challenge, authenticator: Authenticator) -> None:
    """Let the challenge's action succeed by that authenticator, which counts as verified now."""
    code, key = challenge.action_code or "", challenge.idempotency_key or ""
    action = sandbox.store.get_action(authenticator.user_id, code, key)
    if action and may_succeed(action):
        await succeed(sandbox, action, authenticator.verification_method, authenticator)
    mark_verified(sandbox, authenticator)


def hand_out(sandbox: Sandbox, challenge: Challenge) -> str | None:
    """Return the token of an approved challenge on the first request. Assumed: it is returned only once."""
    user_id, code, key = challenge.user_id, challenge.action_code, challenge.idempotency_key
    if not is_verified(challenge) or challenge.consumed or not (user_id and code and key):
        return None
    sandbox.challenges.put(replace(challenge, consumed=True))
    return token_for(sandbox, user_id, code, key, MANAGE)


def user_context(sandbox: Sandbox, user_id: str) -> UserContext | None:
    """Return the user's custom data, None without any."""
    user = sandbox.store.get_user(user_id)
    return UserContext(custom=dict(user.custom)) if user and user.custom else None
